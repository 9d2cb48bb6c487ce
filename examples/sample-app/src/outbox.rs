//! Messages that a real application would hand to a mail server. This one keeps them for its operators to read.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// The newest messages, in this process.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Mutex<VecDeque<Message>>>);

/// A message to a person.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it would have been sent.
    pub at: DateTime<Utc>,
    /// To whom.
    pub to: String,
    /// The line above.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// Where its link leads, within the site.
    pub link: Option<String>,
}

impl Outbox {
    /// Takes a message. The oldest goes when there are a hundred.
    pub fn send(&self, message: Message) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages.truncate(99);
        messages.push_front(message);
    }

    /// All of them, the newest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

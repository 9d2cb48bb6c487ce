//! How far the statements of a transaction got, which decides whether it may be committed.

/// What is known of the statements so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The worst of the statements before the current one.
    earlier: Ending,
    current: Ending,
}

/// How a statement ended, from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// It answered. A failure after the last row that was read is still on the connection, and fails whatever uses it next, at the
    /// latest `COMMIT`.
    #[default]
    Answered,
    /// It was dropped before it answered: nobody knows whether it ran.
    Abandoned,
    /// It failed or was refused.
    Failed,
}

impl Progress {
    /// A statement starts. Until it answers, it counts as abandoned.
    pub(super) fn start(&mut self) {
        self.earlier = self.worst();
        self.current = Ending::Abandoned;
    }

    /// The current statement gave a row or a count.
    pub(super) fn answered(&mut self) {
        self.current = Ending::Answered;
    }

    /// The current statement failed or was refused.
    pub(super) fn failed(&mut self) {
        self.earlier = Ending::Failed;
    }

    /// Notes an answer that comes in one piece.
    pub(super) fn note<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match answer {
            Ok(_) => self.answered(),
            Err(_) => self.failed(),
        }
        answer
    }

    /// The ending that decides.
    pub(super) fn worst(self) -> Ending {
        self.earlier.max(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Progress};

    #[test]
    fn a_later_success_hides_no_earlier_ending() {
        for (end, expected) in [
            (Progress::answered as fn(&mut Progress), Ending::Answered),
            (|_: &mut Progress| {}, Ending::Abandoned),
            (Progress::failed, Ending::Failed),
        ] {
            let mut progress = Progress::default();
            progress.start();
            end(&mut progress);
            assert_eq!(progress.worst(), expected);
            progress.start();
            progress.answered();
            assert_eq!(progress.worst(), expected);
        }
    }

    #[test]
    fn a_failure_after_the_first_row_is_a_failure() {
        let mut progress = Progress::default();
        progress.start();
        progress.answered();
        progress.failed();
        progress.answered();
        assert_eq!(progress.worst(), Ending::Failed);
    }
}

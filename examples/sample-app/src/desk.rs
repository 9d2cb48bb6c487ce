//! A person at work: the request layer's transaction in one tenant's scope, with the person as the business knows them.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use stockade::{
    bridge::{
        self,
        request::{self, Refused as NotAnswered, Work},
    },
    rbac::{Resource, RowFilter, Rows},
    tenant_guard::{Principal, TenantId},
};

pub use stockade::bridge::request::Reads;

use crate::{
    app::App,
    authority::{Viewer, Visitor, names, still},
    domain::people::User,
    permissions::Perm,
};

/// One request of one person: a transaction that may write, or a [`Look`].
#[derive(Debug)]
pub struct Desk<W = Work<Perm>> {
    at: W,
    /// The person.
    pub user: User,
}

/// A desk at which nothing can be written.
pub type Look = Desk<request::Look<Perm>>;

/// The policy's refusal, in its own words.
#[derive(Clone, Debug)]
pub struct Refused(pub(crate) String);

impl App {
    /// Opens a desk for a person who works in their own name, with what they may do as of now.
    ///
    /// # Errors
    /// When the database fails, or what the route takes was taken from the person.
    pub async fn desk(&self, visitor: &Visitor) -> anyhow::Result<Desk> {
        let work = visitor.own.begin().await?;
        still(&work, visitor.needs)?;
        let user = User { roles: names(work.actor().roles()), ..visitor.user.clone() };
        Ok(Desk { at: work, user })
    }

    /// Opens a desk for looking.
    ///
    /// # Errors
    /// As [`desk`](Self::desk).
    pub async fn look(&self, viewer: &Viewer) -> anyhow::Result<Look> {
        let look = viewer.by.read().await?;
        still(&look, viewer.needs)?;
        let user = User { roles: names(look.authority().roles()), ..viewer.user.clone() };
        Ok(Desk { at: look, user })
    }
}

impl<W: Reads<Perm>> Desk<W> {
    /// Whether a page should offer what needs `permission`. The operation asks again.
    #[must_use]
    pub fn may(&self, permission: Perm, resource: &Resource) -> bool {
        self.at.may(permission, resource)
    }

    /// The rows that a list may show this person.
    pub fn rows<'a>(&'a self, permission: Perm, rows: &'a Rows) -> RowFilter<'a> {
        self.at.rows(permission, rows)
    }

    /// Asks the policy. A refusal is in the audit log before the request is answered, whatever becomes of the desk.
    ///
    /// # Errors
    /// The policy's refusal.
    pub fn require(&self, permission: Perm, resource: &Resource, of: (&str, impl fmt::Display)) -> Result<(), Refused> {
        self.at.ask(permission, resource, of).map_err(|refused| match refused {
            NotAnswered::Denied(denied) => Refused(denied.explanation().to_owned()),
            other => Refused(other.to_string()),
        })
    }
}

impl Desk {
    /// On whose behalf this person's transactions open.
    ///
    /// # Errors
    /// When the policy has more permissions than scopes can hold.
    pub fn principal(&self) -> anyhow::Result<Principal> {
        Ok(Principal::new(TenantId::new(self.user.tenant_id), bridge::acting(self.actor())?))
    }

    /// Keeps everything that happened at this desk, and waits until what was refused at it is recorded too.
    ///
    /// # Errors
    /// When the database fails or a statement before failed: then nothing was kept.
    pub async fn commit(self, app: &App) -> anyhow::Result<()> {
        let asked = self.at.asked().clone();
        self.at.commit().await?;
        asked.settle().await?;
        app.seal_soon();
        Ok(())
    }

    /// Undoes everything that happened at this desk.
    ///
    /// # Errors
    /// When the connection failed.
    pub async fn rollback(self) -> anyhow::Result<()> {
        Ok(self.at.rollback().await?)
    }
}

impl Look {
    pub(crate) const fn new(look: request::Look<Perm>, user: User) -> Self {
        Self { at: look, user }
    }

    /// Ends the look. What is left is whose desk it was.
    ///
    /// # Errors
    /// When the connection failed.
    pub async fn close(self) -> Result<User, NotAnswered> {
        self.at.close().await?;
        Ok(self.user)
    }
}

impl<W> Deref for Desk<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.at
    }
}

impl<W> DerefMut for Desk<W> {
    fn deref_mut(&mut self) -> &mut W {
        &mut self.at
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

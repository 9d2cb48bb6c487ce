//! Actors that need not be loaded again.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres, Row as _};
use uuid::Uuid;

use super::loading::{Loaded, load};
use crate::error::{Error, Fault};
use crate::ident::{TenantId, UserId};
use crate::permission::Permission;
use crate::policy::Policy;
use crate::version::SubjectVersion;

/// Keeps what [`load`] has loaded, and asks the database each time whether it is still so.
///
/// What it gives was true when the database answered, as with [`load`]: the saving is that one row is read instead of all that a
/// person has. It keeps nothing for a time; an authority is the cached one if, and only if, its version is that of the database
/// and nothing of it has expired since. It belongs to one policy: with a new policy make a new cache.
#[derive(Debug)]
pub struct ActorCache<P: Permission> {
    policy: Policy<P>,
    capacity: NonZeroUsize,
    people: Mutex<HashMap<(TenantId, UserId), Loaded<P>>>,
}

const VERSION: &str = "
    SELECT c.tenant_id AS tenant, statement_timestamp() AS at,
        (SELECT v.version FROM stockade.rbac_subject_version v WHERE v.tenant_id = c.tenant_id AND v.user_id = $1) AS version
    FROM stockade.current_tenant c";

impl<P: Permission> ActorCache<P> {
    /// A cache of at most `capacity` people.
    #[must_use]
    pub fn new(policy: Policy<P>, capacity: NonZeroUsize) -> Self {
        Self { policy, capacity, people: Mutex::new(HashMap::new()) }
    }

    /// As [`load`]: one query if the person is here and unchanged, two if not.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub async fn load<E>(&self, tx: &mut E, user: impl Into<UserId>) -> Result<Option<Loaded<P>>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let user = user.into();
        let row = sqlx::query(VERSION).bind(user.as_uuid()).fetch_one(&mut *tx).await?;
        let tenant = row.try_get::<Option<Uuid>, _>("tenant")?.ok_or(Fault::NoTenant)?.into();
        let version = row.try_get::<Option<i64>, _>("version")?.map(SubjectVersion::from);
        if let Some(kept) = self.kept((tenant, user), version, row.try_get("at")?) {
            return Ok(Some(kept));
        }
        let loaded = load(&mut *tx, &self.policy, user).await?;
        self.keep((tenant, user), loaded.as_ref());
        Ok(loaded)
    }

    /// What this cache has of a person, of whatever age: to guess the context of a transaction in which [`load`](Self::load) then says
    /// whether it still holds. A decision must not be made on it.
    #[must_use]
    pub fn recall(&self, tenant: impl Into<TenantId>, user: impl Into<UserId>) -> Option<Loaded<P>> {
        self.people().get(&(tenant.into(), user.into())).cloned()
    }

    fn kept(&self, who: (TenantId, UserId), version: Option<SubjectVersion>, at: DateTime<Utc>) -> Option<Loaded<P>> {
        let people = self.people();
        let kept = people.get(&who)?;
        let unchanged = version.is_some() && kept.subject_version() == version;
        (unchanged && kept.valid_until().is_none_or(|until| at < until)).then(|| kept.clone())
    }

    fn keep(&self, who: (TenantId, UserId), loaded: Option<&Loaded<P>>) {
        let mut people = self.people();
        people.remove(&who);
        let Some(loaded) = loaded else { return };
        if people.len() >= self.capacity.get()
            && let Some(any) = people.keys().next().copied()
        {
            people.remove(&any);
        }
        people.insert(who, loaded.clone());
    }

    fn people(&self) -> MutexGuard<'_, HashMap<(TenantId, UserId), Loaded<P>>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Inviting people, and coming in by an invitation.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::postgres::PgRow;
use sqlx::{Executor, Postgres, Row as _, query, query_scalar};
use uuid::Uuid;

use super::Members;
use super::granting::{Granting, record};
use super::roles::{admission, assignment, ends_later};
use super::turn::Turn;
use crate::guard::{Change, Target};
use crate::ident::UserId;
use crate::permission::Permission;
use crate::postgres::changed::{Action, Changed};
use crate::postgres::facts::Here;
use crate::postgres::invitation::{Email, Fate, Invitation, InvitationToken};
use crate::postgres::loading::Loaded;
use crate::postgres::refused::{Answer, Refused, answer};
use crate::postgres::standing::Status;
use crate::reason::Reason;

const INVITE: &str = "
    INSERT INTO stockade.rbac_invitation
        (tenant_id, invitation_id, token_hash, email, role, reason, invited_by, invited_at, expires_at)
    SELECT c.tenant_id, $1, $2, $3, $4, $5, $6, statement_timestamp(), $7 FROM stockade.current_tenant c";
const FIND: &str = "
    SELECT i.invitation_id, i.email, i.role, i.reason, i.invited_by, i.invited_at, i.expires_at, i.accepted_by, i.accepted_at,
        i.revoked_by, i.revoked_at
    FROM stockade.rbac_invitation i
    WHERE i.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND i.invitation_id = $1";
const ACCEPT: &str = "
    UPDATE stockade.rbac_invitation i SET accepted_by = $2, accepted_at = statement_timestamp() FROM stockade.current_tenant c
    WHERE i.tenant_id = c.tenant_id AND i.invitation_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL";
const WITHDRAW: &str = "
    UPDATE stockade.rbac_invitation i SET revoked_by = $2, revoked_at = statement_timestamp() FROM stockade.current_tenant c
    WHERE i.tenant_id = c.tenant_id AND i.invitation_id = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL";

impl<P: Permission, E: ?Sized> Granting<'_, P, E>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    /// Invites the holder of an address, with a role, until a moment. Gives the record and the token, which goes into the link: 64
    /// characters of base64url. It is not stored, and cannot be had again.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn invite(
        &mut self,
        email: Email,
        role: &str,
        reason: Reason,
        until: DateTime<Utc>,
    ) -> Answer<(Invitation, SecretString)> {
        answer(async {
            let seen = self.see(Turn::Authority, Uuid::nil().into()).await?;
            self.guard(&seen, &Change::Assign(role)).await?;
            let Here { tenant, at, .. } = seen.target.here;
            ends_later(Some(until), at)?;
            let token = InvitationToken::generate(tenant)?;
            let invitation = Invitation {
                id: Uuid::now_v7(),
                tenant,
                email,
                role: role.to_owned(),
                invited_by: self.user(),
                invited_at: at,
                reason,
                expires_at: until,
                fate: Fate::Open,
            };
            let statement = query(INVITE).bind(invitation.id).bind(token.hash()).bind(invitation.email.as_str());
            let statement = statement.bind(role).bind(invitation.reason.as_str()).bind(self.user().as_uuid());
            statement.bind(until).execute(&mut *self.tx).await?;
            Ok((invitation, token.text()))
        })
        .await
    }

    /// Withdraws an invitation, whoever made it. Gives it as it is now.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn withdraw(&mut self, invitation: Uuid) -> Answer<Invitation> {
        answer(async {
            let seen = self.see(Turn::Authority, Uuid::nil().into()).await?;
            let mut invitation =
                find(&mut *self.tx, seen.target.here, invitation).await?.ok_or(Refused::NoSuchInvitation)?;
            self.guard(&seen, &Change::Revoke(&invitation.role)).await?;
            invitation.open()?;
            query(WITHDRAW).bind(invitation.id).bind(self.user().as_uuid()).execute(&mut *self.tx).await?;
            invitation.fate = Fate::Withdrawn { by: self.user(), at: seen.target.here.at };
            Ok(invitation)
        })
        .await
    }
}

impl<P: Permission> Members<P> {
    /// Makes a person a member by an invitation, in a transaction of the tenant that [`invited_to`](crate::postgres::invited_to) names.
    /// `email` is an address that the person has proven to hold.
    ///
    /// It works once. Whoever invited has to be able to give the role at this moment still, and with all roles at once: roles that the
    /// policy does not let be active together give nothing here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind`](crate::ErrorKind)`::InvalidToken`, `Database`, `NotSynced` or `NoTransaction`.
    pub async fn accept<E>(
        &self,
        tx: &mut E,
        token: &SecretString,
        person: impl Into<UserId>,
        email: &Email,
    ) -> Answer<Changed>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        answer(async {
            let (person, hash) = (person.into(), InvitationToken::parse(token)?.hash());
            let opens = query_scalar::<_, Option<Uuid>>("SELECT stockade.rbac_invitation_of($1)");
            let id = opens.bind(hash).fetch_one(&mut *tx).await?.ok_or(Refused::NoSuchInvitation)?;
            // Who invited does not change, so it can be read before the turn; everything else is read in it.
            let of = "SELECT i.invited_by FROM stockade.rbac_invitation i
                WHERE i.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND i.invitation_id = $1";
            let inviter = query_scalar::<_, Uuid>(of).bind(id).fetch_optional(&mut *tx).await?;
            let inviter = inviter.ok_or(Refused::NoSuchInvitation)?.into();
            let [granter, target] = Turn::Authority.take(&mut *tx, &self.policy, [inviter, person]).await?;
            let here = target.here;
            let invitation = find(&mut *tx, here, id).await?.ok_or(Refused::NoSuchInvitation)?;
            invitation.open()?;
            if invitation.expires_at <= here.at {
                return Err(Refused::InvitationExpired.into());
            }
            if invitation.email != *email {
                return Err(Refused::OtherAddress.into());
            }
            if target.standing.status.is_some() {
                return Err(Refused::AlreadyMember.into());
            }
            if granter.standing.status != Some(Status::Active) {
                return Err(Refused::GranterNotActive.into());
            }
            // The second factor was shown when the invitation was made.
            let granter = Loaded::of(&self.policy, &granter).actor().multi_factor().build();
            let newcomer = Loaded::of(&self.policy, &target).build();
            granter.granting(self.manage).check(&Target::new(&newcomer), &Change::Assign(&invitation.role))?;

            if query(ACCEPT).bind(id).bind(person.as_uuid()).execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(Refused::InvitationUsed.into());
            }
            admission(person).execute(&mut *tx).await?;
            assignment(person, &invitation.role, inviter, &invitation.reason, None).execute(&mut *tx).await?;
            let reason = invitation.reason.clone();
            Ok(record(tx, inviter, target, Action::Accept { invitation: Box::new(invitation) }, reason).await?)
        })
        .await
    }
}

async fn find<E>(tx: &mut E, here: Here, id: Uuid) -> sqlx::Result<Option<Invitation>>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let row = query(FIND).bind(id).fetch_optional(tx).await?;
    row.map(|row| Invitation::of(here, &row)).transpose()
}

impl Invitation {
    pub(super) fn of(here: Here, row: &PgRow) -> sqlx::Result<Self> {
        let end = |by, at| -> sqlx::Result<Option<(UserId, DateTime<Utc>)>> {
            let by = row.try_get::<Option<Uuid>, _>(by)?.map(UserId::from);
            Ok(by.zip(row.try_get(at)?))
        };
        let fate = match (end("accepted_by", "accepted_at")?, end("revoked_by", "revoked_at")?) {
            (Some((by, at)), _) => Fate::Accepted { by, at },
            (None, Some((by, at))) => Fate::Withdrawn { by, at },
            (None, None) => Fate::Open,
        };
        Ok(Self {
            id: row.try_get("invitation_id")?,
            tenant: here.tenant,
            email: Email::stored(row.try_get("email")?),
            role: row.try_get("role")?,
            invited_by: row.try_get::<Uuid, _>("invited_by")?.into(),
            invited_at: row.try_get("invited_at")?,
            reason: Reason::stored(row.try_get("reason")?),
            expires_at: row.try_get("expires_at")?,
            fate,
        })
    }

    fn open(&self) -> Result<(), Refused> {
        match self.fate {
            Fate::Open => Ok(()),
            Fate::Accepted { .. } => Err(Refused::InvitationUsed),
            Fate::Withdrawn { .. } => Err(Refused::InvitationWithdrawn),
        }
    }
}

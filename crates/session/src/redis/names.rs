//! Under which names things are in Redis: keyed hashes, so that they tell nothing and nobody else can make them.

use hmac::Mac;
use uuid::Uuid;

use crate::{
    id::{SessionId, TenantId, UserId},
    key::{HmacSha256, KeyRing, Purpose},
    session::Scope,
    store::{Digest, SessionRecord},
};

/// A key in Redis without its prefix.
pub(super) type Name = [u8; 16];

/// What a change is about. Its stamp dates what is kept of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    /// What is kept under a token.
    Token(Digest),
    /// A session, whatever its token.
    Session(SessionId),
    /// All sessions of a scope.
    All(Scope),
}

/// Makes names with each key of a ring.
pub(super) struct Names(Vec<HmacSha256>);

impl Names {
    pub(super) fn new(keys: &KeyRing) -> Self {
        Self(keys.macs(Purpose::Cache))
    }

    /// The mac of the active key, which makes the names of entries and seals them.
    pub(super) fn active(&self) -> Option<&HmacSha256> {
        self.0.first()
    }

    /// The names of a subject under every key: processes that are not as far in a rotation of keys use another one.
    pub(super) fn all(&self, subject: Subject) -> impl Iterator<Item = Name> {
        self.0.iter().map(move |mac| name(mac, subject))
    }
}

/// The four subjects whose changes concern a session.
pub(super) fn subjects(record: &SessionRecord) -> [Subject; 4] {
    let all = [Scope::User(record.user), Scope::Tenant(record.tenant), Scope::Global].map(Subject::All);
    let [user, tenant, global] = all;
    [Subject::Session(record.sid), user, tenant, global]
}

pub(super) fn name(mac: &HmacSha256, subject: Subject) -> Name {
    let tagged = |kind: u8, id: &[u8]| mac.clone().chain_update([kind]).chain_update(id).finalize().into_bytes();
    let of = |kind, id: Uuid| tagged(kind, id.as_bytes());
    let bytes: [u8; 32] = match subject {
        Subject::Token(digest) => tagged(b'd', digest.as_bytes()),
        Subject::Session(sid) => of(b's', sid.as_uuid()),
        Subject::All(Scope::User(user)) => of(b'u', UserId::as_uuid(user)),
        Subject::All(Scope::Tenant(tenant)) => of(b't', TenantId::as_uuid(tenant)),
        Subject::All(Scope::Global) => of(b'g', Uuid::nil()),
    }
    .into();
    let (short, _) = bytes.split_at(16);
    short.try_into().unwrap_or_default()
}

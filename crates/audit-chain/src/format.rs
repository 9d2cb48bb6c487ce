#![doc = include_str!("../docs/format.md")]

/// The number of the format that this page describes.
pub const FORMAT: u16 = 1;

/// The longest envelope, in bytes. Recording refuses a longer one, so verification needs memory for
/// a bounded number of them.
pub const MAX_ENVELOPE: usize = 1 << 20;

pub(crate) const ENTRY_DOMAIN: &[u8] = b"audit-chain/v1/entry\0";
pub(crate) const FIELD_DOMAIN: &[u8] = b"audit-chain/v1/field\0";
pub(crate) const LINK_DOMAIN: &[u8] = b"audit-chain/v1/link\0";
pub(crate) const GENESIS_DOMAIN: &[u8] = b"audit-chain/v1/genesis\0";
#[cfg(feature = "checkpoint")]
pub(crate) const HEAD_DOMAIN: &[u8] = b"audit-chain/v1/tenant-head\0";
#[cfg(feature = "checkpoint")]
pub(crate) const SNAPSHOT_DOMAIN: &[u8] = b"audit-chain/v1/snapshot\0";
pub(crate) const ERASED_DOMAIN: &[u8] = b"audit-chain/v1/erased\0";
pub(crate) const PURGED_DOMAIN: &[u8] = b"audit-chain/v1/purged\0";

/// The tags of the fields of an envelope. A number is never used again for something else.
pub mod tag {
    /// The entry's id: 16 bytes, a UUIDv7 of `RECORDED_AT`.
    pub const ENTRY_ID: u16 = 0x01;
    /// The tenant: 16 bytes.
    pub const TENANT: u16 = 0x02;
    /// When the entry was written: milliseconds since 1970-01-01 UTC, `i64`.
    pub const RECORDED_AT: u16 = 0x03;
    /// When the action happened, if the caller said so: milliseconds since 1970-01-01 UTC, `i64`.
    pub const OCCURRED_AT: u16 = 0x04;
    /// What was done: UTF-8.
    pub const ACTION: u16 = 0x05;
    /// Severity: one byte, 0 to 3.
    pub const SEVERITY: u16 = 0x06;
    /// Outcome: `success`, `failure` or `denied`.
    pub const OUTCOME: u16 = 0x07;
    /// Kind of the actor: `user`, `service`, `api_token` or `system`.
    pub const ACTOR_KIND: u16 = 0x10;
    /// Id of the actor: UTF-8.
    pub const ACTOR_ID: u16 = 0x11;
    /// Role of the actor: UTF-8.
    pub const ACTOR_ROLE: u16 = 0x12;
    /// Display name of the actor. Only inside commitments.
    pub const ACTOR_NAME: u16 = 0x13;
    /// Id of the party whose rights the actor used: UTF-8.
    pub const ON_BEHALF_OF: u16 = 0x14;
    /// Id of the impersonation grant: UTF-8.
    pub const IMPERSONATION: u16 = 0x15;
    /// Type of the entity: UTF-8.
    pub const ENTITY_TYPE: u16 = 0x20;
    /// Id of the entity: UTF-8.
    pub const ENTITY_ID: u16 = 0x21;
    /// Client address. Only inside commitments.
    pub const IP: u16 = 0x30;
    /// User agent. Only inside commitments.
    pub const USER_AGENT: u16 = 0x31;
    /// HTTP method: UTF-8.
    pub const METHOD: u16 = 0x32;
    /// Route template: UTF-8.
    pub const ENDPOINT: u16 = 0x33;
    /// HTTP status: `u16`.
    pub const STATUS: u16 = 0x34;
    /// Request id: UTF-8.
    pub const REQUEST_ID: u16 = 0x35;
    /// State before: JSON, personal values replaced by `null`. Also the tag of those values inside
    /// commitments.
    pub const BEFORE: u16 = 0x40;
    /// State after: as `BEFORE`.
    pub const AFTER: u16 = 0x41;
    /// What changed: a JSON array of JSON Pointers.
    pub const CHANGES: u16 = 0x42;
    /// The commitments: `(path length u16 ‖ path ‖ commitment[32])*`, paths ascending.
    pub const COMMITMENTS: u16 = 0x50;
}

/// The path of the actor's name among the commitments.
pub(crate) const NAME_PATH: &str = "actor/name";
/// The path of the client's address.
pub(crate) const IP_PATH: &str = "request/ip";
/// The path of the user agent.
pub(crate) const USER_AGENT_PATH: &str = "request/user_agent";
/// What precedes the JSON Pointer of a personal value of the state before.
pub(crate) const BEFORE_PATH: &str = "before";
/// What precedes the JSON Pointer of a personal value of the state after.
pub(crate) const AFTER_PATH: &str = "after";

/// The tag under which the value at a path is committed to; `None` for a path that format 1 does
/// not have.
pub(crate) fn tag_of_path(path: &str) -> Option<u16> {
    let pointer_below =
        |root| path.strip_prefix(root).is_some_and(|pointer: &str| pointer.is_empty() || pointer.starts_with('/'));
    match path {
        NAME_PATH => Some(tag::ACTOR_NAME),
        IP_PATH => Some(tag::IP),
        USER_AGENT_PATH => Some(tag::USER_AGENT),
        _ if pointer_below(BEFORE_PATH) => Some(tag::BEFORE),
        _ if pointer_below(AFTER_PATH) => Some(tag::AFTER),
        _ => None,
    }
}

/// Reads the value of `IP` inside a commitment.
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "bundle"))]
pub(crate) fn address(value: &[u8]) -> Option<std::net::IpAddr> {
    match value.split_first()? {
        (4, address) => <[u8; 4]>::try_from(address).ok().map(Into::into),
        (6, address) => <[u8; 16]>::try_from(address).ok().map(Into::into),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! The persistence of API tokens.

use std::{fmt, future::Future, net::IpAddr};

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::{Digest, erased::erase};
use crate::{
    error::Result,
    id::{ApiTokenId, TenantId, UserId},
    session::Scope,
};

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenRecord {
    /// The public name, unique.
    pub id: ApiTokenId,
    /// The owner.
    pub user: UserId,
    /// The tenant of the owner's account.
    pub tenant: TenantId,
    /// What the owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Vec<String>,
    /// Where it may be used from; everywhere if empty.
    pub networks: Vec<IpNet>,
    /// The name by which a token of another system is found, unique.
    pub legacy_lookup: Option<String>,
    /// What its secret is compared with.
    pub verifier: ApiTokenVerifier,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The last recorded use.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The address of that use.
    pub last_used_ip: Option<IpAddr>,
    /// The networks that it was used from, the newest last.
    pub seen: Vec<IpNet>,
    /// The token that takes its place.
    pub rotated_to: Option<ApiTokenId>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What the secret of an API token is compared with.
#[derive(Clone, PartialEq, Eq)]
pub enum ApiTokenVerifier {
    /// An HMAC under the key of the ring with this id.
    Keyed {
        /// The key.
        key: u8,
        /// The HMAC.
        digest: Digest,
    },
    /// A bcrypt hash from another system.
    LegacyBcrypt(String),
}

/// How to find an API token.
#[derive(Clone, Copy)]
pub enum ApiTokenLookup<'a> {
    /// By its public name.
    Id(ApiTokenId),
    /// By the name that another system gave it.
    Legacy(&'a str),
}

/// An API token in whatever state, and whether its owner's account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundApiToken {
    /// The token.
    pub token: ApiTokenRecord,
    /// Whether the owner has an account in the token's tenant that may be used.
    pub owner_is_active: bool,
}

/// What a rotation puts in a token's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTokenSuccessor {
    /// Its public name.
    pub id: ApiTokenId,
    /// What its secret is compared with.
    pub verifier: ApiTokenVerifier,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The part of a [`Store`](super::Store) that keeps API tokens.
///
/// `within` is whose tokens a change may reach: one of another user or tenant is as if it were not there. Tokens have no version:
/// [`bump_version`](super::Store::bump_version) does not end them.
pub trait ApiTokenStore: Send + Sync + 'static {
    /// Adds a token. False if its id or its legacy look-up name is there, or if its owner has no active account in its tenant.
    fn insert_api_token(&self, token: &ApiTokenRecord) -> impl Future<Output = Result<bool>> + Send;

    /// A token in whatever state, expired and revoked ones too. One query.
    fn api_token(&self, by: ApiTokenLookup<'_>) -> impl Future<Output = Result<Option<FoundApiToken>>> + Send;

    /// The tokens that are not revoked, expired ones too, newest first.
    fn api_tokens(&self, within: Scope) -> impl Future<Output = Result<Vec<ApiTokenRecord>>> + Send;

    /// Sets the last use if it is at or before `unless_after`, or was never, and the token is not revoked.
    fn touch_api_token(
        &self,
        id: ApiTokenId,
        now: DateTime<Utc>,
        ip: IpAddr,
        unless_after: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Adds a network to those that the token was used from, and forgets the oldest beyond `most`. False if it is there already or
    /// the token is revoked: of simultaneous calls one is true.
    fn note_api_token_network(
        &self,
        id: ApiTokenId,
        network: IpNet,
        most: usize,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Replaces the verifier if it is still `old` and the token is not revoked.
    fn replace_api_token_verifier(
        &self,
        id: ApiTokenId,
        old: &ApiTokenVerifier,
        new: &ApiTokenVerifier,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Adds a successor with the owner, name, scopes and networks of a token that is neither revoked nor expired nor rotated and whose
    /// owner is active; notes it as the token's `rotated_to` and makes the token end at `old_ends`, if it does not earlier. All at
    /// once; of simultaneous calls one finds it. The successor has no legacy look-up name.
    fn rotate_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        successor: &ApiTokenSuccessor,
        old_ends: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ApiTokenRecord>>> + Send;

    /// Replaces the scopes of a token that is not revoked, if all of `scopes` are among them.
    fn narrow_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        scopes: &[String],
    ) -> impl Future<Output = Result<Option<ApiTokenRecord>>> + Send;

    /// Revokes a token for good. Nothing if there is none or it was revoked before.
    fn revoke_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ApiTokenRecord>>> + Send;

    /// Revokes every token that is not, and counts them.
    fn revoke_api_tokens(&self, within: Scope, now: DateTime<Utc>) -> impl Future<Output = Result<u64>> + Send;
}

erase! {
    trait ErasedApiTokenStore(ApiTokenStore);
    fn insert_api_token(token: &'a ApiTokenRecord) -> bool;
    fn api_token(by: ApiTokenLookup<'a>) -> Option<FoundApiToken>;
    fn api_tokens(within: Scope) -> Vec<ApiTokenRecord>;
    fn touch_api_token(id: ApiTokenId, now: DateTime<Utc>, ip: IpAddr, unless_after: DateTime<Utc>) -> bool;
    fn note_api_token_network(id: ApiTokenId, network: IpNet, most: usize) -> bool;
    fn replace_api_token_verifier(id: ApiTokenId, old: &'a ApiTokenVerifier, new: &'a ApiTokenVerifier) -> bool;
    fn rotate_api_token(
        within: Scope, id: ApiTokenId, successor: &'a ApiTokenSuccessor, old_ends: DateTime<Utc>, now: DateTime<Utc>
    ) -> Option<ApiTokenRecord>;
    fn narrow_api_token(within: Scope, id: ApiTokenId, scopes: &'a [String]) -> Option<ApiTokenRecord>;
    fn revoke_api_token(within: Scope, id: ApiTokenId, now: DateTime<Utc>) -> Option<ApiTokenRecord>;
    fn revoke_api_tokens(within: Scope, now: DateTime<Utc>) -> u64;
}

impl fmt::Debug for ApiTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyed { key, .. } => f.debug_struct("Keyed").field("key", key).finish_non_exhaustive(),
            Self::LegacyBcrypt(_) => f.write_str("LegacyBcrypt(..)"),
        }
    }
}

impl fmt::Debug for ApiTokenLookup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.debug_tuple("Id").field(id).finish(),
            Self::Legacy(_) => f.write_str("Legacy(..)"),
        }
    }
}

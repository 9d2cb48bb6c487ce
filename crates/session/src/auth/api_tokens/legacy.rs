//! Tokens that another system made, known by a password hash of their secret.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{ApiTokens, authenticate::Proof};
use crate::{
    api_token::{ApiToken, LegacyApiToken, NewApiToken},
    client::ClientInfo,
    error::{Error, Result},
    id::ApiTokenId,
    password::Verdict,
    store::{ApiTokenLookup, ApiTokenVerifier},
};

impl ApiTokens<'_> {
    /// Takes over a token of another system, which goes on under its old text. The first use replaces the hash with an HMAC, and a
    /// [`rotation`](Self::rotate) the text.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create); `InvalidInput` also unless the look-up name has 1 to 200 characters and no control
    /// characters, or if the hash is of no known kind or asks for more work than the ceilings allow; `Conflict` if another token has it.
    pub async fn import(&self, new: NewApiToken, legacy: LegacyApiToken<'_>) -> Result<ApiToken> {
        let name = legacy.lookup;
        if !(1..=200).contains(&name.chars().count()) || name.contains(char::is_control) {
            return Err(Error::invalid(
                "the look-up name of a token has 1 to 200 characters and no control characters",
            ));
        }
        if !self.0.pool.can_verify(legacy.hash) {
            return Err(Error::invalid("the hash is of no known kind, or asks for too much work"));
        }
        if self.0.store.api_token(ApiTokenLookup::Legacy(name)).await?.is_some() {
            return Err(Error::conflict("another token has this look-up name"));
        }
        let id = ApiTokenId::generate(self.0.now())?;
        let verifier = ApiTokenVerifier::LegacyHash(legacy.hash.to_owned());
        self.insert(new, id, verifier, Some(name.to_owned())).await
    }

    /// As [`authenticate`](Self::authenticate), for the texts of another system: the application takes them apart into the look-up
    /// name and the secret that was hashed. Until a token was used for the first time this computes its hash, on the threads of the
    /// hash pool; a wrong secret costs as much each time, so put a rate limit in front.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the hash pool is full; `Configuration` without an [`ApiTokenPolicy`](crate::ApiTokenPolicy); `Store`.
    pub async fn authenticate_legacy(
        &self,
        lookup: &str,
        secret: SecretString,
        client: &ClientInfo,
    ) -> Result<Option<ApiToken>> {
        self.policy()?;
        let found = self.0.store.api_token(ApiTokenLookup::Legacy(lookup)).await?;
        // No prefix has a NUL, so no other token has this body.
        let body = [b"legacy\0", lookup.as_bytes(), b"\0", secret.expose_secret().as_bytes()].concat();
        let body = Zeroizing::new(body);
        let proof = match found.as_ref().map(|found| &found.token.verifier) {
            Some(ApiTokenVerifier::LegacyHash(hash)) => {
                let verdict = self.0.pool.verify(secret, Some(hash.clone())).await?;
                let right = matches!(verdict, Verdict::Match | Verdict::MatchOutdated);
                if right { Proof::Right } else { Proof::Wrong }
            }
            Some(keyed) => self.prove(keyed, &body),
            None => Proof::Wrong,
        };
        self.admit(found, proof, &body, client).await
    }
}

//! API tokens from their making to their end.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{
    ApiToken, ApiTokenId, ApiTokenRefusal, ClientInfo, ErrorKind, IssuedApiToken, KeyRing, LegacyApiToken, NewApiToken,
    Scope, SecurityEvent, Severity, Store, TokenLife,
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    a_token_works_until_it_is_revoked
    an_unknown_scope_makes_no_token
    a_token_ends_when_it_says
    a_token_is_bound_to_its_networks
    a_token_that_does_not_fit_is_refused_without_a_query
    a_wrong_secret_is_refused_and_reported
    a_revoked_token_raises_a_warning_only_with_its_secret
    a_new_network_raises_a_warning
    uses_are_written_once_a_minute
    a_rotated_token_overlaps_for_as_long_as_was_said
    revoking_sessions_leaves_tokens_and_the_reverse
    another_key_takes_tokens_over
    a_token_of_another_system_is_taken_over_at_its_first_use
    a_bcrypt_token_is_taken_over_at_its_first_use
    a_bcrypt_token_counts_whole_after_its_first_use
    simultaneous_first_uses_of_a_bcrypt_token_all_succeed
}

fn new(scopes: &[&str]) -> NewApiToken {
    NewApiToken::new(user(), "nightly export", scopes.iter().copied())
}

async fn issue(desk: &Desk) -> IssuedApiToken {
    desk.auth.api_tokens().create(new(&["loads:write", "loads:read", "loads:read"])).await.unwrap()
}

async fn answer(desk: &Desk, text: &str, client: &ClientInfo) -> Option<ApiToken> {
    desk.auth.api_tokens().authenticate(text, client).await.unwrap()
}

/// The reason of the one refusal among the events, and its severity.
fn refusal(desk: &Desk) -> (ApiTokenRefusal, Severity) {
    let events = desk.events.take();
    match &events[..] {
        [event @ SecurityEvent::ApiTokenRefused { reason, .. }] => (*reason, event.severity()),
        other => panic!("{other:?}"),
    }
}

async fn a_token_works_until_it_is_revoked<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = issue(&desk).await;
    let token = issued.token().clone();
    assert_eq!((token.user, token.tenant, &*token.name), (user(), tenant(), "nightly export"));
    assert_eq!(token.scopes, ["loads:read", "loads:write"]);
    assert_eq!(token.expires_at, Some(start() + TimeDelta::days(90)));
    assert!(!format!("{issued:?}").contains("acme_"));
    let text = issued.reveal();
    let seen = answer(&desk, &text, &client()).await.unwrap();
    assert_eq!((seen.id, seen.scopes), (token.id, token.scopes));
    assert_eq!(desk.auth.api_tokens().list(user()).await.unwrap()[0].last_used_ip, Some(client().ip));

    desk.events.take();
    assert!(desk.auth.api_tokens().revoke(user(), token.id).await.unwrap());
    assert!(!desk.auth.api_tokens().revoke(user(), token.id).await.unwrap());
    assert!(matches!(desk.events.take()[..], [SecurityEvent::ApiTokenRevoked { id, .. }] if id == token.id));
    assert!(answer(&desk, &text, &client()).await.is_none());
    assert!(desk.auth.api_tokens().list(user()).await.unwrap().is_empty());
}

async fn an_unknown_scope_makes_no_token<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let tokens = desk.auth.api_tokens();
    for bad in [
        new(&["loads:read", "loads:delete"]),
        new(&[]),
        NewApiToken::new(user(), "", ["loads:read"]),
        NewApiToken::new(user(), "a\nb", ["loads:read"]),
        new(&["loads:read"]).life(TokenLife::For(Duration::ZERO)),
        new(&["loads:read"]).networks(vec!["10.0.0.0/8".parse().unwrap(); 33]),
    ] {
        assert_eq!(tokens.create(bad).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let nobody = NewApiToken::new(Uuid::from_u128(9).into(), "x", ["loads:read"]);
    assert_eq!(tokens.create(nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(tokens.list(Scope::Global).await.unwrap().is_empty());

    let issued = issue(&desk).await;
    let id = issued.token().id;
    assert!(tokens.narrow(user(), id, ["drivers:read"]).await.unwrap().is_none(), "not wider");
    assert!(tokens.narrow(user(), id, [""; 0]).await.is_err(), "not empty");
    assert_eq!(tokens.narrow(user(), id, ["loads:read"]).await.unwrap().unwrap().scopes, ["loads:read"]);
    assert!(tokens.narrow(user(), id, ["loads:read", "loads:write"]).await.unwrap().is_none());
    assert_eq!(answer(&desk, &issued.reveal(), &client()).await.unwrap().scopes, ["loads:read"]);
}

async fn a_token_ends_when_it_says<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let tokens = desk.auth.api_tokens();
    let usual = issue(&desk).await.reveal();
    let endless = tokens.create(new(&["loads:read"]).life(TokenLife::Never)).await.unwrap().reveal();
    desk.advance(TimeDelta::days(90) - TimeDelta::microseconds(1));
    assert!(answer(&desk, &usual, &client()).await.is_some());
    desk.advance(TimeDelta::microseconds(1));
    desk.events.take();
    assert!(answer(&desk, &usual, &client()).await.is_none());
    assert_eq!(refusal(&desk), (ApiTokenRefusal::Expired, Severity::Info));
    desk.advance(TimeDelta::days(36_500));
    assert!(answer(&desk, &endless, &client()).await.is_some());
}

async fn a_token_is_bound_to_its_networks<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    // The host part of the first one is dropped.
    let networks = ["203.0.113.9/28", "2001:db8:1::/48"].map(|net| net.parse().unwrap());
    let token = desk.auth.api_tokens().create(new(&["loads:read"]).networks(networks)).await.unwrap();
    assert_eq!(token.token().networks[0].to_string(), "203.0.113.0/28");
    let text = token.reveal();
    for (ip, inside) in [
        ("203.0.113.15", true),
        ("::ffff:203.0.113.15", true), // the same address on a dual-stack socket
        ("203.0.113.16", false),
        ("2001:db8:1::7", true),
        ("2001:db8:2::7", false),
        ("::203.0.113.15", false),
        ("127.0.0.1", false),
    ] {
        desk.events.take();
        assert_eq!(answer(&desk, &text, &from(ip)).await.is_some(), inside, "{ip}");
        if !inside {
            assert_eq!(refusal(&desk), (ApiTokenRefusal::Network, Severity::Warning));
        }
    }
}

async fn a_token_that_does_not_fit_is_refused_without_a_query<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let text = issue(&desk).await.reveal();
    desk.events.take();
    let other_prefix = Desk::with(stockade_session::MemoryStore::default(), |builder| {
        builder.api_tokens(stockade_session::ApiTokenPolicy::new("acme_test", |_| true).unwrap())
    });
    assert!(answer(&other_prefix, &text, &client()).await.is_none());
    assert!(other_prefix.events.take().is_empty(), "not even looked up");
    for position in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(answer(&desk, &changed, &client()).await.is_none(), "{position}");
    }
    for garbage in ["", "acme_", " ", "acme__", "null", "\u{1F512}", text.split_at(1).1, &format!("{} ", *text)] {
        assert!(answer(&desk, garbage, &client()).await.is_none(), "{garbage}");
    }
    assert!(desk.events.take().is_empty());
}

/// The texts of two tokens, with the ids swapped and the check values made right.
fn forged(a: &str, b: &str) -> String {
    let (head, _) = a.rsplit_once('_').unwrap();
    let (_, secret) = b.rsplit_once('_').unwrap();
    let body = format!("{head}_{}", secret.split_at(43).0);
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = usize::try_from(crc32fast::hash(body.as_bytes())).unwrap();
    let mut check = Vec::new();
    for _ in 0..6 {
        check.insert(0, digits[number % 62]);
        number /= 62;
    }
    body + str::from_utf8(&check).unwrap()
}

async fn a_wrong_secret_is_refused_and_reported<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (a, b) = (issue(&desk).await.reveal(), issue(&desk).await);
    let b_id = b.token().id;
    let b = b.reveal();
    desk.events.take();
    assert_eq!(forged(&a, &a), *a, "the forger makes right check values");
    assert!(answer(&desk, &forged(&a, &b), &client()).await.is_none());
    assert_eq!(refusal(&desk), (ApiTokenRefusal::WrongSecret, Severity::Warning));
    desk.auth.api_tokens().revoke(Scope::Global, b_id).await.unwrap();
    let unknown = Desk::new(stockade_session::MemoryStore::default());
    assert!(answer(&unknown, &a, &client()).await.is_none());
    assert_eq!(refusal(&unknown), (ApiTokenRefusal::Unknown, Severity::Info));
}

async fn a_revoked_token_raises_a_warning_only_with_its_secret<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (token, other) = (issue(&desk).await, issue(&desk).await.reveal());
    let id = token.token().id;
    let text = token.reveal();
    desk.auth.api_tokens().revoke(tenant(), id).await.unwrap();
    desk.advance(TimeDelta::days(91)); // expired too
    desk.events.take();
    assert!(answer(&desk, &text, &client()).await.is_none());
    assert_eq!(refusal(&desk), (ApiTokenRefusal::Revoked, Severity::Warning));
    assert!(answer(&desk, &forged(&text, &other), &client()).await.is_none());
    assert_eq!(refusal(&desk).0, ApiTokenRefusal::WrongSecret);
}

async fn a_new_network_raises_a_warning<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let text = issue(&desk).await.reveal();
    desk.events.take();
    for (ip, warned) in [
        ("203.0.113.7", false), // the first one
        ("203.0.113.7", false),
        ("203.0.113.8", true),
        ("203.0.113.7", false),
        ("2001:db8::1", true),
        ("2001:db8::2", false), // the same /64
        ("2001:db8:0:1::2", true),
    ] {
        assert!(answer(&desk, &text, &from(ip)).await.is_some());
        let events = desk.events.take();
        assert_eq!(matches!(events[..], [SecurityEvent::ApiTokenNewNetwork { .. }]), warned, "{ip}: {events:?}");
        assert!(events.iter().all(|event| event.severity() == Severity::Warning));
    }
}

async fn uses_are_written_once_a_minute<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let text = issue(&desk).await.reveal();
    let recorded = async || desk.auth.api_tokens().list(user()).await.unwrap()[0].last_used_at;
    assert_eq!(recorded().await, None);
    for (advance, expected) in [(0, 0), (59, 0), (1, 60), (59, 60), (1, 120)] {
        desk.advance(TimeDelta::seconds(advance));
        assert!(answer(&desk, &text, &client()).await.is_some());
        assert_eq!(recorded().await, Some(start() + TimeDelta::seconds(expected)));
    }
}

async fn a_rotated_token_overlaps_for_as_long_as_was_said<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let token = issue(&desk).await;
    let id = token.token().id;
    let old = token.reveal();
    let rotate = async |id, overlap| {
        let overlap = Duration::from_secs(overlap);
        desk.auth.api_tokens().rotate(user(), id, TokenLife::default(), overlap).await
    };
    assert!(rotate(id, 31 * 86_400).await.is_err());
    let new = rotate(id, 3600).await.unwrap().unwrap();
    assert!(rotate(id, 3600).await.unwrap().is_none(), "once");
    let (new_id, new) = (new.token().id, new.reveal());
    assert_ne!((id, &*old), (new_id, &*new));
    desk.advance(TimeDelta::seconds(3600) - TimeDelta::microseconds(1));
    assert_eq!(answer(&desk, &old, &client()).await.unwrap().rotated_to, Some(new_id));
    assert!(answer(&desk, &new, &client()).await.is_some());
    desk.advance(TimeDelta::microseconds(1));
    assert!(answer(&desk, &old, &client()).await.is_none());
    assert!(answer(&desk, &new, &client()).await.is_some());
    let at_once = rotate(new_id, 0).await.unwrap().unwrap().reveal();
    assert!(answer(&desk, &new, &client()).await.is_none(), "no overlap");
    assert!(answer(&desk, &at_once, &client()).await.is_some());
}

async fn revoking_sessions_leaves_tokens_and_the_reverse<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (session, text) = (desk.sign_in().await, issue(&desk).await.reveal());
    assert_eq!(desk.auth.api_tokens().revoke_all(tenant()).await.unwrap(), 1);
    assert!(answer(&desk, &text, &client()).await.is_none());
    assert!(desk.is_live(&session).await);
    let text = issue(&desk).await.reveal();
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global] {
        desk.auth.revoke_all(scope).await.unwrap();
    }
    assert!(!desk.is_live(&session).await);
    assert!(answer(&desk, &text, &client()).await.is_some());
    // A session's token is no API token, and none of an API token's ids is in reach of a session's scope.
    assert!(answer(&desk, &desk.sign_in().await.token().expose(), &client()).await.is_none());
    let other: ApiTokenId = Uuid::from_u128(1).into();
    assert!(!desk.auth.api_tokens().revoke(user(), other).await.unwrap());
}

async fn another_key_takes_tokens_over<S: Store + Clone>(store: S) {
    let desk = Desk::with_ana(store.clone()).await;
    let (used, unused) = (issue(&desk).await.reveal(), issue(&desk).await.reveal());
    let with = |keys| Desk::at(desk.clock.clone(), store.clone(), keys, |builder| builder);
    let both = with(KeyRing::single(2, key(2)).unwrap().verify_only(1, key(1)).unwrap());
    assert!(answer(&both, &used, &client()).await.is_some());
    let new_only = with(KeyRing::single(2, key(2)).unwrap());
    assert!(answer(&new_only, &used, &client()).await.is_some(), "a use moves a token to the active key");
    new_only.events.take();
    assert!(answer(&new_only, &unused, &client()).await.is_none());
    assert_eq!(refusal(&new_only).0, ApiTokenRefusal::WrongSecret);
    assert!(answer(&desk, &used, &client()).await.is_none(), "the old key does not read what the new one wrote");
}

async fn a_token_of_another_system_is_taken_over_at_its_first_use<S: Store + Clone>(store: S) {
    let desk = Desk::with_ana(store.clone()).await;
    let tokens = desk.auth.api_tokens();
    let hash = desk.pool.hash("0123456789abcdef".into()).await.unwrap();
    let legacy = LegacyApiToken { lookup: "wh_77", hash: &hash };
    let token = tokens.import(new(&["loads:read"]), legacy).await.unwrap();
    let again = tokens.import(new(&["loads:read"]), legacy).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let unnamed = tokens.import(new(&["loads:read"]), LegacyApiToken { lookup: "", ..legacy }).await.unwrap_err();
    assert_eq!(unnamed.kind(), ErrorKind::InvalidInput);

    let present = async |lookup: &str, secret: &str| {
        desk.auth.api_tokens().authenticate_legacy(lookup, secret.into(), &client()).await.unwrap()
    };
    let hashes = desk.pool.computed();
    desk.events.take();
    assert!(present("wh_77", "0123456789abcdeX").await.is_none());
    assert_eq!(refusal(&desk).0, ApiTokenRefusal::WrongSecret);
    assert_eq!(present("wh_77", "0123456789abcdef").await.unwrap().id, token.id);
    assert_eq!(desk.pool.computed(), hashes + 2);
    for _ in 0..5 {
        assert!(present("wh_77", "0123456789abcdef").await.is_some());
        assert!(present("wh_77", "0123456789abcdeX").await.is_none());
        assert!(present("wh_7", "70123456789abcdef").await.is_none(), "the parts do not run into each other");
    }
    assert_eq!(desk.pool.computed(), hashes + 2, "no hash after the first use");

    let rotated = tokens.rotate(user(), token.id, TokenLife::default(), Duration::ZERO).await.unwrap().unwrap();
    assert!(present("wh_77", "0123456789abcdef").await.is_none());
    assert!(answer(&desk, &rotated.reveal(), &client()).await.is_some());
}

/// Brings Ana a token of another system with this look-up name.
async fn import(desk: &Desk, lookup: &str, hash: &str) -> stockade_session::Result<ApiToken> {
    desk.auth.api_tokens().import(new(&["loads:read"]), LegacyApiToken { lookup, hash }).await
}

async fn present(desk: &Desk, lookup: &str, secret: &str) -> Option<ApiToken> {
    desk.auth.api_tokens().authenticate_legacy(lookup, secret.into(), &client()).await.unwrap()
}

async fn a_bcrypt_token_is_taken_over_at_its_first_use<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for (number, (cost, variant)) in [(4, "$2b$"), (5, "$2y$"), (4, "$2a$")].into_iter().enumerate() {
        let (lookup, secret) = (format!("wh_{number}"), "0123456789abcdef0123456789abcdef");
        let hash = bcrypt::hash(secret, cost).unwrap().replace("$2b$", variant);
        let token = import(&desk, &lookup, &hash).await.unwrap();
        let hashes = desk.pool.computed();
        assert!(present(&desk, &lookup, "0123456789abcdef0123456789abcdeX").await.is_none());
        assert_eq!(present(&desk, &lookup, secret).await.unwrap().id, token.id);
        assert_eq!(desk.pool.computed(), hashes + 2, "{variant}");
        for _ in 0..5 {
            assert!(present(&desk, &lookup, secret).await.is_some());
            assert!(present(&desk, &lookup, "0123456789abcdef0123456789abcdeX").await.is_none());
        }
        assert_eq!(desk.pool.computed(), hashes + 2, "an hmac after the first use");
    }
    let hash = bcrypt::hash("secret", 4).unwrap();
    for costly in
        [hash.replace("$04$", "$15$"), hash.replace("$04$", "$31$"), hash.replace("$2b$", "$2x$"), "md5".into()]
    {
        assert_eq!(import(&desk, "costly", &costly).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{costly}");
    }
}

/// bcrypt reads 72 bytes. What it cannot tell apart is honoured once, and the text that came then is the token from then on.
async fn a_bcrypt_token_counts_whole_after_its_first_use<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let long = "x".repeat(72);
    import(&desk, "wh", &bcrypt::hash(&long, 4).unwrap()).await.unwrap();
    let (whole, other) = (format!("{long} tail"), format!("{long} liat"));
    assert!(present(&desk, "wh", &whole).await.is_some());
    for wrong in [&other, &long, &format!("{whole}x")] {
        assert!(present(&desk, "wh", wrong).await.is_none(), "{wrong}");
    }
    assert!(present(&desk, "wh", &whole).await.is_some());
}

async fn simultaneous_first_uses_of_a_bcrypt_token_all_succeed<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let token = import(&desk, "wh", &bcrypt::hash("secret", 4).unwrap()).await.unwrap();
    let uses = (0..8).map(|_| {
        let auth = desk.auth.clone();
        async move {
            let found = auth.api_tokens().authenticate_legacy("wh", "secret".into(), &client()).await.unwrap();
            found.is_some_and(|found| found.id == token.id)
        }
    });
    assert_eq!(wins(uses.collect::<Vec<_>>()).await, 8);
    let hashes = desk.pool.computed();
    assert!(present(&desk, "wh", "secret").await.is_some());
    assert_eq!(desk.pool.computed(), hashes, "one of them replaced the hash");
}

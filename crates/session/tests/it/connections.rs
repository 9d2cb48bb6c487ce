//! Tokens of other services, and who refreshes them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use stockade_session::{
    Auth, BoxError, ConnectionAccess, ConnectionEnd, ConnectionId, ConnectionOwner, ErrorKind, MemoryStore,
    NewConnection, ProviderTokens, Refreshed, Scope, SecretCipher, SecurityEvent, Severity, Store,
    store::ConnectionRecord,
};
use tokio::task::JoinSet;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::support::*;

crate::on_every_store! {
    a_fresh_token_is_given_without_a_refresh
    one_of_many_refreshes
    without_the_lease_many_refresh
    a_slow_refresh_does_not_overwrite_a_later_one
    a_refusal_ends_the_connection
    a_failed_refresh_lets_the_next_one_try
    revoked_connections_forget_their_tokens
    tokens_of_one_row_do_not_open_in_another
    connections_of_others_are_out_of_reach
}

/// Seals by turning each byte over behind the owner's name, and opens for that owner only.
struct Bound;

impl SecretCipher<ConnectionOwner> for Bound {
    fn seal(&self, owner: ConnectionOwner, secret: &[u8]) -> Result<Vec<u8>, BoxError> {
        let turned: Vec<u8> = secret.iter().map(|byte| !byte).collect();
        Ok([owner.tenant.as_uuid().as_bytes(), owner.connection.as_uuid().as_bytes(), &turned[..]].concat())
    }

    fn open(&self, owner: ConnectionOwner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let context = self.seal(owner, &[])?;
        let turned = sealed.strip_prefix(&context[..]).ok_or("not this owner's")?;
        Ok(Zeroizing::new(turned.iter().map(|byte| !byte).collect()))
    }
}

fn tokens(n: usize, expires_at: Option<DateTime<Utc>>) -> ProviderTokens {
    ProviderTokens { access: format!("access {n}").into(), refresh: Some(format!("refresh {n}").into()), expires_at }
}

fn in_minutes(minutes: i64) -> Option<DateTime<Utc>> {
    Some(start() + TimeDelta::minutes(minutes))
}

async fn office<S: Store>(store: S) -> Desk {
    Desk::with(store, |builder| builder.connection_cipher(Bound)).add_ana().await
}

async fn connect(desk: &Desk, expires_at: Option<DateTime<Utc>>) -> ConnectionId {
    let new = NewConnection { user: user(), provider: "quickbooks", tokens: tokens(0, expires_at) };
    desk.auth.connections().connect(new).await.unwrap().id
}

/// Another service that counts what it is asked.
#[derive(Clone, Default)]
struct Provider(Arc<AtomicUsize>);

impl Provider {
    async fn refresh(self, _: SecretString) -> Result<Refreshed, BoxError> {
        let n = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        Ok(Refreshed::Tokens(tokens(n, in_minutes(100_000))))
    }

    fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

async fn access(auth: &Auth, id: ConnectionId, provider: &Provider) -> ConnectionAccess {
    let provider = provider.clone();
    auth.connections().access(user(), id, |token| provider.refresh(token)).await.unwrap()
}

fn text(access: &ConnectionAccess) -> &str {
    match access {
        ConnectionAccess::Token(token) => token.expose_secret(),
        other => panic!("{other}"),
    }
}

async fn a_fresh_token_is_given_without_a_refresh<S: Store>(store: S) {
    let desk = office(store).await;
    let (id, provider) = (connect(&desk, in_minutes(10)).await, Provider::default());
    let endless = connect(&desk, None).await;
    assert_eq!(text(&access(&desk.auth, id, &provider).await), "access 0");
    desk.advance(TimeDelta::minutes(9));
    assert_eq!(text(&access(&desk.auth, id, &provider).await), "access 1", "a minute ahead");
    assert_eq!(text(&access(&desk.auth, id, &provider).await), "access 1");
    assert_eq!(text(&access(&desk.auth, endless, &provider).await), "access 0");
    assert_eq!(provider.asked(), 1);
    let list = desk.auth.connections().list(user()).await.unwrap();
    assert_eq!(list.len(), 2);
    assert!(list.iter().any(|one| one.id == id && one.refreshed_at == start() + TimeDelta::minutes(9)));
    assert!(matches!(
        desk.events.take()[..],
        [SecurityEvent::ConnectionMade { .. }, SecurityEvent::ConnectionMade { .. }]
    ));
}

async fn one_of_many_refreshes<S: Store>(store: S) {
    let desk = office(store).await;
    for trial in 0..races(50) {
        let (id, provider) = (connect(&desk, in_minutes(-1)).await, Provider::default());
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (auth, provider) = (desk.auth.clone(), provider.clone());
            tasks.spawn(async move { access(&auth, id, &provider).await });
        }
        let answers = tasks.join_all().await;
        assert_eq!(provider.asked(), 1, "trial {trial}");
        for answer in &answers {
            match answer {
                ConnectionAccess::Token(token) => assert_eq!(token.expose_secret(), "access 1"),
                ConnectionAccess::Busy { until } => assert!(*until > start()),
                ConnectionAccess::Ended => panic!("ended"),
            }
        }
        assert_eq!(text(&access(&desk.auth, id, &provider).await), "access 1");
    }
}

/// The control: read, refresh, write, as it is usually done, asks the other service many times, which rotates its refresh token each
/// time and takes the second use of one for a theft.
async fn without_the_lease_many_refresh<S: Store + Clone>(store: S) {
    let desk = office(store.clone()).await;
    let mut doubled = 0;
    for _ in 0..races(50) {
        let (id, provider) = (connect(&desk, in_minutes(-1)).await, Provider::default());
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (store, provider) = (store.clone(), provider.clone());
            tasks.spawn(async move {
                let record: ConnectionRecord = store.connection(Scope::Global, id).await.unwrap().unwrap();
                if record.expires_at <= in_minutes(0) {
                    provider.refresh(SecretString::from("refresh 0")).await.unwrap();
                    let (sealed, end) = (&record.sealed, in_minutes(100));
                    store.keep_connection(id, record.generation, sealed, end, start()).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        doubled += usize::from(provider.asked() > 1);
    }
    assert!(doubled > 0, "the race that the lease is against does not happen here");
}

async fn a_slow_refresh_does_not_overwrite_a_later_one<S: Store>(store: S) {
    let desk = office(store).await;
    let id = connect(&desk, in_minutes(-1)).await;
    let (auth, clock) = (desk.auth.clone(), desk.clock.clone());
    let slow = async |_: SecretString| {
        clock.advance(TimeDelta::seconds(61));
        let fast =
            auth.connections().access(user(), id, async |_| Ok(Refreshed::Tokens(tokens(2, in_minutes(60))))).await;
        assert_eq!(text(&fast.unwrap()), "access 2");
        Ok(Refreshed::Tokens(tokens(1, in_minutes(60))))
    };
    assert_eq!(text(&desk.auth.connections().access(user(), id, slow).await.unwrap()), "access 1");
    assert_eq!(text(&access(&desk.auth, id, &Provider::default()).await), "access 2");
}

async fn a_refusal_ends_the_connection<S: Store>(store: S) {
    let desk = office(store).await;
    let id = connect(&desk, in_minutes(-1)).await;
    desk.events.take();
    let refused = desk.auth.connections().access(user(), id, async |_| Ok(Refreshed::Refused)).await.unwrap();
    assert!(matches!(refused, ConnectionAccess::Ended));
    let events = desk.events.take();
    assert!(matches!(events[..], [SecurityEvent::ConnectionEnded { by: ConnectionEnd::Refused, .. }]), "{events:?}");
    assert_eq!(events[0].severity(), Severity::Warning);
    assert!(matches!(access(&desk.auth, id, &Provider::default()).await, ConnectionAccess::Ended));
    let no_refresh = ProviderTokens { refresh: None, ..tokens(0, in_minutes(1)) };
    let new = NewConnection { user: user(), provider: "x", tokens: no_refresh };
    let id = desk.auth.connections().connect(new).await.unwrap().id;
    assert_eq!(text(&access(&desk.auth, id, &Provider::default()).await), "access 0", "while it lasts");
    desk.advance(TimeDelta::minutes(1));
    assert!(matches!(access(&desk.auth, id, &Provider::default()).await, ConnectionAccess::Ended));
}

async fn a_failed_refresh_lets_the_next_one_try<S: Store>(store: S) {
    let desk = office(store).await;
    let id = connect(&desk, in_minutes(1)).await;
    let fail = async || desk.auth.connections().access(user(), id, async |_| Err("timeout".into())).await;
    assert_eq!(text(&fail().await.unwrap()), "access 0", "the old one is good for a while");
    desk.advance(TimeDelta::minutes(1));
    let error = fail().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Refresh, true));
    assert_eq!(error.to_string(), "the connection could not be refreshed");
    assert_eq!(text(&access(&desk.auth, id, &Provider::default()).await), "access 1", "at once");
}

async fn revoked_connections_forget_their_tokens<S: Store>(store: S) {
    let desk = office(store).await;
    let id = connect(&desk, None).await;
    let connections = desk.auth.connections();
    assert!(connections.revoke(tenant(), id).await.unwrap());
    assert!(!connections.revoke(tenant(), id).await.unwrap());
    assert!(connections.list(Scope::Global).await.unwrap().is_empty());
    assert!(matches!(access(&desk.auth, id, &Provider::default()).await, ConnectionAccess::Ended));
    // A refresh that is under way does not bring it back.
    let id = connect(&desk, in_minutes(-1)).await;
    let revoking = async |_: SecretString| {
        desk.auth.connections().revoke(user(), id).await.unwrap();
        Ok(Refreshed::Tokens(tokens(1, None)))
    };
    assert_eq!(text(&connections.access(user(), id, revoking).await.unwrap()), "access 1");
    assert!(matches!(access(&desk.auth, id, &Provider::default()).await, ConnectionAccess::Ended));
}

async fn tokens_of_one_row_do_not_open_in_another<S: Store + Clone>(store: S) {
    let desk = office(store.clone()).await;
    let (a, b) = (connect(&desk, None).await, connect(&desk, None).await);
    let stolen = store.connection(Scope::Global, a).await.unwrap().unwrap();
    assert!(!stolen.sealed.windows(6).any(|part| part == b"access"));
    assert!(store.keep_connection(b, 0, &stolen.sealed, None, start()).await.unwrap());
    let error = desk.auth.connections().access(user(), b, async |_| Ok(Refreshed::Refused)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionCipher);
}

async fn connections_of_others_are_out_of_reach<S: Store + Clone>(store: S) {
    let desk = office(store.clone()).await;
    let id = connect(&desk, None).await;
    let others = [Scope::User(Uuid::from_u128(9).into()), Scope::Tenant(Uuid::from_u128(9).into())];
    for other in others {
        let access = desk.auth.connections().access(other, id, async |_| Ok(Refreshed::Refused)).await.unwrap();
        assert!(matches!(access, ConnectionAccess::Ended));
        assert!(!desk.auth.connections().revoke(other, id).await.unwrap());
        assert!(desk.auth.connections().list(other).await.unwrap().is_empty());
    }
    assert!(store.connection(Scope::Tenant(tenant()), id).await.unwrap().is_some());
    let nobody = NewConnection { user: Uuid::from_u128(9).into(), provider: "x", tokens: tokens(0, None) };
    assert_eq!(desk.auth.connections().connect(nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
    let unnamed = NewConnection { user: user(), provider: "", tokens: tokens(0, None) };
    assert_eq!(desk.auth.connections().connect(unnamed).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn connections_need_a_cipher() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let new = NewConnection { user: user(), provider: "x", tokens: tokens(0, None) };
    assert_eq!(desk.auth.connections().connect(new).await.unwrap_err().kind(), ErrorKind::Configuration);
}

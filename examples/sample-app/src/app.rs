//! The application: every crate, wired once.

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{NaiveDate, Utc};
use sqlx::{
    ConnectOptions, PgConnection, PgPool, Postgres, Transaction, pool::PoolConnection, postgres::PgConnectOptions,
};
use stockade::{
    audit_chain::postgres::Sealer,
    bridge::{Trail, request::RequestLayer},
    field_crypto::{
        CachePolicy, LocalKeyring, RotationPolicy, Sealed, Secret, TenantKeys, Vault, postgres::PgKeyStore,
    },
    ratelimit::{Key, Reservation, tower::TrustedProxies},
    rbac::{Policy, Scopes, postgres::Members},
    session::{ApiTokenPolicy, Auth, BoxError, Cookies, SecretCipher, SeedOwner, postgres::PgStore},
    tenant_guard::{TenantDb, Today},
};
use tokio::sync::Notify;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    authority::HOME,
    columns::{self, TotpSeed},
    database::{Logins, Prefix, Server},
    evidence::Evidence,
    limits::{Counting, Limits, Permit, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS},
    live::Live,
    outbox::Outbox,
    permissions::{self, Perm, perm},
    schema,
    secrets::Secrets,
    watch::Watch,
};

/// Everything a request may use.
#[derive(Debug)]
pub struct App {
    /// Transactions in a tenant's scope: the only way to the business's tables.
    pub tenants: TenantDb,
    /// Sign-in and sessions.
    pub auth: Auth,
    /// Keys of each tenant.
    pub vault: Vault<LocalKeyring, PgKeyStore>,
    /// Who may do what.
    pub policy: Policy<Perm>,
    /// Who belongs to a tenant, and with what: the one way to change it.
    pub members: Members<Perm>,
    /// What stands around the router: who asks, from where, for which tenant, with what authority.
    pub requests: RequestLayer<Perm>,
    /// Who may try how often.
    pub limits: Limits,
    /// Messages that a real application would send.
    pub outbox: Outbox,
    /// How session cookies look.
    pub cookies: Cookies,
    /// Audit entries of what happens outside a desk.
    pub trail: Trail,
    /// Checkpoints and verifications of the audit log.
    pub watch: Watch,
    logins: Logins,
    administrator: PgConnectOptions,
    prefix: Prefix,
    sealing: Arc<Notify>,
    pub(crate) today: Mutex<Today<NaiveDate>>,
    /// Who follows which page.
    pub live: Arc<Live>,
}

/// The tenant whose keys seal what belongs to the application itself. The nil UUID is no tenant of the vault.
pub(crate) const PLATFORM: Uuid = Uuid::from_u128(0xf4e1 << 112);

/// How long a process goes on using keys that another one has exchanged.
const CACHED: Duration = Duration::from_secs(30);
/// How long the steps of a rotation wait for such processes.
pub const ROTATION: RotationPolicy = RotationPolicy::for_caches_of(CACHED);

impl App {
    /// Installs what the database lacks and wires the crates to it.
    ///
    /// # Errors
    /// When a server cannot be reached, the migrations of the database are not those of this program, or `secrets` do not
    /// open what is sealed in it.
    pub async fn start(
        server: &Server,
        prefix: Prefix,
        secrets: Secrets,
        counting: &Counting,
        evidence: Evidence,
    ) -> Result<Self> {
        let mut administrator = server.administrator().await?;
        schema::install(&mut administrator, &prefix).await?;
        let logins = Logins::install(server, &mut administrator, &prefix).await?;
        close(administrator).await?;

        let tenants = TenantDb::new(logins.app.clone());
        let trail = Trail::start(&tenants, const { NonZeroUsize::new(10_000).unwrap() });
        columns::registry()
            .verify(&logins.rotator)
            .await
            .context("the sealed columns are not as this program needs them")?;
        let vault = Vault::new(secrets.field_keys, PgKeyStore::new(logins.gate.clone()))
            .with_cache(CachePolicy::new(const { NonZeroUsize::new(10_000).unwrap() }, CACHED))
            .with_observer(trail.recorder());
        vault
            .self_check()
            .await
            .context("FIELD_CRYPTO_KEKS does not hold the keys that this database was sealed with")?;
        vault.provision(PLATFORM.into()).await?;
        let seeds = SealedSeeds(vault.tenant(PLATFORM.into()).await?);

        let auth = Auth::builder(PgStore::new(logins.gate.clone()), secrets.session_keys)
            .seed_cipher(seeds)
            .api_tokens(ApiTokenPolicy::new("freight", |scope| Scopes::<Perm>::parse([scope]).is_ok())?)
            .issuer("Freight Desk")
            .observer(trail.recorder())
            .build()?;
        let policy = permissions::policy()?;
        let cookies = Cookies::host();
        let requests = RequestLayer::new(auth.clone(), cookies, tenants.clone(), policy.clone())
            .with_staff::<perm::Impersonate>(HOME);
        let limits = Limits::open(counting, secrets.fingerprints, Arc::new(trail.recorder())).await?;
        Ok(Self {
            tenants,
            auth,
            vault,
            members: Members::new(&policy, Perm::PeopleManage),
            policy,
            requests,
            limits,
            cookies,
            outbox: Outbox::default(),
            watch: Watch::new(evidence, trail.clone()),
            trail,
            logins,
            administrator: server.administrator_login().clone(),
            prefix,
            sealing: Arc::new(Notify::new()),
            today: Mutex::new(Today::new(Utc::now().date_naive())),
            live: Arc::default(),
        })
    }

    /// The same behind proxies that append to `X-Forwarded-For`, as networks in CIDR form: they say where a request comes from, and nobody
    /// else does.
    ///
    /// # Errors
    /// When one is no network.
    pub fn behind<'a>(self, proxies: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let proxies = TrustedProxies::x_forwarded_for(proxies)?;
        Ok(Self { requests: self.requests.behind(proxies), ..self })
    }

    /// The prefix of the application's roles.
    #[must_use]
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Charges a sign-in attempt to its account and its address, before any hash is computed.
    ///
    /// # Errors
    /// When a rule is missing.
    pub async fn reserve_sign_in(&self, account: &str, address: IpAddr) -> Result<Reservation<Permit>> {
        let keys = [(SIGN_IN_ACCOUNT, Key::account(account)), (SIGN_IN_ADDRESS, Key::ip(address))];
        self.limits.reserve(&keys).await
    }

    /// A connection as the sealer, who sees the audit log of every tenant and nothing else.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn sealer(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.logins.sealer.acquire().await
    }

    /// A transaction as the sealer that sees the log as it is at this moment.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn sealer_snapshot(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.logins.sealer.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// A connection as the checkpointer, who reads hashes and signs them.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn checkpointer(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.logins.checkpointer.acquire().await
    }

    /// A connection as the eraser, who can make the audit log forget personal values.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn eraser(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.logins.eraser.acquire().await
    }

    /// A connection as the holder, who places and releases legal holds.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn holder(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.logins.holder.acquire().await
    }

    /// The login of sign-ins and keys, which plans a shred.
    pub(crate) fn gate(&self) -> &PgPool {
        &self.logins.gate
    }

    /// The login that seals rows anew, tenant by tenant.
    pub(crate) fn rotator(&self) -> &PgPool {
        &self.logins.rotator
    }

    /// The login that destroys the keys of a shred that is due.
    pub(crate) fn shredder(&self) -> &PgPool {
        &self.logins.shredder
    }

    /// A connection as the administrator, to inspect the schema from the administration page.
    ///
    /// A deployment would run those inspections where its migrations run, and keep this login out of the web process.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn administrator(&self) -> sqlx::Result<PgConnection> {
        self.administrator.connect().await
    }

    pub(crate) fn administrator_login(&self) -> &PgConnectOptions {
        &self.administrator
    }

    /// How requests connect, where the server takes more than one connection at a time.
    #[must_use]
    pub fn login(&self) -> Option<PgConnectOptions> {
        (self.logins.app.options().get_max_connections() > 1)
            .then(|| self.logins.app.connect_options().as_ref().clone())
    }

    /// Wakes the sealing loop.
    pub fn seal_soon(&self) {
        self.sealing.notify_one();
    }

    /// Records what waits in the trail and links every entry that is committed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_now(&self) -> Result<()> {
        self.trail.flush().await;
        let mut connection = self.sealer().await?;
        Sealer::new().seal_pending(&mut connection).await?;
        self.live.look_soon();
        Ok(())
    }

    /// Seals whenever something was committed, and every few seconds in any case. Runs until the task is dropped.
    pub async fn seal_forever(self: Arc<Self>) {
        loop {
            drop(tokio::time::timeout(Duration::from_secs(5), self.sealing.notified()).await);
            // The end of a breach is an event too, and nobody else may come to notice it.
            self.limits.sweep();
            drop(self.counted_today());
            if let Err(error) = self.seal_now().await {
                complain(&error);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// Ends every connection.
    pub async fn stop(&self) {
        self.trail.flush().await;
        self.logins.close().await;
    }
}

/// Seeds of one-time codes, sealed under the platform's own keys and bound to their user.
#[derive(Debug)]
struct SealedSeeds(TenantKeys);

impl SecretCipher<SeedOwner> for SealedSeeds {
    fn seal(&self, owner: SeedOwner, seed: &[u8]) -> Result<Vec<u8>, BoxError> {
        let sealed = self.0.seal::<TotpSeed>(&owner.user.into(), &Secret::new(seed.to_vec()))?;
        Ok(sealed.as_bytes().to_vec())
    }

    fn open(&self, owner: SeedOwner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let sealed = Sealed::<TotpSeed>::from_bytes(sealed.to_vec())?;
        let seed = self.0.open(&owner.user.into(), &sealed)?;
        Ok(Zeroizing::new(seed.expose().clone()))
    }
}

async fn close(connection: PgConnection) -> sqlx::Result<()> {
    sqlx::Connection::close(connection).await
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("sample-app: sealing failed, and will be tried again: {error:#}");
}

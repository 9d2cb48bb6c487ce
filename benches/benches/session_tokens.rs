//! session's JWTs and API tokens beside jsonwebtoken and bcrypt.
//!
//! `scripts/bench session_tokens`. Processor time of this thread, 20th percentiles, subjects in turn. A JWT of ours is
//! verified with `JwtCheck::Stateless`, so without a store, as jsonwebtoken does it. An API token is found in the memory store and compared
//! by its HMAC; the peer is what one bcrypt of cost 10 takes.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::{hint::black_box, num::NonZeroUsize, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use stockade_benches::{Report, compare, measure, subject};
use stockade_session::{
    ApiTokenPolicy, Argon2Params, Auth, ClientInfo, HashPool, HashPoolConfig, JwtCheck, JwtPolicy, KeyRing,
    MemoryStore, NewAccount, NewApiToken, Step, TenantId, UserId,
};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// What a JWT of ours says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tid: String,
    sid: String,
    ver: String,
    aal: u8,
    auth_time: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
}

fn auth(runtime: &Runtime) -> (Auth, String, String, ClientInfo) {
    runtime.block_on(async {
        let one = NonZeroUsize::MIN;
        let hashes = HashPoolConfig { params: Argon2Params::dangerously_weak(), workers: one, queue: 64 };
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).expect("random numbers");
        let jwts = JwtPolicy::new("https://acme.test", "api", Duration::from_secs(900), JwtCheck::Stateless);
        let auth = Auth::builder(MemoryStore::default(), KeyRing::single(1, key).expect("a key"))
            .hash_pool(HashPool::new(hashes).expect("threads"))
            .jwts(jwts.expect("a policy"))
            .api_tokens(ApiTokenPolicy::new("acme", |scope| scope == "loads:read").expect("a policy"))
            .build()
            .expect("an auth");
        let (user, tenant) = (UserId::from(Uuid::from_u128(1)), TenantId::from(Uuid::from_u128(2)));
        let new = NewAccount { user, tenant, identifier: "ana" };
        auth.accounts().create(new, "correct horse battery".into()).await.expect("an account");
        let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
        let flow = auth.begin("ana", &client).await.expect("a flow");
        let step = flow.verify_password("correct horse battery".into()).await.expect("an answer");
        let Step::Done(flow) = step else { std::process::exit(1) };
        let issued = auth.issue(flow).await.expect("a session");
        let jwt = auth.jwts().issue(&issued).expect("a jwt").to_string();
        let token = auth.api_tokens().create(NewApiToken::new(user, "bench", ["loads:read"])).await.expect("a token");
        (auth, jwt, token.reveal().to_string(), client)
    })
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (auth, jwt, token, client) = auth(&runtime);
    let key = [7_u8; 32];
    let now = chrono::Utc::now().timestamp();
    let claims = Claims {
        iss: "https://acme.test".to_owned(),
        aud: "api".to_owned(),
        sub: Uuid::from_u128(1).to_string(),
        tid: Uuid::from_u128(2).to_string(),
        sid: Uuid::from_u128(3).to_string(),
        ver: "0123456789abcdef".to_owned(),
        aal: 1,
        auth_time: now,
        iat: now,
        nbf: now,
        exp: now + 900,
    };
    let theirs = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&key)).expect("a jwt");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["https://acme.test"]);
    validation.set_audience(&["api"]);
    validation.validate_nbf = true;
    let decoding = DecodingKey::from_secret(&key);

    let verify = || {
        let claims = runtime.block_on(auth.jwts().verify(black_box(&jwt))).expect("an answer");
        black_box(claims.expect("valid"));
    };
    let jsonwebtoken = || {
        black_box(decode::<Claims>(black_box(&theirs), &decoding, &validation).expect("valid"));
    };
    let report = Report::of("session_tokens");
    let subjects =
        vec![subject("ours, JwtCheck::Stateless", verify), subject("jsonwebtoken on aws-lc-rs", jsonwebtoken)];
    compare(&report, "verify a JWT", subjects, 500);

    let authenticate = || {
        let found = runtime.block_on(auth.api_tokens().authenticate(black_box(&token), &client)).expect("an answer");
        black_box(found.expect("valid"));
    };
    let typo = token.replace("acme_", "acne_");
    let refuse = || {
        let found = runtime.block_on(auth.api_tokens().authenticate(black_box(&typo), &client)).expect("an answer");
        assert!(found.is_none(), "another prefix");
    };

    let hash = bcrypt::hash("0123456789", 10).expect("a hash");
    let bcrypt = || {
        assert!(bcrypt::verify(black_box("0123456789"), &hash).expect("a hash"), "right");
    };
    let tokens = vec![subject("authenticate", authenticate), subject("refuse one with another prefix", refuse)];
    let mut told = measure("an API token", tokens, 500);
    told.extend(measure("the same", vec![subject("bcrypt of cost 10", bcrypt)], 1));
    report.tell("an API token, memory store", &told);
}

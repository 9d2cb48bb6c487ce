//! The whole story without a browser: each step says what is attempted and what happened, and holds or does not.
//!
//! It runs on a database of its own, so that it can break things: it alters an audit row as a superuser, for one.

mod accounts;
mod business;
mod evidence;
mod isolation;
mod keys;
mod operations;
mod reach;
mod retention;
mod scratch;
mod sealed;
mod signing_in;
mod work;

use std::fmt::Display;

use anyhow::{Context as _, Result};
use stockade::{
    bridge::request::Asked,
    session::{ClientInfo, Session},
};

use self::scratch::Scratch;
use crate::{
    app::App,
    desk::Desk,
    seed::{self, Person, Tenant},
};

/// Runs every step and prints it.
///
/// `true` if every step held.
///
/// # Errors
/// When the database cannot be reached or a step cannot even be attempted.
pub async fn run(database: Option<&str>) -> Result<bool> {
    let scratch = Scratch::open(database).await?;
    let result = Box::pin(steps(&scratch)).await;
    let closed = scratch.close().await;
    let held = result?;
    closed?;
    Ok(held)
}

async fn steps(scratch: &Scratch) -> Result<bool> {
    let mut tour = Tour::new(scratch);
    tour.print("Stockade, the tour", &format!("Data: {}", scratch.server().describe()));
    signing_in::password_and_code(&mut tour).await?;
    work::edit_a_load(&mut tour).await?;
    isolation::other_tenant(&mut tour).await?;
    reach::rows(&mut tour).await?;
    reach::giving(&mut tour).await?;
    reach::looking(&mut tour).await?;
    sealed::drivers(&mut tour).await?;
    keys::finding(&mut tour).await?;
    keys::rotation(&mut tour).await?;
    keys::shredding(&mut tour).await?;
    work::refused_by_role(&mut tour).await?;
    Box::pin(work::closed_period(&mut tour)).await?;
    business::changes(&mut tour).await?;
    business::documents(&mut tour).await?;
    operations::following(&mut tour).await?;
    operations::sandbox(&mut tour).await?;
    operations::restore(&mut tour).await?;
    signing_in::burst(&mut tour).await?;
    signing_in::revoke_everything(&mut tour).await?;
    accounts::demanded_factor(&mut tour).await?;
    accounts::forgotten_password(&mut tour).await?;
    accounts::program(&mut tour).await?;
    evidence::checkpoints(&mut tour).await?;
    retention::forgetting(&mut tour).await?;
    evidence::tampering(&mut tour).await?;
    evidence::posture(&mut tour).await?;
    Ok(tour.end())
}

/// What the steps share.
pub(crate) struct Tour<'a> {
    scratch: &'a Scratch,
    owner: Option<Session>,
    step: u32,
    checks: u32,
    failures: u32,
}

#[expect(clippy::print_stdout, reason = "the tour is for a terminal")]
impl<'a> Tour<'a> {
    fn new(scratch: &'a Scratch) -> Self {
        Self { scratch, owner: None, step: 0, checks: 0, failures: 0 }
    }

    fn app(&self) -> &'a App {
        self.scratch.app()
    }

    fn print(&self, title: &str, text: &str) {
        println!("{title}\n{text}");
    }

    /// Begins a step.
    fn step(&mut self, title: &str) {
        self.step += 1;
        println!("\n{:>2}. {title}", self.step);
    }

    /// Says something that is not checked.
    fn say(&self, text: impl Display) {
        println!("      {text}");
    }

    /// Says what was attempted and what happened, and whether that is what must happen.
    fn check(&mut self, attempted: &str, happened: impl Display, held: impl Into<Held>) {
        self.checks += 1;
        let Held(held) = held.into();
        if !held {
            self.failures += 1;
        }
        println!("    {} {attempted}\n      -> {happened}", if held { "ok  " } else { "FAIL" });
    }

    fn end(&self) -> bool {
        println!("\n{} steps, {} checks, {} failed", self.step, self.checks, self.failures);
        self.failures == 0
    }
}

/// Whether a check held.
pub(crate) struct Held(bool);

impl From<bool> for Held {
    fn from(held: bool) -> Self {
        Self(held)
    }
}

impl Tour<'_> {
    /// The desk of Acme's owner, who has signed in with both factors.
    async fn owner_desk(&self, method: &str, endpoint: &str) -> Result<Desk> {
        let Some(owner) = &self.owner else { anyhow::bail!("the tour's owner is not signed in") };
        self.desk(owner, method, endpoint).await
    }

    /// The desk of whoever is signed in.
    async fn desk(&self, session: &Session, method: &str, endpoint: &str) -> Result<Desk> {
        let visitor = self.app().visitor(session.clone(), request(method, endpoint)).await?;
        self.app().desk(&visitor.context("the person is no member of the tenant")?).await
    }

    /// A session by password alone, for an account that has no second factor.
    async fn sign_in(&self, tenant: &Tenant, person: &Person) -> Result<Session> {
        signing_in::by_password(self.app(), &tenant.email(person)).await
    }
}

fn client() -> ClientInfo {
    ClientInfo { ip: std::net::IpAddr::from([203, 0, 113, 7]), user_agent: Some("tour".to_owned()) }
}

fn request(method: &str, endpoint: &str) -> Asked {
    Asked::from(&client()).at(method, endpoint)
}

/// The seeded password.
fn password() -> secrecy::SecretString {
    secrecy::SecretString::from(seed::PASSWORD)
}

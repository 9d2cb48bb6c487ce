//! The application in a real browser: Chromium, driven as a person would, without a screen.

mod driver;
mod hand;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use http::Method;
use sample_app::{
    app::App,
    seed::{ACME, DISPATCHER, OWNER, PLATFORM, SUPPORT, VIEWER},
    web::{self, Guard},
};
use sqlx::PgPool;
use stockade::audit_chain::{Actor, Entry};
use thirtyfour::prelude::*;
use tokio::net::TcpListener;

use self::{
    driver::{Chromedriver, wait_for},
    hand::{ENTER, ESCAPE, Hand},
};
use crate::browser::app;

/// One session of one browser for all of it: to start it takes longer than most of what it does.
#[sqlx::test(migrations = false)]
async fn people_do_their_work_in_a_browser_by_keyboard_on_a_telephone_in_the_dark_and_without_script(pool: PgPool) {
    let app = app(&pool).await;
    app.seal_now().await.unwrap();
    tokio::spawn(Arc::clone(&app).follow_forever());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(web::serve(Arc::clone(&app), listener, std::future::pending()));
    let downloads = tempfile::tempdir().unwrap();
    let driver = Chromedriver::start().await;
    let browser = driver.browser(downloads.path()).await;
    let done = browser.run_and_quit(|browser| async {
        let hand = Hand { browser, base, wrong: Mutex::default() };
        doors(&hand).await;
        owner(&hand, &app, downloads.path()).await;
        hand.sign_out().await;
        viewer(&hand).await;
        hand.sign_out().await;
        support(&hand).await;
        WebDriverResult::Ok(std::mem::take(&mut *hand.wrong.lock().unwrap()))
    });
    let wrong = done.await.unwrap();
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What can be seen before signing in.
async fn doors(hand: &Hand) {
    for path in ["/sign-in", "/reset", "/reset/password", "/invitations/accept"] {
        hand.go(path).await;
        hand.inspect(path).await;
    }
    hand.go("/nowhere").await;
    hand.inspect_refusal("/nowhere").await;
    hand.give_password(&ACME, &OWNER).await;
    hand.inspect("/sign-in/code").await;
    hand.type_into("code", &format!("000000{ENTER}")).await;
    hand.reads("main", "The code is not right").await;
    hand.inspect_refusal("a wrong code").await;
}

async fn owner(hand: &Hand, app: &App, downloads: &Path) {
    hand.sign_in(&ACME, &OWNER).await;
    assert_eq!(hand.heading().await, "Loads");
    let load = hand.first_link("main td a").await;
    edit(hand, &load, "2,345.67").await;
    let mut titles = BTreeMap::new();
    for path in pages().chain([
        load.clone(),
        hand.link_on("/accounts", "main td a").await,
        hand.link_on("/settlements", "main td a").await,
        hand.link_on("/administration/people", "main td a").await,
        "/audit/entries/1".to_owned(),
        "/enrol".to_owned(),
    ]) {
        hand.go(&path).await;
        hand.inspect(&path).await;
        hand.title_is_its_own(&mut titles).await;
    }
    menu(hand).await;
    answers(hand, &load).await;

    follow(hand, app).await;
    hand.go("/audit").await;
    hand.type_into("action", "load.update").await;
    hand.press("Search").await;
    let asked = async || {
        hand.run("return location.search").await.as_str().unwrap().contains("action=load.update").then_some(())
    };
    wait_for("the answer", asked).await;
    hand.reads("#entries", "load.update").await;
    assert!(!hand.text("#entries").await.contains("session."), "the edit is found, and nothing else");
    hand.press("Export as CSV").await;
    let file = downloads.join("audit.csv");
    let exported =
        wait_for("the export", async || std::fs::read_to_string(&file).ok().filter(|text| !text.is_empty())).await;
    assert!(exported.starts_with("seq,") && exported.contains(",load.update,"), "{exported}");

    hand.go("/administration/encryption").await;
    assert!(!hand.text("main").await.contains("Done."));
    hand.press_first("form[action='/administration/encryption/rotation'] button").await;
    hand.reads("main", "Done.").await;

    hand.go("/posture").await;
    hand.reads("main", "of 100").await;
    hand.clean("the owner's work").await;
    without_script(hand, &load).await;
}

/// Every page that an owner opens by its address.
fn pages() -> impl Iterator<Item = String> {
    let own = |path: &str| path.starts_with("/account/");
    web::routes()
        .into_iter()
        .filter(move |route| {
            let page = !route.path.contains(['{', '.']) && route.path != "/audit/bundle";
            let permitted = match route.guard {
                Guard::Needs(permission) => !matches!(
                    permission,
                    sample_app::permissions::Perm::Impersonate | sample_app::permissions::Perm::OutboxView
                ),
                Guard::Own(_) => own(route.path),
                _ => false,
            };
            route.method == Method::GET && page && permitted
        })
        .map(|route| match route.path {
            "/account/proof" => "/account/proof?for=password".to_owned(),
            path => path.to_owned(),
        })
}

/// Where there is no room for them, the places are behind a button.
async fn menu(hand: &Hand) {
    const PLACES: &str = "nav[aria-label=Main]";
    hand.telephone("on").await;
    hand.go("/limits").await;
    assert!(!hand.shows(PLACES).await);
    hand.press("Menu").await;
    assert!(hand.shows(PLACES).await);
    hand.keys(&ESCAPE.to_string()).await;
    assert!(!hand.shows(PLACES).await);
    hand.press("Menu").await;
    hand.press("Roles").await;
    hand.reads("h1", "Roles").await;
    hand.telephone("off").await;
}

/// What pages say when something was done, and when it was not.
async fn answers(hand: &Hand, load: &str) {
    for (page, button, place, says) in [
        ("/audit", "Verify the chain", "main", "Intact."),
        ("/isolation", "Run the attempts", "main", "ended inside the lane"),
        // Whether it deviates is another test's question: roles are the whole server's, and other tests join them.
        ("/administration", "Compare", "main .note", "the log"),
        ("/administration/tampering", "Alter it, verify, undo", "main", "Found."),
    ] {
        hand.go(page).await;
        hand.press(button).await;
        hand.reads(place, says).await;
        hand.inspect(says).await;
    }
    for (page, field, button, says) in [
        ("/administration/retention", "matter", "Place a hold ...", "Nothing has happened yet."),
        ("/account/tokens", "name", "Make it", "It is shown once, now:"),
        ("/drivers", "ssn", "Find", "No driver has this number."),
    ] {
        hand.go(page).await;
        hand.type_into(field, "C-2026-11").await;
        hand.press(button).await;
        hand.reads("main", says).await;
        hand.inspect(says).await;
    }
    hand.go(load).await;
    hand.type_into("rate", &format!("twelve{ENTER}")).await;
    hand.reads(".error", "Write an amount").await;
    hand.inspect_refusal("a wrong amount").await;
}

/// By keyboard alone.
async fn edit(hand: &Hand, load: &str, rate: &str) {
    hand.go(load).await;
    hand.type_into("rate", &format!("{rate}{ENTER}")).await;
    hand.at("/loads").await;
    hand.reads("main", rate).await;
}

/// An entry that is written elsewhere appears on the open page, also after a pause.
async fn follow(hand: &Hand, app: &App) {
    let written = async |action: &str| {
        app.trail.send(ACME.id.into(), Entry::new(ACME.id.into(), Actor::system("elsewhere"), action));
        app.seal_now().await.unwrap();
    };
    let there = async |action: &str| hand.text("#entries").await.contains(action).then_some(());
    hand.go("/audit").await;
    hand.run("window.untouched = true").await;
    wait_for("the connection", async || hand.text(".follow").await.contains("up to date").then_some(())).await;
    written("marker.one").await;
    wait_for("the entry", async || there("marker.one").await).await;
    hand.press("Pause").await;
    written("marker.two").await;
    hand.press("Follow").await;
    wait_for("what the pause missed", async || there("marker.two").await).await;
    assert_eq!(hand.run("return window.untouched").await, true, "the page was not loaded again");

    hand.go("/isolation").await;
    let stopped = ".tile:last-child b";
    let before = hand.text(stopped).await;
    hand.run("return fetch('/isolation', { method: 'POST' }).then((answer) => answer.status)").await;
    wait_for("the lanes", async || (hand.text(stopped).await != before).then_some(())).await;
}

/// The same pages when no script runs: everything is there, and a form is saved.
async fn without_script(hand: &Hand, load: &str) {
    hand.script("off").await;
    for path in pages() {
        hand.go(&path).await;
        let source = hand.source().await;
        assert!(source.contains("<h1>") && source.contains("</main>"), "{path}: {source}");
    }
    hand.go("/audit").await;
    assert!(hand.source().await.contains("marker.two"));
    assert!(!hand.shows(".follow").await, "without script nothing is said to be followed");
    edit(hand, load, "1,111.11").await;
    hand.script("on").await;
    hand.clean("without script").await;
}

async fn viewer(hand: &Hand) {
    hand.sign_in(&ACME, &VIEWER).await;
    hand.go("/audit").await;
    assert_eq!(hand.heading().await, "Not permitted");
    hand.inspect_refusal("a refusal").await;
    hand.go("/loads").await;
    let load = hand.first_link("main td a").await;
    hand.go(&load).await;
    assert!(!hand.text("main").await.contains("Save"), "who may not edit is offered nothing");
    hand.inspect("a load that may not be edited").await;
    hand.go("/enrol").await;
    hand.press("Begin").await;
    hand.reads("h1", "Scan this").await;
    hand.inspect("a new seed").await;
    hand.go("/loads").await;
    hand.clean("a viewer").await;
}

async fn support(hand: &Hand) {
    hand.sign_in(&PLATFORM, &SUPPORT).await;
    for path in ["/staff", "/administration/outbox"] {
        hand.go(path).await;
        hand.inspect(path).await;
    }
    hand.go("/staff").await;
    hand.type_into("email", &ACME.email(&DISPATCHER)).await;
    hand.type_into("reason", &format!("ticket 4711{ENTER}")).await;
    hand.at("/loads").await;
    hand.reads(".banner", "Sam Abara looks as Dan Osei").await;
    hand.reads(".banner", "ticket 4711").await;
    hand.inspect("a look").await;
    let load = hand.first_link("main td a").await;
    hand.go(&load).await;
    assert!(!hand.text("main").await.contains("Save"));
    let body = "new URLSearchParams({ rate: '1', status: 'booked' })";
    let forced =
        format!("return fetch(location.href, {{ method: 'POST', body: {body} }}).then((answer) => answer.status)");
    assert_eq!(hand.run(&forced).await, 403, "a look writes nothing");
    hand.forget_log().await;
    hand.press("End the look").await;
    hand.at("/staff").await;
    hand.clean("support").await;
}

//! What a person does with a browser, and looks at.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex, time::Duration};

use sample_app::seed::{self, Person, Tenant};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use super::driver::wait_for;

/// Keys, as the WebDriver specification writes them in a text.
pub(super) const ENTER: char = '\u{e007}';
const TAB: char = '\u{e004}';
pub(super) const ESCAPE: char = '\u{e00c}';

const CHECKS: &str = include_str!("checks.js");

/// Before the tab key is pressed: everything that it has to reach, and an eye on what it does.
const BEFORE_TABS: &str = "
document.activeElement?.blur();
const shown = (element) => element.checkVisibility({ checkVisibilityCSS: true });
const wanted = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
    .filter((element) => !element.disabled && shown(element));
window.tabs = { wanted, reached: new Set(), unseen: new Set() };
document.addEventListener('focusin', (event) => {
    const style = getComputedStyle(event.target);
    window.tabs.reached.add(event.target);
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) === 0) window.tabs.unseen.add(event.target);
});
window.getSelection()?.removeAllRanges();
// A field for a date is several stops.
return wanted.length + 4 * wanted.filter((element) => element.type === 'date').length + 3;";

const AFTER_TABS: &str = "
const name = (element) => element.outerHTML.replace(/\\s+/g, ' ').slice(0, 90);
const { wanted, reached, unseen } = window.tabs;
return [
    ...wanted.filter((element) => !reached.has(element)).map((element) => `not reached by keyboard: ${name(element)}`),
    ...[...unseen].map((element) => `no visible focus: ${name(element)}`),
].slice(0, 5);";

pub(super) struct Hand {
    pub(super) browser: WebDriver,
    pub(super) base: String,
    /// What was found, so that one run says all of it.
    pub(super) wrong: Mutex<String>,
}

impl Drop for Hand {
    #[expect(clippy::print_stderr, reason = "a test that ends early has not said yet what it found")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.wrong.lock().unwrap());
        }
    }
}

impl Hand {
    pub(super) async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.base)).await.unwrap();
    }

    /// Waits until the browser is at a path.
    pub(super) async fn at(&self, path: &str) {
        let there = async || (self.browser.current_url().await.unwrap().path() == path).then_some(());
        wait_for(path, there).await;
    }

    pub(super) async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    pub(super) async fn source(&self) -> String {
        self.browser.source().await.unwrap()
    }

    pub(super) async fn text(&self, selector: &str) -> String {
        // In one step: a page that goes on exchanges its elements.
        let text = format!("return document.querySelector({selector:?}).innerText");
        self.run(&text).await.as_str().unwrap().to_owned()
    }

    /// Waits until an element says so: a page that a button leads to may be on its way.
    pub(super) async fn reads(&self, selector: &str, text: &str) {
        let said = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        wait_for(text, async || self.run(&said).await.as_str().unwrap().contains(text).then_some(())).await;
    }

    pub(super) async fn shows(&self, selector: &str) -> bool {
        let found = self.browser.find_all(By::Css(selector)).await.unwrap();
        for element in found {
            if element.is_displayed().await.unwrap() {
                return true;
            }
        }
        false
    }

    pub(super) async fn heading(&self) -> String {
        self.text("h1").await
    }

    /// Where the first such link leads, within the site.
    pub(super) async fn first_link(&self, selector: &str) -> String {
        let link = self.browser.find(By::Css(selector)).await.unwrap();
        link.attr("href").await.unwrap().unwrap()
    }

    pub(super) async fn link_on(&self, page: &str, selector: &str) -> String {
        self.go(page).await;
        self.first_link(selector).await
    }

    /// Replaces what is in a field, by keyboard.
    pub(super) async fn type_into(&self, id: &str, text: &str) {
        let field = self.browser.find(By::Id(id)).await.unwrap();
        field.send_keys(Key::Control + "a").await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button, or follows the link, with this text.
    pub(super) async fn press(&self, text: &str) {
        let by = By::XPath(format!("//*[self::button or self::a][normalize-space() = '{text}']"));
        self.browser.find(by).await.unwrap().click().await.unwrap();
    }

    pub(super) async fn press_first(&self, selector: &str) {
        self.browser.find(By::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// By keyboard, up to the page for the code if the account has one.
    pub(super) async fn give_password(&self, tenant: &Tenant, person: &Person) {
        self.go("/sign-in").await;
        self.is_at_field("email").await;
        let typed = format!("{}{TAB}{}{ENTER}", tenant.email(person), seed::PASSWORD);
        self.keys(&typed).await;
        if person.totp_seed.is_some() {
            self.at("/sign-in/code").await;
        }
    }

    /// By keyboard: a field, the tab key, another field, and enter.
    pub(super) async fn sign_in(&self, tenant: &Tenant, person: &Person) {
        self.give_password(tenant, person).await;
        if person.totp_seed.is_some() {
            self.is_at_field("code").await;
            let code = format!("{}{ENTER}", seed::current_code(person).unwrap());
            self.keys(&code).await;
        }
        self.shown_anything_but("/sign-in").await;
    }

    /// Waits until the page has put the focus where one begins, which it does when it is first drawn.
    async fn is_at_field(&self, id: &str) {
        let begun = format!("return document.activeElement?.id === {id:?}");
        wait_for(id, async || (self.run(&begun).await == true).then_some(())).await;
    }

    /// Presses keys, wherever the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        let at_once = Some(Duration::ZERO);
        self.browser.action_chain_with_delay(at_once, at_once).send_keys(keys).perform().await.unwrap();
    }

    async fn shown_anything_but(&self, beginning: &str) {
        let gone = async || (!self.browser.current_url().await.unwrap().path().starts_with(beginning)).then_some(());
        wait_for("the next page", gone).await;
    }

    pub(super) async fn sign_out(&self) {
        self.go("/").await;
        self.press("Sign out").await;
        self.at("/sign-in").await;
    }

    /// Turns scripts of pages `on` or `off`.
    pub(super) async fn script(&self, position: &str) {
        self.emulate("setScriptExecutionDisabled", json!({ "value": position == "off" })).await;
    }

    async fn emulate(&self, what: &str, how: Value) {
        self.browser.cdp().send_raw(&format!("Emulation.{what}"), how).await.unwrap();
    }

    async fn screen(&self, width: u32, height: u32, mobile: &Value) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.emulate("setDeviceMetricsOverride", metrics).await;
    }

    async fn light(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.emulate("setEmulatedMedia", features).await;
    }

    /// Puts a screen as wide as a telephone's before the browser, or a wide one.
    pub(super) async fn telephone(&self, position: &str) {
        let small = position == "on";
        self.screen(if small { 390 } else { 1280 }, 844, &json!(small)).await;
    }

    /// Everything that is asked of every page: structure, names, contrast, width, keyboard, and a silent console.
    pub(super) async fn inspect(&self, page: &str) {
        self.examine(page).await;
        self.clean(page).await;
    }

    /// The same of a page that says no, about which the browser says something by itself.
    pub(super) async fn inspect_refusal(&self, page: &str) {
        self.examine(page).await;
        self.forget_log().await;
    }

    async fn examine(&self, page: &str) {
        let mut wrong = String::new();
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("dark", 390)] {
            self.light(scheme).await;
            self.screen(width, 844, &json!(width < 500)).await;
            self.keep_picture(page, scheme, width).await;
            for complaint in self.list(CHECKS).await {
                writeln!(wrong, "  {scheme}, {width} wide: {complaint}").unwrap();
            }
        }
        self.light("light").await;
        self.screen(1280, 844, &json!(false)).await;
        let stops = self.run(BEFORE_TABS).await.as_u64().unwrap();
        let keys: String = (0..stops).map(|_| TAB).collect();
        self.keys(&keys).await;
        for complaint in self.list(AFTER_TABS).await {
            writeln!(wrong, "  {complaint}").unwrap();
        }
        if !wrong.is_empty() {
            write!(self.wrong.lock().unwrap(), "{page}:\n{wrong}").unwrap();
        }
    }

    async fn list(&self, script: &str) -> Vec<String> {
        let list = self.run(script).await;
        list.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// No other page has the title of this one.
    pub(super) async fn title_is_its_own(&self, titles: &mut BTreeMap<String, String>) {
        let (title, path) =
            (self.browser.title().await.unwrap(), self.browser.current_url().await.unwrap().path().to_owned());
        let first = titles.entry(title.clone()).or_insert_with(|| path.clone());
        if *first != path {
            writeln!(self.wrong.lock().unwrap(), "{path} is called {title:?}, as {first} is").unwrap();
        }
    }

    /// The console has said nothing since it was last read.
    pub(super) async fn clean(&self, what: &str) {
        let log = self.browser.browser_log().await.unwrap();
        // Chromium's own advice to authors has a level of its own.
        let said = log.into_iter().filter(|entry| entry.level != "DEBUG");
        let said: Vec<String> = said.map(|entry| format!("{}: {}", entry.level, entry.message)).collect();
        if !said.is_empty() {
            writeln!(self.wrong.lock().unwrap(), "{what}: the console says {said:?}").unwrap();
        }
    }

    pub(super) async fn forget_log(&self) {
        drop(self.browser.browser_log().await.unwrap());
    }

    /// A picture of the page, where `SAMPLE_APP_PICTURES` names a folder.
    async fn keep_picture(&self, page: &str, scheme: &str, width: u32) {
        let Ok(folder) = std::env::var("SAMPLE_APP_PICTURES") else { return };
        let id: String = page.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect();
        let path = std::path::Path::new(&folder).join(format!("{id}-{scheme}-{width}.png"));
        self.browser.screenshot(&path).await.unwrap();
    }
}

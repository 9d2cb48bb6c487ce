//! Chromium, and the program that drives it.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// Against a test that would hang for ever: nothing here is a claim about time.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The driver, which ends with this.
pub(super) struct Chromedriver {
    pub(super) address: String,
    _process: Child,
}

impl Chromedriver {
    pub(super) async fn start() -> Self {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let process = Command::new(&program).arg("--port=0").stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut process = process.unwrap_or_else(|error| {
            panic!("`{program}` does not start ({error}); `scripts/test` installs Chromium and its driver")
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                // Whatever it says later goes nowhere, and must not fill the pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { address, _process: process };
            }
        }
        panic!("`{program}` ended before it said its port");
    }

    /// A browser without a screen, whose downloads go into `folder`.
    pub(super) async fn browser(&self, folder: &Path) -> WebDriver {
        let mut wanted = DesiredCapabilities::chrome();
        wanted.add_arg("--headless=new").unwrap();
        wanted.add_arg("--disable-gpu").unwrap();
        wanted.add_arg("--disable-dev-shm-usage").unwrap();
        // Chromium's own sandbox does not work for root, and the pages are this application's.
        if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            wanted.add_arg("--no-sandbox").unwrap();
        }
        wanted.set_browser_log_level(thirtyfour::LoggingPrefsLogLevel::All).unwrap();
        let browser = WebDriver::new(&self.address, wanted).await.unwrap();
        let downloads = json!({ "behavior": "allow", "downloadPath": folder });
        browser.cdp().send_raw("Browser.setDownloadBehavior", downloads).await.unwrap();
        browser
    }
}

/// Waits for what comes by itself, and says what did not come.
pub(super) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

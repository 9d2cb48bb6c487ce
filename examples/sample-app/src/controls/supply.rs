//! What a pipeline left: `deny.json`, of `cargo deny --format json check`, and `bom.json`, in CycloneDX. Without the folder nothing is said.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use stockade::posture::{
    ControlId, Observation, Subject,
    supply::{self, Running},
};

/// The environment variable that names the folder.
const FOLDER: &str = "PIPELINE_DIR";

pub(super) fn measure(now: DateTime<Utc>) -> Vec<Observation> {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return Vec::new() };
    let running = Running { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let mut seen = match read(&folder.join("deny.json")) {
        Ok((output, made_at)) => supply::deny(&output, made_at, now),
        Err(_) => vec![missing(ControlId::SUPPLY_DENY, now)],
    };
    seen.push(match read(&folder.join("bom.json")) {
        Ok((bill, _)) => supply::sbom(&bill, running, now),
        Err(_) => missing(ControlId::SUPPLY_SBOM, now),
    });
    seen
}

fn read(path: &Path) -> std::io::Result<(Vec<u8>, DateTime<Utc>)> {
    Ok((fs::read(path)?, fs::metadata(path)?.modified()?.into()))
}

fn missing(control: ControlId, now: DateTime<Utc>) -> Observation {
    Observation::unknown(control, Subject::new("file of the pipeline"), now, "it could not be read")
}

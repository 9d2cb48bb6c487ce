//! What is kept of an assessment.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, Datelike as _, NaiveDate, SubsecRound as _, Utc};
use serde_json::Value as Json;

use crate::{
    assessment::Assessment,
    catalog::{CATALOG_VERSION, catalog},
    control::ControlId,
    digest::Digest,
    error::Error,
    render::{Value, timestamp},
    score::Score,
    status::StatusKind,
};

/// The shape of the text. It changes with every change that is not an addition.
const SCHEMA: &str = "stockade.posture.snapshot/1";

/// The longest text that is read, in bytes. One that this crate wrote is around a tenth of it.
const MAX_BYTES: usize = 16 * 1024;

/// The little of an assessment that a history keeps: when, the score, the digest of the JSON export and the status of each control.
///
/// `Display` writes it as canonical JSON of about a kilobyte and `FromStr` reads that back; times are kept to the microsecond. What
/// does not say all that it must is refused. A snapshot made with another version of the catalogue is read as far as its controls
/// are known.
///
/// ```
/// use chrono::Utc;
/// use stockade_posture::{Assessment, history::Snapshot};
///
/// let assessment = Assessment::builder(Utc::now()).build();
/// let kept = assessment.snapshot().to_string();
/// let read: Snapshot = kept.parse()?;
/// assert_eq!(read, assessment.snapshot());
/// assert_eq!(read.digest(), assessment.digest());
/// # Ok::<(), stockade_posture::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snapshot {
    // The order of the fields is that of a history.
    at: DateTime<Utc>,
    digest: Digest,
    catalog_version: u32,
    score: Option<Score>,
    statuses: BTreeMap<ControlId, StatusKind>,
}

impl Snapshot {
    /// When it was assessed, to the microsecond.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The day on which it was assessed, in UTC.
    #[must_use]
    pub fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }

    /// The SHA-256 of the JSON export.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The version of the catalogue that was used.
    #[must_use]
    pub const fn catalog_version(&self) -> u32 {
        self.catalog_version
    }

    /// The score, or nothing if no control was measured.
    #[must_use]
    pub const fn score(&self) -> Option<Score> {
        self.score
    }

    /// The status of a control, or nothing if the catalogue of that time did not have it.
    #[must_use]
    pub fn status(&self, control: ControlId) -> Option<StatusKind> {
        self.statuses.get(&control).copied()
    }

    pub(crate) fn of(assessment: &Assessment) -> Self {
        let statuses = assessment.results().iter().map(|result| (result.control().id, result.status().kind()));
        Self {
            at: assessment.at().trunc_subsecs(6),
            digest: assessment.digest(),
            catalog_version: assessment.catalog_version(),
            score: assessment.score(),
            statuses: statuses.collect(),
        }
    }

    pub(crate) fn from_json(json: &Json) -> Result<Self, Error> {
        if text(json, "schema") != Some(SCHEMA) {
            return Err(Error::malformed("its schema is not one that is known"));
        }
        let version =
            json.get("catalog_version").and_then(Json::as_u64).and_then(|version| u32::try_from(version).ok());
        let catalog_version = version.ok_or_else(|| Error::malformed("it has no version of the catalogue"))?;
        let at = text(json, "at").and_then(|at| DateTime::parse_from_rfc3339(at).ok()).map(|at| at.to_utc());
        // RFC 3339 has the years 0 to 9999, and another offset can lead out of them.
        let at = at.filter(|at| (1..=9_999).contains(&at.year()));
        Ok(Self {
            at: at.ok_or_else(|| Error::malformed("its time is none"))?.trunc_subsecs(6),
            digest: text(json, "digest").unwrap_or_default().parse()?,
            catalog_version,
            score: read_score(json.get("score"), catalog_version)?,
            statuses: read_statuses(json.get("controls"), catalog_version)?,
        })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let score = self.score.map_or(Value::Null, |score| {
            let capped_by = score.capped_by.map_or(Value::Null, |id| id.as_str().into());
            Value::object([("capped_by", capped_by), ("points", u32::from(score.points).into())])
        });
        let statuses = self.statuses.iter().map(|(id, status)| (id.as_str(), status.id().into()));
        let whole = Value::object([
            ("at", timestamp(self.at).into()),
            ("catalog_version", self.catalog_version.into()),
            ("controls", Value::object(statuses)),
            ("digest", self.digest.to_string().into()),
            ("schema", SCHEMA.into()),
            ("score", score),
        ]);
        whole.fmt(f)
    }
}

impl FromStr for Snapshot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::malformed("it is too long"));
        }
        let json = serde_json::from_str(text).map_err(|_| Error::malformed("it is not JSON"))?;
        Self::from_json(&json)
    }
}

fn text<'a>(json: &'a Json, key: &str) -> Option<&'a str> {
    json.get(key).and_then(Json::as_str)
}

fn read_score(json: Option<&Json>, catalog_version: u32) -> Result<Option<Score>, Error> {
    let malformed = || Error::malformed("its score is none");
    let Some(score) = json.ok_or_else(malformed)?.as_object() else {
        return if json.is_some_and(Json::is_null) { Ok(None) } else { Err(malformed()) };
    };
    let points = score.get("points").and_then(Json::as_u64).and_then(|points| u8::try_from(points).ok());
    let capped_by = match score.get("capped_by") {
        Some(Json::Null) => None,
        Some(Json::String(name)) => known(name, catalog_version)?,
        _ => return Err(malformed()),
    };
    let points = points.filter(|points| *points <= 100).ok_or_else(malformed)?;
    Ok(Some(Score { points, capped_by }))
}

fn read_statuses(json: Option<&Json>, catalog_version: u32) -> Result<BTreeMap<ControlId, StatusKind>, Error> {
    let controls = json.and_then(Json::as_object).ok_or_else(|| Error::malformed("it has no controls"))?;
    let mut statuses = BTreeMap::new();
    for (name, status) in controls {
        let status = StatusKind::ALL.into_iter().find(|kind| status.as_str() == Some(kind.id()));
        let status = status.ok_or_else(|| Error::malformed("a status is not one that is known"))?;
        if let Some(id) = known(name, catalog_version)? {
            statuses.insert(id, status);
        }
    }
    if catalog_version == CATALOG_VERSION && statuses.len() != catalog().count() {
        return Err(Error::malformed("it does not have every control of its catalogue"));
    }
    Ok(statuses)
}

/// A control by its name; nothing for one that another version of the catalogue may have had.
fn known(name: &str, catalog_version: u32) -> Result<Option<ControlId>, Error> {
    match name.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) if catalog_version == CATALOG_VERSION => Err(Error::malformed("a control is not one of its catalogue")),
        Err(_) => Ok(None),
    }
}

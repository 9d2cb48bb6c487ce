//! An assessment as JSON, as OSCAL, as Markdown, as CSV and as a page.

pub mod html;

mod csv;
mod json;
mod markdown;
mod oscal;
mod value;

pub use csv::csv;
pub use html::page as html_page;
pub(crate) use json::canonical_observation;
pub use json::json;
pub use markdown::markdown;
pub use oscal::oscal;
pub(crate) use value::Value;

use chrono::{DateTime, SecondsFormat, Utc};

/// What every export says about itself.
pub(crate) const NOTICE: &str = "Readiness measured by the product itself. This is not an audit opinion.";

/// What no export covers.
pub(crate) const SCOPE: &str = "The catalogue covers what software can show about itself. Governance, personnel, physical security, \
     risk management and most privacy criteria concern people and paperwork: they are outside of it and are not scored. \
     Controls without fresh evidence are shown as not yet, whatever the reason.";

/// A day, for due dates.
pub(crate) fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

/// To the second, for people.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// RFC 3339 to the microsecond, for programs.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

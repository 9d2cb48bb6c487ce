//! The report as JSON.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::kind::Attempt;
use super::report::{ProbeReport, ProbeRow, Verdict};

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl Serialize for ProbeRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (verdict, reason) = match self.verdict() {
            Verdict::Held => ("held", None),
            Verdict::Leaked => ("leaked", None),
            Verdict::Untested(reason) => ("untested", Some(reason.as_str())),
            Verdict::Known(control) => ("known", Some(*control)),
        };
        let mut row = serializer.serialize_struct("ProbeRow", 6)?;
        row.serialize_field("attempt", &self.attempt())?;
        row.serialize_field("object", self.object())?;
        row.serialize_field("expected", self.attempt().expected())?;
        row.serialize_field("seen", self.seen())?;
        row.serialize_field("verdict", verdict)?;
        row.serialize_field("reason", &reason)?;
        row.end()
    }
}

impl Serialize for ProbeReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("ProbeReport", 3)?;
        report.serialize_field("schema", self.schema())?;
        report.serialize_field("isolated", &self.is_isolated())?;
        report.serialize_field("rows", self.rows())?;
        report.end()
    }
}

//! Whether a backup can be restored, as the last drill found it.

use chrono::{DateTime, Utc};
use stockade::posture::{ControlId, Observation, Subject, rls_migrations};

use crate::{app::App, evidence::LastDrill};

/// Every reading is judged anew, so that a drill that was green runs out.
pub(super) fn measure(app: &App, now: DateTime<Utc>) -> Observation {
    let control = ControlId::BACKUP_RESTORE;
    let subject = Subject::new("restore drill");
    match app.watch.rehearsal().last() {
        Ok(LastDrill::Reported(report)) => rls_migrations::restore_drill(&report, now),
        Ok(LastDrill::Stopped) => {
            Observation::fail(control, subject, now, "the last drill stopped before anything could be compared")
        }
        Ok(LastDrill::None) => Observation::unknown(control, subject, now, "no restore was drilled yet"),
        Err(_) => Observation::unknown(control, subject, now, "the report of the last drill cannot be read"),
    }
}

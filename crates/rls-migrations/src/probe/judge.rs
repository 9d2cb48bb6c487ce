//! From what the database answered to a verdict.

use super::facts::Facts;
use super::kind::Attempt;
use super::report::Verdict;
use crate::ident::Ident;

/// SQLSTATE of a refusal by privilege or by policy.
pub(super) const REFUSED: &str = "42501";

/// What the database answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// So many rows, or a number that a query gave.
    Rows(i64),
    Error {
        code: String,
        /// The message holds the identifier of tenant B.
        names_b: bool,
    },
}

impl Seen {
    pub(super) fn is_error(&self, wanted: &str) -> bool {
        matches!(self, Self::Error { code, .. } if code == wanted)
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Rows(1) => "1 row".to_owned(),
            Self::Rows(number) => format!("{number} rows"),
            Self::Error { code, names_b: false } => format!("SQLSTATE {code}"),
            Self::Error { code, names_b: true } => format!("SQLSTATE {code}, and the message names B"),
        }
    }
}

/// Which answer means what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// No row, or a refusal; the control is that A reaches its own row in the same way.
    NoRows(Control),
    /// No row, or any error: a context that is not a tenant's.
    NothingOrError,
    /// A refusal, or one of these codes; the control as above.
    Refused(Control, &'static [&'static str]),
    /// The row goes in; one of the codes of a conflict, or no row, shows that B has it.
    Unnoticed,
    /// An error whose message names B.
    NamesNobody,
    /// A refusal by privilege; every other answer comes after the privilege was found.
    NoPrivilege,
    /// The plain number: not zero is a leak.
    Zero,
    /// As `NoRows`, and a channel that is known to be open where there are some.
    Channel(Control),
    /// No row, or a refusal, also of a view that cannot be written.
    NotWritten,
    /// The declaration allows it.
    Declared,
}

/// What A must be able to do for an answer to prove anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    None,
    Read,
    Insert,
    Update,
    Delete,
}

/// What A was seen to do to its own row, and what it may do by its privileges.
#[derive(Debug, Clone)]
pub(super) struct Controls {
    pub(super) read: Seen,
    pub(super) insert: Seen,
    pub(super) update: Seen,
    pub(super) delete: Seen,
    privileged: [bool; 4],
    /// There is a unique key without the tenant.
    global: bool,
    /// One without a UUID in it.
    guessable: bool,
}

impl Controls {
    /// Before anything was seen.
    pub(super) fn of(facts: &Facts, tenant: &Ident) -> Self {
        let without = |key: &&Vec<String>| !key.iter().any(|name| name == tenant.as_str());
        let is_uuid = |name: &String| facts.column(name).is_some_and(|column| column.base == "uuid");
        let global = facts.uniques.iter().any(|key| without(&key));
        let guessable = facts.uniques.iter().filter(without).any(|key| !key.iter().any(is_uuid));
        let nothing = Seen::Rows(0);
        let any = |may: fn(&super::facts::Column) -> bool| facts.columns.iter().any(may);
        let privileged = [
            any(|column| column.may.select),
            any(|column| column.may.insert),
            any(|column| column.may.update),
            any(|column| column.may.delete),
        ];
        let [read, insert, update, delete] = [(); 4].map(|()| nothing.clone());
        Self { read, insert, update, delete, privileged, global, guessable }
    }

    /// A key that leaves the tenant out shows a conflict; a key of UUIDs shows it to nobody who has to guess.
    fn conflict(&self, attempt: Attempt) -> Verdict {
        if self.guessable { Verdict::Leaked } else { known(attempt) }
    }

    /// Why the answer proves nothing, if it does not.
    fn missing(&self, control: Control) -> Option<String> {
        let [read, insert, update, delete] = self.privileged;
        let (what, seen, privileged) = match control {
            Control::None => return None,
            Control::Read => ("read", &self.read, read),
            Control::Insert => ("insert", &self.insert, insert),
            Control::Update => ("change", &self.update, update),
            Control::Delete => ("remove", &self.delete, delete),
        };
        let reached = match seen {
            Seen::Rows(rows) => *rows > 0,
            Seen::Error { code, .. } => match control {
                // A row that others hang from was found before it could not be removed.
                Control::Delete => code == "23503",
                // Policies are asked before keys: a second row of a tenant that can have one had passed them.
                Control::Insert => matches!(code.as_str(), "23505" | "23P01"),
                _ => false,
            },
        };
        (privileged && !reached).then(|| format!("A cannot {what} a row of its own either ({})", seen.text()))
    }
}

pub(super) fn judge(attempt: Attempt, expect: Expect, seen: &Seen, controls: Option<&Controls>) -> Verdict {
    let guard = |control: Control| match controls.and_then(|controls| controls.missing(control)) {
        Some(reason) => Verdict::Untested(reason),
        None => Verdict::Held,
    };
    let refused = |also: &[&str]| match seen {
        Seen::Error { code, .. } => code == REFUSED || code.starts_with("SG") || also.contains(&code.as_str()),
        Seen::Rows(_) => false,
    };
    match (expect, seen) {
        (Expect::NoRows(control) | Expect::Channel(control), Seen::Rows(0)) => guard(control),
        (Expect::NoRows(control) | Expect::Channel(control), _) if refused(&[]) => guard(control),
        // The row was found: only another row that hangs from it stood in the way.
        (Expect::NoRows(Control::Delete), Seen::Error { code, .. }) if code == "23503" => Verdict::Leaked,
        // Policies are asked before keys: this row had passed them.
        (Expect::Refused(_, also), Seen::Error { code, .. })
            if matches!(code.as_str(), "23503" | "23505" | "23P01")
                && !also.contains(&code.as_str())
                // Of a parent the other keys of a row say nothing.
                && !matches!(attempt, Attempt::AppendOnly | Attempt::ClosedPeriod | Attempt::ForeignKeyOracle) =>
        {
            Verdict::Leaked
        }
        (Expect::Zero, Seen::Rows(0)) => Verdict::Held,
        (Expect::NothingOrError, Seen::Rows(0) | Seen::Error { .. }) => guard(Control::Read),
        (Expect::Refused(control, also), _) if refused(also) => guard(control),
        (Expect::NotWritten, Seen::Rows(0)) => Verdict::Held,
        (Expect::NotWritten, _) if refused(&["55000"]) => Verdict::Held,
        (Expect::Unnoticed, _) => unnoticed(attempt, seen, controls, guard(Control::Insert)),
        (Expect::NamesNobody, Seen::Error { names_b: true, .. }) => Verdict::Leaked,
        (Expect::NamesNobody, _) => guard(Control::Read),
        (Expect::NoPrivilege, _) if refused(&[]) => Verdict::Held,
        (Expect::NoPrivilege, _) => Verdict::Leaked,
        (Expect::Channel(_), Seen::Rows(_)) | (Expect::Declared, _) => known(attempt),
        (Expect::Refused(..), Seen::Rows(0)) | (_, Seen::Error { .. }) => {
            Verdict::Untested(format!("failed for another reason ({})", seen.text()))
        }
        (_, Seen::Rows(_)) => Verdict::Leaked,
    }
}

/// What the answer to an insert over B's values shows.
fn unnoticed(attempt: Attempt, seen: &Seen, controls: Option<&Controls>, guard: Verdict) -> Verdict {
    let Some(controls) = controls else { return guard };
    let [_, _, update, _] = controls.privileged;
    match seen {
        Seen::Rows(1..) => Verdict::Held,
        Seen::Rows(_) => controls.conflict(attempt),
        Seen::Error { code, .. } if matches!(code.as_str(), "23505" | "23P01") => controls.conflict(attempt),
        Seen::Error { code, .. } if code == REFUSED && (attempt != Attempt::Upsert || !update) => guard,
        // The policy was asked whether the row that is there may be changed, so there is one.
        Seen::Error { code, .. } if code == REFUSED && controls.global => controls.conflict(attempt),
        Seen::Error { .. } => Verdict::Untested(format!("failed for another reason ({})", seen.text())),
    }
}

fn known(attempt: Attempt) -> Verdict {
    attempt.closing_control().map_or(Verdict::Leaked, Verdict::Known)
}

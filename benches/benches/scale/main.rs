//! How cost grows: a curve a subject, measured and written as CSV, of which `scripts/plots` makes the pictures in `docs/scaling/`.
//!
//! ```sh
//! scripts/with-servers cargo bench -p stockade-benches --bench scale -- audit checkpoints rows limiter policy [--upto N] [--into FOLDER]
//! ```
//!
//! measures the subjects that are named, up to so many entries, tenants, rows, keys or roles (all sizes unless told), and writes `audit.csv` and so on
//! (to `docs/scaling/` unless told), a line as soon as it is known. Without a subject nothing is measured, because ten million entries
//! take their time; with `--test` everything runs once and small, into a folder that is removed. Times are those of the processor, which
//! other work on the machine disturbs less, and rates are by the clock. What needs a database makes one of its own and drops it.

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "what a benchmark is for")]
#![expect(clippy::cast_precision_loss, reason = "what is plotted needs no 53 bits")]

mod audit;
mod checkpoints;
mod cost;
mod curve;
mod limiter;
mod policy;
mod rows;
#[expect(
    dead_code,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "made for the benchmark of decisions, of which this takes the wide roles"
)]
#[path = "../rbac/scenario.rs"]
mod scenario;

use std::path::PathBuf;

use self::curve::Curve;

/// What was asked for.
struct Wanted {
    subjects: Vec<String>,
    upto: u64,
    folder: PathBuf,
    scale: Scale,
}

/// How much work goes into a point.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Full,
    /// Of every size a thousandth, and every measurement once.
    Tiny,
}

const SUBJECTS: [&str; 5] = ["audit", "checkpoints", "rows", "limiter", "policy"];

impl Wanted {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scaling").into();
        let mut wanted = Self { subjects: Vec::new(), upto: u64::MAX, folder, scale: Scale::Full };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--test" => wanted.scale = Scale::Tiny,
                "--upto" => {
                    let upto = arguments.next().and_then(|upto| upto.parse().ok());
                    wanted.upto = upto.expect("a number after --upto");
                }
                "--into" => wanted.folder = arguments.next().expect("a folder after --into").into(),
                // What cargo itself says.
                "--bench" => {}
                subject => {
                    assert!(SUBJECTS.contains(&subject), "`{subject}` is none of {SUBJECTS:?}");
                    wanted.subjects.push(argument);
                }
            }
        }
        wanted
    }

    /// Those of the sizes that were asked for, smallest first.
    fn sizes(&self, all: &[u64]) -> Vec<u64> {
        match self.scale {
            Scale::Full => all.iter().copied().filter(|size| *size <= self.upto).collect(),
            Scale::Tiny => {
                let mut sizes: Vec<_> = all.iter().map(|size| (size / 1_000).max(8)).collect();
                sizes.dedup();
                sizes.retain(|size| *size <= 1_000);
                sizes
            }
        }
    }

    fn curve(&self, name: &str, about: &str) -> Curve {
        Curve::create(&self.folder.join(format!("{name}.csv")), about)
    }
}

/// How often a measurement is repeated.
impl Scale {
    const fn times(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Tiny => 1,
        }
    }
}

fn main() {
    let mut wanted = Wanted::read(std::env::args().skip(1));
    let scratch = tempfile::tempdir().expect("a folder");
    if wanted.scale == Scale::Tiny {
        wanted.folder = scratch.path().to_owned();
        wanted.subjects = SUBJECTS.map(str::to_owned).into();
    }
    if wanted.subjects.is_empty() {
        println!("scale: name what to measure, of {SUBJECTS:?}; see benches/benches/scale/main.rs");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for subject in &wanted.subjects {
        match subject.as_str() {
            "limiter" => limiter::measure(&wanted),
            "policy" => policy::measure(&wanted),
            "audit" => runtime.block_on(audit::measure(&wanted)),
            "checkpoints" => runtime.block_on(checkpoints::measure(&wanted)),
            "rows" => runtime.block_on(rows::measure(&wanted)),
            other => panic!("nothing measures {other}"),
        }
    }
}

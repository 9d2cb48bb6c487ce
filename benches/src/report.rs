//! Results: a line for people, and one for `scripts/bench`.

use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    median,
    row::{Row, Rows},
};

/// Names the file to which results are added, one JSON object a line.
const FILE: &str = "STOCKADE_BENCH_RESULTS";

/// Tells the results of one benchmark. What it tells, beside what and with which bar, stands in `bars.toml`.
#[derive(Debug)]
pub struct Report {
    rows: Rows,
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Bars {
    bench: Vec<Rows>,
}

/// A result as `scripts/bench` reads it. What is not a number is null.
#[derive(Serialize)]
struct Told<'a> {
    bench: &'a str,
    #[serde(flatten)]
    row: &'a Row,
    ours: f64,
    theirs: Option<f64>,
    ratio: Option<f64>,
}

#[expect(clippy::expect_used, clippy::panic, reason = "a benchmark whose result cannot be told should stop")]
impl Report {
    /// The report of a benchmark, to the file that the environment names.
    ///
    /// # Panics
    ///
    /// Where `bars.toml` does not name the benchmark.
    #[must_use]
    pub fn of(bench: &str) -> Self {
        Self::to(bench, env::var_os(FILE).map(PathBuf::from))
    }

    /// The report of a benchmark to a file, or to people alone.
    ///
    /// # Panics
    ///
    /// Where `bars.toml` does not name the benchmark.
    #[must_use]
    pub fn to(bench: &str, file: Option<PathBuf>) -> Self {
        let bars: Bars = toml::from_str(include_str!("../bars.toml")).expect("sound rows in bars.toml");
        let rows = bars.bench.into_iter().find(|rows| rows.name == bench);
        Self { rows: rows.unwrap_or_else(|| panic!("bars.toml does not name `{bench}`")), file }
    }

    /// Tells the rows of a group from what was measured, by name.
    ///
    /// # Panics
    ///
    /// Where `bars.toml` has no row of the group, or one of something that was not measured.
    pub fn tell(&self, group: &str, measured: &[(&str, f64)]) {
        let rounds: Vec<_> = measured.iter().map(|(name, value)| (*name, vec![*value])).collect();
        self.tell_rounds(group, &rounds);
    }

    /// The same from interleaved rounds: the medians, and the median of the ratios within a round.
    ///
    /// # Panics
    ///
    /// As [`tell`](Self::tell).
    pub fn tell_rounds(&self, group: &str, measured: &[(&str, Vec<f64>)]) {
        let of = |name: &str| {
            let found = measured.iter().find(|(measured, _)| *measured == name);
            let (_, rounds) = found.unwrap_or_else(|| panic!("`{name}` was not measured in `{group}`"));
            rounds
        };
        let bench = &self.rows.name;
        let mut rows = self.rows.rows.iter().filter(|row| row.group == group).peekable();
        assert!(rows.peek().is_some(), "bars.toml has no row of `{group}` in `{bench}`");
        println!("\n{bench}, {group}");
        for row in rows {
            let rounds = of(&row.of);
            let ours = median(rounds.clone());
            let Some(over) = &row.over else {
                println!("  {}: {ours:.2} {}{}", row.of, row.unit, row.verdict(ours));
                self.write(&Told { bench, row, ours, theirs: None, ratio: None });
                continue;
            };
            let theirs = of(over);
            let ratio = median(rounds.iter().zip(theirs).map(|(ours, theirs)| row.ratio(*ours, *theirs)).collect());
            let theirs = median(theirs.clone());
            let (unit, verdict) = (&row.unit, row.verdict(ratio));
            println!("  {} beside {over}: {ours:.2} / {theirs:.2} {unit}, ratio {ratio:.2}{verdict}", row.of);
            self.write(&Told { bench, row, ours, theirs: Some(theirs), ratio: Some(ratio) });
        }
    }

    fn write(&self, told: &Told<'_>) {
        let Some(path) = &self.file else { return };
        let line = serde_json::to_string(told).expect("a result is JSON");
        let file = OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("the file of results"), "{line}").expect("room for a line");
    }
}

//! Tables for people: the `csv` crate reads what was written, and no cell begins like a formula.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::postgres::csv_line;

fuzz_target!(|cells: Vec<String>| {
    // A line of one empty cell is an empty line, which a reader skips. A table of ours has 24 columns.
    if cells.len() < 2 {
        return;
    }
    let line = csv_line(&cells);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1, "one line is one record");
    assert_eq!(records[0].len(), cells.len());
    for (read, written) in records[0].iter().zip(&cells) {
        assert!(!read.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']));
        assert!(!read.starts_with(['\t', '\r', '\n']));
        assert!(read == written || read.strip_prefix('\'') == Some(written));
    }
});

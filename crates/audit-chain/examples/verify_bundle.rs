//! Verifies an export bundle, offline: `cargo run -p stockade-audit-chain --example verify_bundle -- FILE --key KEY`.
//!
//! Exits with 0 if the bundle is intact and a key or a head that the caller trusts vouches for all of it, with 1 if it or
//! the log was tampered with or the file is damaged, with 2 if nothing is wrong and nothing vouches for it, and with 3 if
//! it was called wrongly or cannot read the file.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a report")]

use std::{env, fs::File, io::BufReader, process::ExitCode};

use stockade_audit_chain::{BundleReport, BundleVerifier, Conclusion, Error, ErrorKind};

const USAGE: &str = "usage: verify_bundle FILE [--key KEY]... [--head TENANT:CHAIN:NUMBER:HASH]...
  --key   a verifier key that you trust; a checkpoint that it signed vouches for what it commits to
  --head  a head that you kept yourself; it vouches for the entries up to its number
exit: 0 intact, 1 tampered or damaged, 2 unverifiable, 3 usage";

const INTACT: u8 = 0;
const TAMPERED: u8 = 1;
const UNVERIFIABLE: u8 = 2;
const MISUSED: u8 = 3;

fn main() -> ExitCode {
    ExitCode::from(run(env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}\n{USAGE}");
        MISUSED
    }))
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<u8, String> {
    let mut file = None;
    let mut verifier = BundleVerifier::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--key" => {
                let key = arguments.next().and_then(|key| key.parse().ok());
                verifier = verifier.key(key.ok_or("`--key` is followed by a verifier key")?);
            }
            "--head" => {
                let head = arguments.next().and_then(|head| head.parse().ok());
                verifier = verifier.kept_head(head.ok_or("`--head` is followed by tenant, chain, number and hash")?);
            }
            option if option.starts_with('-') => return Err(format!("`{option}` is not an option")),
            path if file.is_none() => file = Some(path.to_owned()),
            _ => return Err("one file at a time".to_owned()),
        }
    }
    let file = file.ok_or("which file?")?;
    let input = File::open(&file).map_err(|error| format!("`{file}` cannot be opened: {error}"))?;
    match verifier.verify(BufReader::new(input)) {
        Ok(report) => Ok(print(&report)),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &Error) -> Result<u8, String> {
    let (result, code) = match error.kind() {
        ErrorKind::Io => return Err(error.to_string()),
        ErrorKind::UnknownFormat => ("UNVERIFIABLE", UNVERIFIABLE),
        _ => ("DAMAGED", TAMPERED),
    };
    println!("{error}\nresult    {result}");
    Ok(code)
}

fn print(report: &BundleReport) -> u8 {
    let (header, found) = (report.header(), report.report());
    println!("tenant    {}", header.head().tenant);
    println!("chain     {}", header.head().chain.as_uuid());
    println!("exported  {} (as the file says)", header.exported_at().to_rfc3339());
    match header.filter() {
        None => println!("entries   {} to {}, {} checked", header.first(), header.head().seq, found.checked()),
        Some(filter) => {
            println!("entries   {} of those up to {}, chosen by {filter:?}", found.checked(), header.head().seq);
        }
    }
    for verdict in found.verdicts() {
        println!("found     {verdict}");
    }
    if found.suppressed() > 0 {
        println!("found     {} more", found.suppressed());
    }
    match report.vouched_through() {
        Some(seq) => println!("vouched   up to entry {seq}"),
        None => println!("vouched   by nothing that you gave: whoever made the file can have made all of it up"),
    }
    println!("complete  {}", complete(report));
    println!("head      {}", header.head());
    let (result, code) = match report.conclusion() {
        Conclusion::Intact => ("INTACT", INTACT),
        Conclusion::Unverifiable => ("UNVERIFIABLE", UNVERIFIABLE),
        Conclusion::Tampered => ("TAMPERED", TAMPERED),
    };
    println!("result    {result}");
    code
}

fn complete(report: &BundleReport) -> &'static str {
    match (report.is_complete(), report.header().filter()) {
        (true, _) => "yes: no entry between the first and the last was left out",
        (false, Some(_)) => "not provable: a choice of entries",
        (false, None) => "not proven",
    }
}

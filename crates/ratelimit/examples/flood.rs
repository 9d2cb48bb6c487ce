//! An attack, live: one account is being guessed, and a flood of other names tries to push it out of memory.
//!
//! `cargo run --release -p stockade-ratelimit --example flood`. Ends by itself; exit code 1 if the victim's account was
//! admitted again.

#![expect(clippy::print_stdout, reason = "it is there to be looked at")]

use std::error::Error;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stockade_ratelimit::{Cost, Key, Limiter, MonotonicClock, Rule};

const FLOOD: u32 = 2_000_000;
const CAPACITY: usize = 100_000;
const LINES: u32 = 10;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let five = NonZeroU32::new(5).ok_or("five is zero")?;
    let limiter = Limiter::builder()
        .rule(Rule::exact("login.account", five, Duration::from_secs(15 * 60)))
        .capacity(CAPACITY)
        .clock(MonotonicClock::new())
        .build()?;
    let rule = limiter.rule("login.account")?;
    let victim = [(rule, Key::account("ana@acme.test"))];

    let guesses = (0..1_000).map(|_| limiter.check(&victim, Cost::ONE));
    let passed = guesses.filter(|decision| decision.as_ref().is_ok_and(|decision| decision.allowed)).count();
    println!("1000 guesses at one account, limit 5 in 15 minutes: {passed} passed");
    println!("now {FLOOD} other names, on a table for {CAPACITY}\n");
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>9} {:>16}",
        "requests", "admitted", "refused", "per second", "memory", "victim's budget"
    );

    let (before, began) = (resident(), Instant::now());
    let (mut admitted, mut freed) = (0_u32, 0_u32);
    for number in 1..=FLOOD {
        let name = Key::bytes(number.to_le_bytes());
        admitted += u32::from(limiter.check(&[(rule, name)], Cost::ONE)?.allowed);
        if number % (FLOOD / LINES) == 0 {
            let budget = limiter.peek(&victim, Cost::ONE)?;
            freed += u32::from(budget.allowed);
            let speed = f64::from(number) / began.elapsed().as_secs_f64();
            let grown = resident().saturating_sub(before) / 1024;
            println!(
                "{number:>10} {admitted:>10} {:>10} {speed:>10.0} {:>9} {:>16}",
                number - admitted,
                format!("+{grown} KiB"),
                format!("{} of 5", budget.remaining),
            );
            std::io::stdout().flush()?;
        }
    }

    let refused = limiter.snapshot().rules.iter().map(|rule| rule.table_full).sum::<u64>();
    println!(
        "\n{refused} new names were refused because the table was full, and no account that counts lost its place"
    );
    let verdict = if freed == 0 && passed == 5 { "the victim stayed locked" } else { "THE VICTIM WAS ADMITTED AGAIN" };
    println!("{verdict}");
    Ok(if freed == 0 && passed == 5 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The resident memory of this process in bytes; 0 where the system does not tell.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

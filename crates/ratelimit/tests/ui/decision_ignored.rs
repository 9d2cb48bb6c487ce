//! A decision that is not looked at is a mistake.

#![deny(unused_must_use)]

use stockade_ratelimit::{Cost, Error, Key, Limiter};

fn main() -> Result<(), Error> {
    let limiter = Limiter::builder().build()?;
    let keys = [(limiter.rule("login.ip")?, Key::text("key"))];
    limiter.check(&keys, Cost::ONE)?;
    limiter.reserve(&keys, Cost::ONE)?;
    Ok(())
}

//! A witness: remembers the last checkpoint that it saw of each log, and cosigns only what continues it.
//!
//! `cargo run -p stockade-audit-chain --features checkpoint --example witness -- ADDRESS STATE-FOLDER SEED-FILE NAME LOG-KEY...`
//!
//! Speaks `POST /add-checkpoint` of C2SP tlog-witness. Whoever runs it, on a machine of their own, need not trust the log's
//! operator. `SEED-FILE` holds 32 random bytes.

mod server;

use std::{env, error::Error, fs, net::TcpListener, path::PathBuf};

use server::Witness;
use stockade_audit_chain::LocalSigner;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: witness ADDRESS STATE-FOLDER SEED-FILE NAME LOG-KEY...");
    let (address, state, seed, name) = (next()?, PathBuf::from(next()?), next()?, next()?);
    let seed = <[u8; 32]>::try_from(fs::read(seed)?).map_err(|_| "the seed is not 32 bytes long")?;
    let keys = arguments.map(|key| key.parse()).collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(&state)?;
    let witness = Witness::new(LocalSigner::from_seed(name, &seed)?, keys, state);
    server::serve(&TcpListener::bind(address)?, &witness)
}

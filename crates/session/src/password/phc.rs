//! PHC strings of argon2id, with ceilings on what a stored one may ask for.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::Argon2Params;
use crate::error::{Error, Result};

const OUTPUT: usize = 32;

/// A stored hash that is affordable to verify.
#[derive(Debug)]
pub(super) struct Stored {
    params: Params,
    salt: Salt,
    expected: Output,
}

/// Memory for one computation at a time, kept between computations and wiped after each.
#[derive(Debug)]
pub(super) struct Scratch {
    blocks: Vec<Block>,
    computed: Arc<AtomicU64>,
}

impl Stored {
    /// Nothing if the text is not a hash that this crate makes, or asks for too much.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let cost = Argon2Params { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
        let sound = Algorithm::try_from(hash.algorithm.as_str()) == Ok(Algorithm::Argon2id)
            && hash.version == Some(Version::V0x13.into())
            && cost.is_affordable()
            // A key id asks for a pepper, which this version does not have.
            && params.keyid().is_empty()
            && params.data().is_empty()
            && salt.len() >= 8
            && expected.len() >= 16;
        sound.then_some(Self { params, salt, expected })
    }

    pub(super) fn verify(&self, password: &[u8], scratch: &mut Scratch) -> bool {
        let mut output = Zeroizing::new(vec![0; self.expected.len()]);
        let computed = scratch.compute(&self.params, password, &self.salt, &mut output);
        computed.is_some() & bool::from(output.ct_eq(self.expected.as_bytes()))
    }
}

impl Scratch {
    /// Memory for hashes of this cost, and a count of the computations made in it.
    pub(super) fn new(params: Argon2Params, computed: &Arc<AtomicU64>) -> Result<Self> {
        let blocks = vec![Block::new(); argon2_params(params)?.block_count()];
        Ok(Self { blocks, computed: Arc::clone(computed) })
    }

    /// Counts a computation that was made elsewhere.
    pub(super) fn note(&self) {
        self.computed.fetch_add(1, Ordering::Relaxed);
    }

    fn compute(&mut self, params: &Params, password: &[u8], salt: &[u8], output: &mut [u8]) -> Option<()> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut extra;
        let blocks = if params.block_count() <= self.blocks.len() {
            &mut self.blocks
        } else {
            // Not kept: one expensive stored hash must not make a thread big for ever.
            extra = vec![Block::new(); params.block_count()];
            &mut extra
        };
        let blocks = blocks.get_mut(..params.block_count())?;
        let result = argon2.hash_password_into_with_memory(password, salt, output, &mut *blocks);
        blocks.iter_mut().for_each(Zeroize::zeroize);
        self.note();
        result.ok()
    }
}

/// Hashes with a fresh salt of 16 bytes.
pub(super) fn hash(params: Argon2Params, password: &[u8], scratch: &mut Scratch) -> Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(Error::random)?;
    hash_with_salt(params, password, &salt, scratch)
}

fn hash_with_salt(params: Argon2Params, password: &[u8], salt: &[u8], scratch: &mut Scratch) -> Result<String> {
    let impossible = || Error::configuration("argon2 refused its parameters");
    let params = argon2_params(params)?;
    let salt = Salt::new(salt).map_err(|_| impossible())?;
    let mut output = Zeroizing::new([0; OUTPUT]);
    scratch.compute(&params, password, &salt, output.as_mut_slice()).ok_or_else(impossible)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| impossible())?,
        salt: Some(salt),
        hash: Some(Output::new(output.as_slice()).map_err(|_| impossible())?),
    };
    Ok(hash.to_string())
}

fn argon2_params(params: Argon2Params) -> Result<Params> {
    Params::new(params.memory_kib, params.passes, params.lanes, Some(OUTPUT))
        .map_err(|_| Error::configuration("argon2 refused its parameters"))
}

#[cfg(test)]
mod tests;

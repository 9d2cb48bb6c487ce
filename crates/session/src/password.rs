//! Password hashing: parameters and rules.

mod hashing;
mod pepper;
mod phc;
mod pool;
mod rules;
mod worker;

use crate::error::{Error, Result};

pub use hashing::{BcryptCost, Hashing};
pub use pepper::Peppers;
pub(crate) use pool::Slot;
pub use pool::{HashPool, HashPoolConfig, Verdict};
pub use rules::{BreachList, OnOutage, PasswordProblem, PasswordRules};

/// The fewest characters of a new password (ASVS 5.0, 6.2.1).
pub(crate) const MIN_CHARS: usize = 8;
/// The most bytes of a password. ASVS 5.0, 6.2.9 asks for at least 64 characters.
pub(crate) const MAX_BYTES: usize = 1024;

/// The cost of argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// The most memory that a hash may ask for, in KiB: 256 MiB.
    pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
    /// The most passes that a hash may ask for.
    pub const MAX_PASSES: u32 = 10;
    /// The most lanes that a hash may ask for.
    pub const MAX_LANES: u32 = 4;

    /// The weakest sets that the OWASP Password Storage Cheat Sheet names, as (KiB, passes).
    const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

    /// Parameters between the OWASP minimum and the ceilings of this type.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside of them.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self> {
        let strong = Self::FLOOR.iter().any(|&(m, t)| memory_kib >= m && passes >= t);
        let params = Self { memory_kib, passes, lanes };
        if !strong || !params.is_affordable() {
            return Err(Error::invalid("argon2 parameters are below the owasp minimum or above the ceilings"));
        }
        Ok(params)
    }

    /// The cheapest parameters there are, for tests.
    #[must_use]
    pub const fn dangerously_weak() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1 }
    }

    /// What a PHC string with these parameters begins with.
    pub(crate) fn prefix(self) -> String {
        format!("$argon2id$v=19$m={},t={},p={}$", self.memory_kib, self.passes, self.lanes)
    }

    fn is_affordable(self) -> bool {
        self.memory_kib <= Self::MAX_MEMORY_KIB
            && (1..=Self::MAX_PASSES).contains(&self.passes)
            && (1..=Self::MAX_LANES).contains(&self.lanes)
    }
}

impl Default for Argon2Params {
    /// 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Refuses a password that is too short or too long to be set.
pub(crate) fn check_new(password: &str) -> Result<()> {
    if password.chars().count() < MIN_CHARS {
        return Err(Error::invalid("a password has at least 8 characters"));
    }
    if password.len() > MAX_BYTES {
        return Err(Error::invalid("a password has at most 1024 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_a_floor_and_a_ceiling() {
        assert_eq!(Argon2Params::new(19_456, 2, 1).unwrap(), Argon2Params::default());
        assert!(Argon2Params::new(47_104, 1, 1).is_ok());
        for (m, t, p) in
            [(19_456, 1, 1), (7_167, 5, 1), (262_145, 2, 1), (19_456, 11, 1), (19_456, 2, 5), (19_456, 2, 0)]
        {
            assert!(Argon2Params::new(m, t, p).is_err(), "m={m} t={t} p={p}");
        }
    }

    #[test]
    fn password_length() {
        assert!(check_new("1234567").is_err());
        assert!(check_new("12345678").is_ok());
        assert!(check_new("\u{1F512}1234567").is_ok());
        assert!(check_new(&"x".repeat(1024)).is_ok());
        assert!(check_new(&"x".repeat(1025)).is_err());
    }
}

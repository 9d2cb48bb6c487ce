//! Which policy, and which state of a person, a decision is from.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Which text a policy was compiled from: the first eight bytes of its SHA-256. Displayed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PolicyVersion([u8; 8]);

/// Which change of a person's roles, overrides, memberships or status an authority is from.
///
/// Two versions are the same or different, and neither says which is newer. No version is ever used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectVersion(i64);

impl PolicyVersion {
    pub(crate) fn of(source: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(source).into();
        let mut first = [0; 8];
        first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(first)
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<i64> for SubjectVersion {
    fn from(version: i64) -> Self {
        Self(version)
    }
}

impl From<SubjectVersion> for i64 {
    fn from(version: SubjectVersion) -> Self {
        version.0
    }
}

impl fmt::Display for SubjectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

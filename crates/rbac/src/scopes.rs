//! A scope for every permission, as nested bitsets.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, Fault};
use crate::permission::{Kind, Permission};
use crate::problem::{did_you_mean, shown};
use crate::scope::Scope;

/// Five planes of 64 permissions each: a bit of plane `s` is set if the permission reaches at least the scope of rank `s + 1`.
/// The planes are nested, so the scope of a permission is the number of planes in which its bit is set.
type Block = [u64; 5];

/// How far each permission reaches: what a role grants, what a token is limited to, what an actor effectively has.
///
/// Ordered permission by permission, these form a lattice with [`none`](Self::none) at the bottom and [`all`](Self::all) at the
/// top. [`join`](Self::join) and [`meet`](Self::meet) are its operations.
#[derive(Clone, PartialEq, Eq)]
pub struct Scopes<P: Permission> {
    blocks: Box<[Block]>,
    vocabulary: PhantomData<fn() -> P>,
}

impl<P: Permission> Scopes<P> {
    /// Every permission at [`Scope::None`].
    #[must_use]
    pub fn none() -> Self {
        let blocks = vec![Block::default(); P::ALL.len().div_ceil(64)].into_boxed_slice();
        Self { blocks, vocabulary: PhantomData }
    }

    /// Every permission at [`Scope::Platform`]: as a ceiling, no limit.
    #[must_use]
    pub fn all() -> Self {
        P::ALL.iter().fold(Self::none(), |scopes, &perm| scopes.with(perm, Scope::Platform))
    }

    /// Every read permission at [`Scope::Platform`], every write permission at [`Scope::None`].
    #[must_use]
    pub fn reads() -> Self {
        let reads = P::ALL.iter().filter(|perm| perm.kind() == Kind::Read);
        reads.fold(Self::none(), |scopes, &perm| scopes.with(perm, Scope::Platform))
    }

    /// Reads the scopes of a token: `key`, which is as far as the permission goes, or `key:scope`.
    ///
    /// Use it when a token is made, too: a misspelt scope is an error then, and not a token that silently does nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind`](crate::ErrorKind)`::UnknownPermission`, `UnknownScope`, or `ScopeTooWide` if the scope is wider than the
    /// permission allows.
    pub fn parse<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        scopes.into_iter().try_fold(Self::none(), |parsed, entry| {
            let (perm, scope) = parse_entry(entry.as_ref())?;
            Ok(parsed.join(&Self::none().with(perm, scope)))
        })
    }

    /// The same, but with `perm` at `scope`.
    #[must_use]
    pub fn with(mut self, perm: P, scope: Scope) -> Self {
        let (block, bit) = locate(perm);
        if let Some(block) = self.blocks.get_mut(block) {
            for (rank, plane) in block.iter_mut().enumerate() {
                *plane = if rank < scope.rank() { *plane | bit } else { *plane & !bit };
            }
        }
        self
    }

    /// How far `perm` reaches.
    #[must_use]
    pub fn scope(&self, perm: P) -> Scope {
        let (block, bit) = locate(perm);
        let rank = |block: &Block| block.iter().filter(|plane| **plane & bit != 0).count();
        Scope::from_rank(self.blocks.get(block).map_or(0, rank))
    }

    /// The wider of both, permission by permission.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        self.combine(other, |a, b| a | b);
        self
    }

    /// The narrower of both, permission by permission. It never grants: the result is within either.
    #[must_use]
    pub fn meet(mut self, other: &Self) -> Self {
        self.combine(other, |a, b| a & b);
        self
    }

    /// Whether no permission reaches further than in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let planes = self.blocks.iter().flatten().zip(other.blocks.iter().flatten());
        planes.fold(0, |beyond, (a, b)| beyond | (a & !b)) == 0
    }

    /// The permissions that reach anything, and how far, in the order of the vocabulary.
    pub fn iter(&self) -> impl Iterator<Item = (P, Scope)> {
        P::ALL.iter().map(|&perm| (perm, self.scope(perm))).filter(|(_, scope)| *scope != Scope::None)
    }

    fn combine(&mut self, other: &Self, operation: impl Fn(u64, u64) -> u64) {
        for (a, b) in self.blocks.iter_mut().flatten().zip(other.blocks.iter().flatten()) {
            *a = operation(*a, *b);
        }
    }
}

impl<P: Permission> fmt::Debug for Scopes<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(perm, scope)| (perm.key(), scope))).finish()
    }
}

fn locate<P: Permission>(perm: P) -> (usize, u64) {
    let index = perm.index();
    (index / 64, 1 << (index % 64))
}

fn parse_entry<P: Permission>(entry: &str) -> Result<(P, Scope), Error> {
    let (key, scope) = match entry.split_once(':') {
        Some((key, scope)) => (key, Some(scope)),
        None => (entry, None),
    };
    let Some(perm) = P::from_key(key) else {
        let hint = did_you_mean(key, P::ALL.iter().map(|perm| perm.key()));
        return Err(Fault::UnknownPermission { key: shown(key), hint }.into());
    };
    let max = perm.info().up_to();
    let scope = match scope {
        None => max,
        Some(name) => Scope::from_name(name).ok_or_else(|| Fault::UnknownScope { name: shown(name) })?,
    };
    if scope > max {
        return Err(Fault::ScopeTooWide { key: perm.key(), scope, max }.into());
    }
    Ok((perm, scope))
}

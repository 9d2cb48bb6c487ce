//! The subkeys of a key, derived when they are first needed.

use std::any::TypeId;
use std::sync::OnceLock;

/// A list that only grows, one entry for each column that was used: readers take no lock. An application has few
/// columns, so a walk is faster than a hash map.
pub(crate) struct Subkeys<T>(OnceLock<Box<Node<T>>>);

struct Node<T> {
    owner: TypeId,
    subkey: T,
    rest: Subkeys<T>,
}

impl<T> Subkeys<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The subkey of a column or an index, derived at most once.
    #[inline]
    pub(crate) fn find_or_derive(&self, owner: TypeId, derive: impl Fn() -> T) -> &T {
        let mut list = self;
        loop {
            let node = list.0.get_or_init(|| Box::new(Node { owner, subkey: derive(), rest: Self::new() }));
            if node.owner == owner {
                return &node.subkey;
            }
            list = &node.rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Subkeys;

    #[test]
    fn each_owner_has_one_subkey_under_contention() {
        let owners = [TypeId::of::<u8>(), TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>()];
        for _ in 0..200 {
            let subkeys = Subkeys::new();
            let derived = AtomicUsize::new(0);
            let start = Barrier::new(owners.len());
            thread::scope(|scope| {
                for turn in 0..owners.len() {
                    let (subkeys, derived, start) = (&subkeys, &derived, &start);
                    scope.spawn(move || {
                        start.wait();
                        for at in 0..owners.len() {
                            let owner = owners[(turn + at) % owners.len()];
                            let subkey = subkeys.find_or_derive(owner, || {
                                derived.fetch_add(1, Ordering::Relaxed);
                                owner
                            });
                            assert_eq!(*subkey, owner);
                        }
                    });
                }
            });
            assert_eq!(derived.load(Ordering::Relaxed), owners.len());
        }
    }
}

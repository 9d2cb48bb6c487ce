//! A set of the roles of one policy, as a bitset over their positions.

/// Positions of roles. Sets of one policy have one size, so that they can be combined word by word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoleSet(Box<[u64]>);

impl RoleSet {
    /// The empty set, for a policy of that many roles.
    pub(crate) fn empty(roles: usize) -> Self {
        Self(vec![0; roles.div_ceil(64)].into_boxed_slice())
    }

    pub(crate) fn with(mut self, role: usize) -> Self {
        if let Some(word) = self.0.get_mut(role / 64) {
            *word |= 1 << (role % 64);
        }
        self
    }

    pub(crate) fn contains(&self, role: usize) -> bool {
        self.0.get(role / 64).is_some_and(|word| word & 1 << (role % 64) != 0)
    }

    pub(crate) fn join(mut self, other: &Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
        self
    }

    /// How many roles are in both.
    pub(crate) fn in_common(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_on_both_sides_of_a_word() {
        let set = [0, 63, 64, 129].into_iter().fold(RoleSet::empty(130), RoleSet::with);
        assert!((0..200).filter(|role| set.contains(*role)).eq([0, 63, 64, 129]));
        let other = RoleSet::empty(130).with(64).with(65);
        assert_eq!((set.in_common(&other), set.clone().join(&other).in_common(&other)), (1, 2));
        assert_eq!(RoleSet::empty(64).with(64), RoleSet::empty(64));
    }
}

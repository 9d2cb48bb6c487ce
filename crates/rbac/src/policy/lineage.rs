//! Who inherits from whom: an order in which parents come first, and the cycles that prevent one.

/// The result of a walk over all roles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lineage {
    /// Every role once, its parents before it, except where a cycle makes that impossible.
    pub(super) order: Vec<usize>,
    /// Each cycle as a path whose first role is repeated at the end.
    pub(super) cycles: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

impl Lineage {
    /// Walks depth first, with a stack of its own: a long chain of roles must not exhaust the stack of the thread.
    pub(super) fn of(parents: &[Vec<usize>]) -> Self {
        let mut lineage = Self::default();
        let mut marks = vec![Mark::New; parents.len()];
        for start in 0..parents.len() {
            let mut path = Vec::new();
            open(start, parents, &mut marks, &mut path);
            while let Some((role, rest)) = path.last_mut() {
                let role = *role;
                match rest.next() {
                    Some(&parent) if marks.get(parent) == Some(&Mark::Open) => {
                        let from = path.iter().position(|(on_path, _)| *on_path == parent).unwrap_or(0);
                        let cycle = path.iter().skip(from).map(|(on_path, _)| *on_path);
                        lineage.cycles.push(cycle.chain([parent]).collect());
                    }
                    Some(&parent) => open(parent, parents, &mut marks, &mut path),
                    None => {
                        path.pop();
                        lineage.order.push(role);
                        if let Some(mark) = marks.get_mut(role) {
                            *mark = Mark::Done;
                        }
                    }
                }
            }
        }
        lineage
    }
}

type Path<'a> = Vec<(usize, std::slice::Iter<'a, usize>)>;

fn open<'a>(role: usize, parents: &'a [Vec<usize>], marks: &mut [Mark], path: &mut Path<'a>) {
    if let (Some(mark @ Mark::New), Some(parents)) = (marks.get_mut(role), parents.get(role)) {
        *mark = Mark::Open;
        path.push((role, parents.iter()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first() {
        assert_eq!(Lineage::of(&[vec![1, 2], vec![2], vec![]]).order, [2, 1, 0]);
    }

    #[test]
    fn a_cycle_is_reported_once_with_its_path() {
        let lineage = Lineage::of(&[vec![], vec![2, 0], vec![3], vec![1], vec![1], vec![5]]);
        assert_eq!(lineage.cycles, [vec![1, 2, 3, 1], vec![5, 5]]);
        let mut order = lineage.order;
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_roles_is_walked() {
        let parents: Vec<_> = (1..100_000).map(|parent| vec![parent]).chain([vec![]]).collect();
        assert_eq!(Lineage::of(&parents).order.first(), Some(&99_999));
    }
}

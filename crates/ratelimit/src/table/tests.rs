use std::collections::BTreeSet;

use super::*;

#[test]
fn a_key_may_lie_in_two_buckets_wherever_there_are_two_and_in_any() {
    let tagger = Tagger::new();
    for capacity in [1, 6, 7, 13, 100] {
        let table = Table::new(capacity, 1);
        let (mut firsts, mut seconds) = (BTreeSet::new(), BTreeSet::new());
        for key in 0..2_000_u64 {
            let place = table.place(&tagger, &Key::bytes(key.to_be_bytes()));
            assert_eq!(place.first == place.second, table.buckets == 1, "{place:?} of {}", table.buckets);
            firsts.insert(place.first);
            seconds.insert(place.second);
        }
        let all: BTreeSet<usize> = (0..table.buckets).collect();
        assert_eq!((&firsts, &seconds), (&all, &all));
    }
}

#[test]
fn a_tag_has_no_flags_and_is_never_the_word_of_a_vacant_slot() {
    for bits in [0, 1, FLAGS, FLAGS + 1, u64::MAX, u64::MAX - FLAGS] {
        let tag = tag_of(bits);
        assert!(tag != 0 && tag & FLAGS == 0, "{bits:x}: {tag:x}");
    }
    assert_eq!(tag_of(u64::MAX), !FLAGS);
}

#[test]
fn a_place_has_the_gate_of_each_of_its_buckets_the_lower_first() {
    let table = Table::new(MAX_GATES * 3 * WORDS, 1);
    assert!(table.buckets > MAX_GATES * 3);
    let far = MAX_GATES * 2;
    for (first, second) in [(0, 0), (3, 5), (5, 3), (far, 1), (far + 7, 2), (1, far + 1), (MAX_GATES - 1, far)] {
        let gates: Vec<_> = table.gates(&Place { tag: FLAGS + 1, first, second }).collect();
        let expected = BTreeSet::from([first % MAX_GATES, second % MAX_GATES]);
        assert_eq!(gates, Vec::from_iter(expected));
        let closed: Vec<_> = gates.iter().filter_map(|gate| table.close(*gate)).collect();
        assert_eq!(closed.len(), gates.len(), "each is there, and another one");
    }
}

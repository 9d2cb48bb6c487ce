use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::rule::Rule;

/// A table of one bucket.
fn small(rule: &Rule) -> (Table, Terms) {
    let terms = Terms::of(rule, Duration::ZERO);
    (Table::new(1, terms.words()), terms)
}

fn bucket() -> (Table, Terms) {
    small(&Rule::gcra("rule", NonZeroU32::MIN, Duration::from_secs(1)))
}

fn place(key: u64) -> Place {
    Place { tag: key * (FLAGS + 1), first: 0, second: 0 }
}

const KEYS: std::ops::RangeInclusive<u64> = 1..=WORDS as u64;

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

/// None is charged, so each is as good as new; and a bucket of small states is two lines.
#[test]
fn new_keys_take_vacant_slots_before_those_of_others_and_are_found_in_all() {
    let (table, terms) = bucket();
    assert!(table.group < WORDS);
    for key in KEYS {
        table.occupy(&place(key), &terms, 0).unwrap();
    }
    let found: BTreeSet<_> = KEYS.map(|key| table.latch(&place(key)).unwrap().index).collect();
    assert_eq!(found.len(), WORDS);
    assert!(table.latch(&place(9)).is_none());
    table.occupy(&place(9), &terms, 0).unwrap();
    assert_eq!(KEYS.filter(|key| table.latch(&place(*key)).is_none()).count(), 1, "one has lost its slot");
}

#[test]
fn a_state_is_not_taken_for_a_tag() {
    let (table, terms) = small(&Rule::window("rule", NonZeroU32::MIN, Duration::from_secs(1)));
    assert!(table.words > 1 && table.group == WORDS);
    let slot = table.occupy(&place(1), &terms, 0).unwrap();
    (0..table.words).for_each(|index| slot.cells.put(index, place(9).tag));
    drop(slot);
    assert!(table.latch(&place(1)).is_some());
    assert!(table.latch(&place(9)).is_none());
}

#[test]
fn there_is_no_room_in_slots_that_somebody_holds() {
    let (table, terms) = bucket();
    assert!(table.has_room(&place(9), &terms, 0));
    let held: Vec<_> = KEYS.map(|key| table.occupy(&place(key), &terms, 0).unwrap()).collect();
    assert!(!table.has_room(&place(9), &terms, 0) && table.occupy(&place(9), &terms, 0).is_none());
    assert_eq!(table.room_at(&place(9), &terms), Tick::MAX);
    drop(held);
    assert!(table.has_room(&place(9), &terms, 0));
}

#[test]
fn a_sketch_says_when_nothing_counts_any_more() {
    const PERIOD: Tick = 1_000_000_000;
    let rule = Rule::window("rule", NonZeroU32::new(5).unwrap(), Duration::from_nanos(PERIOD));
    let terms = Terms::of(&rule, Duration::ZERO);
    let sketch = Sketch::new(1, &terms);
    let reset = |now| sketch.outlook(&place(1), &terms, now, 1).reset;
    assert_eq!(reset(PERIOD / 4), 0);
    sketch.charge(&place(1), PERIOD / 4, 1);
    // Until the generation after this one ends.
    assert_eq!(reset(PERIOD / 4), PERIOD / 4 * 3 + PERIOD);
    assert_eq!(reset(PERIOD + PERIOD / 4), PERIOD / 4 * 3);
    assert_eq!(reset(PERIOD * 2), 0);
}

#[test]
fn a_sketch_keeps_what_a_thread_with_a_later_time_has_counted() {
    const PERIOD: Tick = 1_000_000_000;
    let rule = Rule::window("rule", NonZeroU32::new(5).unwrap(), Duration::from_nanos(PERIOD));
    let terms = Terms::of(&rule, Duration::ZERO);
    let sketch = Sketch::new(1, &terms);
    sketch.charge(&place(1), PERIOD, 2);
    assert_eq!(sketch.outlook(&place(1), &terms, PERIOD - 1, 1).used, 2);
    sketch.charge(&place(1), PERIOD - 1, 1);
    assert_eq!(sketch.outlook(&place(1), &terms, PERIOD, 1).used, 3);
}

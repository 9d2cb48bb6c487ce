//! The table under loom, which tries every order in which two threads may take their steps.
//!
//! `scripts/models`.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use crate::rule::Rule;
use crate::state::{Terms, Tick};
use crate::table::slot::{FLAGS, LATCHED};
use crate::table::{Place, Slot, Table};

/// One bucket.
fn table() -> (Arc<Table>, Terms) {
    let one = NonZeroU32::MIN;
    let terms = Terms::of(&Rule::gcra("rule", one, Duration::from_nanos(10)), Duration::ZERO);
    (Arc::new(Table::new(1, terms.words())), terms)
}

fn place(key: u64) -> Place {
    Place { tag: key * (FLAGS + 1), first: 0, second: 0 }
}

/// What a limiter does with a key, at a limit of 1.
fn admit(table: &Table, terms: &Terms, key: u64, now: Tick) -> bool {
    if let Some(slot) = table.latch(&place(key)) {
        return charge(&slot, terms, now);
    }
    let _gates: Vec<_> = table.gates(&place(key)).filter_map(|gate| table.close(gate)).collect();
    let slot = table.latch(&place(key)).or_else(|| table.occupy(&place(key), terms, now));
    slot.is_some_and(|slot| charge(&slot, terms, now))
}

fn charge(slot: &Slot<'_>, terms: &Terms, now: Tick) -> bool {
    let fits = terms.outlook(slot.cells, now, 1).wait == 0;
    if fits {
        terms.charge(slot.cells, now, 1);
    }
    fits
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 50_000;
    builder.check(model);
}

#[test]
fn a_new_key_is_admitted_once() {
    explore(|| {
        let (table, terms) = table();
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || admit(&table, &terms, 1, 5))
        };
        let own = admit(&table, &terms, 1, 5);
        assert!(own != other.join().unwrap());
    });
}

#[test]
fn a_key_that_is_there_is_admitted_once() {
    explore(|| {
        let (table, terms) = table();
        assert!(admit(&table, &terms, 1, 5));
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || admit(&table, &terms, 1, 20))
        };
        let own = admit(&table, &terms, 1, 20);
        assert!(own != other.join().unwrap());
    });
}

/// The table is full of keys that are as good as new. While one of them is charged, another key wants a slot: it must
/// not get that one, so afterwards both count.
#[test]
fn a_slot_that_is_being_charged_is_not_given_away() {
    explore(|| {
        let (table, terms) = table();
        assert!((1..9).all(|key| admit(&table, &terms, key, 5)));
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || admit(&table, &terms, 1, 20))
        };
        assert!(admit(&table, &terms, 9, 20));
        assert!(other.join().unwrap());
        assert!(!admit(&table, &terms, 9, 20));
        assert!(!admit(&table, &terms, 1, 20));
    });
}

/// One thread wants the slot for its key, another for whatever key it can get. The owner alone counts, and the loser leaves
/// the word as it is: a latch that nobody holds would stop the key for good.
#[test]
fn a_slot_has_one_owner_and_then_none() {
    explore(|| {
        let (table, terms) = table();
        assert!(admit(&table, &terms, 1, 5));
        let before = table.latch(&place(1)).map_or(0, |slot| slot.cells.at(0));
        let count = |slot: Slot<'_>| slot.cells.put(0, slot.cells.at(0) + 1);
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let (word, index, cells) = table.slot(0, 0).unwrap();
                Slot::try_latch(word, index, cells).map(count).is_some()
            })
        };
        table.latch(&place(1)).map(count).unwrap();
        let owners = 1 + u64::from(other.join().unwrap());
        let (word, _, cells) = table.slot(0, 0).unwrap();
        assert_eq!(word.load(Ordering::Relaxed) & LATCHED, 0);
        assert_eq!(cells.at(0), before + owners);
    });
}

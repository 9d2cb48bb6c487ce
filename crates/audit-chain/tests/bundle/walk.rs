//! The verifier as whoever embeds only the chain uses it: links in memory, each test one way in which they are not what they
//! should be, and exactly what is found.

use std::num::NonZeroUsize;

use stockade_audit_chain::{
    Actor, ChainId, Content, Digest, Entry, Finding, Head, Link, Loss, PurgeEvidence, PurgedRange, Record, Report,
    Verifier,
};
use uuid::Uuid;

use crate::support::{Log, tenant};

type Found = Vec<(Option<u64>, Finding)>;

fn found(report: &Report) -> Found {
    report.verdicts().iter().map(|verdict| (verdict.seq, verdict.finding.clone())).collect()
}

/// Walks over the links, with what is stored for each.
fn look<'a>(
    mut verifier: Verifier,
    entries: impl IntoIterator<Item = &'a (Link, Record)>,
    stored: impl Fn(&Link, &'a Record) -> Content<'a>,
) -> Report {
    for (link, record) in entries {
        verifier.check(link, stored(link, record));
    }
    verifier.finish()
}

fn report<'a>(verifier: Verifier, entries: impl IntoIterator<Item = &'a (Link, Record)>) -> Report {
    look(verifier, entries, |_, record| Content::Record(record))
}

/// The walk over a log in which these entries are missing.
fn without(verifier: Verifier, log: &Log, gone: &[u64]) -> Report {
    look(
        verifier,
        &log.entries,
        |link, record| {
            if gone.contains(&link.seq) { Content::Missing } else { Content::Record(record) }
        },
    )
}

/// Says that a restore lost what came after an entry, up to a head that was kept.
fn restored(log: &mut Log, after: u64, kept: &Head) -> Loss {
    let statement = Loss::statement(after, kept.seq, &kept.hash);
    let stated = log.append(&Entry::new(tenant(), Actor::system("restore"), Loss::ACTION).after(statement));
    log.append(&Entry::new(tenant(), Actor::system("restore"), "service.started"));
    Loss::read(&stated).unwrap()
}

fn walk<'a>(verifier: Verifier, entries: impl IntoIterator<Item = &'a (Link, Record)>) -> Found {
    found(&report(verifier, entries))
}

fn missing(from: u64, through: u64) -> Found {
    vec![(Some(from), Finding::LinkMissing { through })]
}

fn other_hash() -> Digest {
    Digest::from([7; 32])
}

#[test]
fn the_walk_ends_with_the_stored_head() {
    let log = Log::of(5);
    let mismatch = || vec![(Some(5), Finding::HeadMismatch)];
    let against = |head| Verifier::new(tenant(), head);
    assert_eq!(walk(against(Some(log.head)), &log.entries), []);
    assert_eq!(walk(against(None), &[]), []);
    assert_eq!(walk(against(None), &log.entries), mismatch());
    assert_eq!(walk(against(Some(log.head_at(3))), &log.entries), mismatch());
    assert_eq!(walk(against(Some(Head { hash: other_hash(), ..log.head })), &log.entries), mismatch());
    assert_eq!(walk(against(Some(log.head)), &log.entries[..3]), missing(4, 5));
    assert_eq!(walk(against(Some(log.head)), &[]), missing(1, 5));
    let genesis = log.head_at(0);
    assert_eq!(walk(against(Some(genesis)), &[]), []);
    let forged = Head { hash: other_hash(), ..genesis };
    assert_eq!(walk(against(Some(forged)), &[]), [(Some(0), Finding::HeadMismatch)]);
    // A chain of the same tenant that begins elsewhere.
    let other = Head::genesis(tenant(), ChainId::random().unwrap());
    assert_eq!(
        walk(against(Some(Head { seq: 5, hash: log.head.hash, ..other })), &log.entries),
        [(Some(1), Finding::LinkBroken)]
    );
}

#[test]
fn a_part_ends_where_it_was_told_to() {
    let log = Log::of(5);
    let until = |seq| Verifier::new(tenant(), Some(log.head)).until(seq);
    assert_eq!(walk(until(3), &log.entries[..3]), []);
    assert_eq!(walk(until(4), &log.entries[..2]), missing(3, 4));
    // Behind the end that was asked for there is nothing to say, and of the head only where the walk comes to it.
    assert_eq!(walk(until(3), &log.entries[..4]), []);
    let forged = Head { hash: other_hash(), ..log.head };
    let part = |seq| Verifier::new(tenant(), Some(forged)).until(seq);
    assert_eq!(walk(part(4), &log.entries[..4]), []);
    for all in [5, 9] {
        assert_eq!(walk(part(all), &log.entries), [(Some(5), Finding::HeadMismatch)]);
    }

    let after = |hash| Verifier::new(tenant(), Some(log.head)).after(2, hash);
    assert_eq!(walk(after(log.head_at(2).hash), &log.entries[2..]), []);
    assert_eq!(walk(after(log.head_at(2).hash), &log.entries[3..]), missing(3, 3));
    assert_eq!(walk(after(other_hash()), &log.entries[2..]), [(Some(3), Finding::LinkBroken)]);
}

#[test]
fn links_are_there_once_and_follow_each_other() {
    let log = Log::of(6);
    let without = |gone: &[u64]| -> Vec<_> {
        log.entries.iter().filter(|(link, _)| !gone.contains(&link.seq)).cloned().collect()
    };
    let verifier = || Verifier::new(tenant(), Some(log.head));
    assert_eq!(walk(verifier(), &without(&[1])), missing(1, 1));
    assert_eq!(walk(verifier(), &without(&[3])), missing(3, 3));
    assert_eq!(walk(verifier(), &without(&[2, 3, 4])), missing(2, 4));
    let twice = [&log.entries[..3], &log.entries[2..]].concat();
    assert_eq!(walk(verifier(), &twice), [(Some(3), Finding::Fork)]);
    // The link of another history, which is right in itself: neither it follows nor what is after it.
    let mut entries = log.entries.clone();
    let mut elsewhere = Head { hash: other_hash(), ..log.head_at(2) };
    entries[2].0 = elsewhere.append(entries[2].0.entry_id, entries[2].0.leaf).unwrap();
    assert_eq!(walk(verifier(), &entries), [(Some(3), Finding::LinkBroken), (Some(4), Finding::LinkBroken)]);
    // One that is wrong in itself alone: what follows from what it should have been is right.
    let mut entries = log.entries.clone();
    entries[2].0.hash = other_hash();
    assert_eq!(walk(verifier(), &entries), [(Some(3), Finding::LinkBroken)]);
    // Whichever of the two hashes was kept, the other contradicts it.
    for kept in [log.head_at(3).hash, other_hash()] {
        let kept = Head { hash: kept, ..log.head_at(3) };
        let both = [(Some(3), Finding::LinkBroken), (Some(3), Finding::HistoryReplaced)];
        assert_eq!(walk(verifier().kept_head(kept), &entries), both);
    }
}

#[test]
fn findings_are_kept_to_a_limit_and_counted() {
    let log = Log::of(6);
    for (limit, kept, suppressed) in [(1, 1, 4), (4, 4, 1), (5, 5, 0), (6, 5, 0)] {
        let verifier = Verifier::new(tenant(), Some(log.head)).limit(NonZeroUsize::new(limit).unwrap());
        let report = without(verifier, &log, &[2, 3, 4, 5, 6]);
        assert_eq!((report.verdicts().len(), report.suppressed(), report.checked()), (kept, suppressed, 6));
        assert!(!report.is_intact());
    }
}

#[test]
fn a_kept_head_is_judged_where_the_walk_comes_by() {
    let log = Log::of(6);
    let replaced = |seq| vec![(Some(seq), Finding::HistoryReplaced)];
    let verifier = |kept| Verifier::new(tenant(), Some(log.head)).kept_head(kept);
    let forged = |seq| Head { hash: other_hash(), ..log.head_at(seq) };
    for seq in 0..=6 {
        assert_eq!(walk(verifier(log.head_at(seq)), &log.entries), [], "{seq}");
    }
    for seq in 1..=6 {
        assert_eq!(walk(verifier(forged(seq)), &log.entries), replaced(seq as u64), "{seq}");
    }
    // One of another chain, and one whose link is gone.
    let other = Head { chain: ChainId::random().unwrap(), ..log.head };
    assert_eq!(walk(verifier(other), &log.entries), replaced(6));
    let without = [&log.entries[..2], &log.entries[3..]].concat();
    assert_eq!(walk(verifier(log.head_at(3)), &without), [missing(3, 3), replaced(3)].concat());
    let longer = Head { seq: 9, ..log.head };
    assert_eq!(walk(verifier(longer), &log.entries), [(Some(6), Finding::Truncated { kept: 9 })]);

    // Behind the end of a part: not judged, unless the stored head ends before it.
    assert_eq!(walk(verifier(forged(5)).until(4), &log.entries[..4]), []);
    assert_eq!(walk(verifier(forged(6)).until(4), &log.entries[..4]), []);
    assert_eq!(walk(verifier(forged(4)).until(4), &log.entries[..4]), replaced(4));
    assert_eq!(walk(verifier(longer).until(4), &log.entries[..4]), [(Some(4), Finding::Truncated { kept: 9 })]);

    // Before the start of a part: what the walk takes for granted has to be it.
    let after = |kept, hash| verifier(kept).after(4, hash);
    let granted = log.head_at(4).hash;
    assert_eq!(walk(after(log.head_at(4), granted), &log.entries[4..]), []);
    assert_eq!(walk(after(forged(4), granted), &log.entries[4..]), replaced(4));
    assert_eq!(walk(after(forged(2), granted), &log.entries[4..]), []);
    assert_eq!(walk(after(forged(5), granted), &log.entries[4..]), replaced(5));
}

#[test]
fn what_a_restore_lost_is_accounted_for_by_an_entry_that_names_exactly_it() {
    let lost = Log::of(5);
    let mut log = Log { head: lost.head_at(3), entries: lost.entries[..3].to_vec() };
    let loss = restored(&mut log, 3, &lost.head);
    let with = |kept, loss| {
        report(Verifier::new(tenant(), Some(log.head)).kept_head(kept).accept_restored(loss), &log.entries)
    };
    assert_eq!((found(&with(lost.head, loss)), with(lost.head, loss).lost()), (vec![], 2));
    // Nobody accepted it, or something else was lost.
    let alone = report(Verifier::new(tenant(), Some(log.head)).kept_head(lost.head), &log.entries);
    let replaced = |seq| vec![(Some(seq), Finding::HistoryReplaced)];
    assert_eq!((found(&alone), alone.lost()), (replaced(5), 0));
    let others = [
        Loss { entry_id: Uuid::nil(), ..loss },
        Loss { after: 2, ..loss },
        Loss { after: 5, ..loss },
        Loss { through: 4, ..loss },
        Loss { hash: other_hash(), ..loss },
    ];
    for other in others {
        assert_eq!(found(&with(lost.head, other)), replaced(5), "{other:?}");
    }
    assert_eq!(found(&with(lost.head_at(4), loss)), replaced(4));
}

#[test]
fn a_loss_is_of_entries_and_stated_behind_them() {
    let replaced_in = |mut log: Log, kept: Head, after| {
        let loss = restored(&mut log, after, &kept);
        let verifier = Verifier::new(tenant(), Some(log.head)).kept_head(kept).accept_restored(loss);
        let report = report(verifier, &log.entries);
        assert_eq!((found(&report), report.lost()), (vec![(Some(5), Finding::HistoryReplaced)], 0));
    };
    // No entry was lost, and the kept head is another.
    let log = Log::of(5);
    let other = Head { hash: other_hash(), ..log.head };
    replaced_in(log, other, 5);
    // The statement itself would be among what the backup had.
    let lost = Log::of(5);
    replaced_in(Log { head: lost.head_at(3), entries: lost.entries[..3].to_vec() }, lost.head, 4);
}

/// What the walk forgave before it met the entry that is to excuse it, it takes back at the end, in the order of the chain.
#[test]
fn evidence_that_the_chain_does_not_bear_out_covers_nothing() {
    let mut log = Log::of(6);
    let (erased, erasure) = log.erase(2);
    let purge = log.purge(4, 5);
    let look = |verifier, entries: &[(Link, Record)]| {
        look(verifier, entries, |link, record| match link.seq {
            2 => Content::Record(&erased),
            4 | 5 => Content::Missing,
            _ => Content::Record(record),
        })
    };
    let verifier = || Verifier::new(tenant(), Some(log.head));
    let gone = erasure.values().iter().map(|value| (Some(2), Finding::PersonalMissing { path: value.path.clone() }));
    let gone = sorted_within(gone.collect());
    let entries = [4, 5].map(|seq| (Some(seq), Finding::EntryMissing));

    let whole = look(verifier().erasure(&erasure).purge(&purge), &log.entries);
    assert_eq!((found(&whole), whole.erased(), whole.purged()), (vec![], 5, 2));
    // With one of both, what the other should cover is missing.
    let alone = look(verifier().erasure(&erasure), &log.entries);
    assert_eq!((found(&alone), alone.erased(), alone.purged()), (entries.to_vec(), 5, 0));
    let alone = look(verifier().purge(&purge), &log.entries);
    assert_eq!((sorted_within(found(&alone)), alone.erased(), alone.purged()), (gone.clone(), 0, 2));

    // The entries that state it are gone from the end of the chain: they have no number, so they are named last.
    let cut = look(Verifier::new(tenant(), Some(log.head_at(6))).erasure(&erasure).purge(&purge), &log.entries[..6]);
    let mut expected = [gone.as_slice(), &entries].concat();
    expected.extend([(None, Finding::ForgedErasure), (None, Finding::ForgedPurge)]);
    assert_eq!(sorted_within(found(&cut)), expected);
    assert!(found(&cut).is_sorted_by_key(|(seq, _)| (seq.is_none(), *seq)));
    assert_eq!((cut.erased(), cut.purged()), (0, 0));

    // A list that the entry does not state.
    let more = PurgedRange { last: 6, ..purge.ranges()[0] };
    let forged = PurgeEvidence::new(purge.record().clone(), vec![more]);
    let report = look(verifier().erasure(&erasure).purge(&forged), &log.entries);
    assert_eq!(found(&report), [entries.as_slice(), &[(Some(8), Finding::ForgedPurge)]].concat());
}

#[test]
fn a_purge_covers_what_was_between_its_borders_and_nothing_else() {
    let look = |verifier, log: &Log, gone: &[u64]| {
        let report = without(verifier, log, gone);
        (found(&report), report.purged())
    };
    let mut log = Log::of(6);
    let purge = log.state_purge(vec![log.purged(2, 2), log.purged(4, 5)]);
    let verifier = || Verifier::new(tenant(), Some(log.head)).purge(&purge);
    assert_eq!(look(verifier(), &log, &[2, 4, 5]), (vec![], 3));
    let others = [3, 6].map(|seq| (Some(seq), Finding::EntryMissing));
    assert_eq!(look(verifier(), &log, &[2, 3, 4, 5, 6]), (others.to_vec(), 3));

    // The chain has other hashes there than the entry states.
    let lies =
        [|range: &mut PurgedRange| range.before = other_hash(), |range: &mut PurgedRange| range.after = other_hash()];
    for lie in lies {
        let mut log = Log::of(6);
        let mut range = log.purged(4, 5);
        lie(&mut range);
        let purge = log.state_purge(vec![range]);
        let missing = [4, 5].map(|seq| (Some(seq), Finding::EntryMissing));
        let expected = [missing.as_slice(), &[(Some(7), Finding::ForgedPurge)]].concat();
        let verifier = || Verifier::new(tenant(), Some(log.head)).purge(&purge);
        assert_eq!(look(verifier(), &log, &[4, 5]), (expected.clone(), 0));
        // A part that ends with the range has come by both its borders.
        assert_eq!(look(verifier().until(5), &log, &[4, 5]), (expected, 0));
    }
}

/// Values of one entry have no order among each other.
fn sorted_within(mut found: Found) -> Found {
    found.sort_by_key(|(seq, finding)| (seq.is_none(), *seq, format!("{finding:?}")));
    found
}

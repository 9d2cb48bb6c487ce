//! Every order in which three look-ups, a revocation and the loss of keys can run, for the scheme of `read.lua` and `fill.lua` and
//! for two simpler ones, which fail.

use std::collections::HashSet;

/// How old answers are kept away.
#[derive(Clone, Copy)]
enum Scheme {
    /// A change removes what was kept.
    Remove,
    /// What was kept counts while a stamp is the same, and a change removes the stamp.
    Stamp,
    /// And nothing is kept of a look that began before the latest change.
    StampAndTicket,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    Waits,
    /// It found nothing, and has this ticket.
    Asked(u8),
    /// It has the ticket, and whether the session was live in the primary store.
    Looked(u8, bool),
    Ended,
}

/// Three keys, the primary store's row, and how far everybody is. Stamps are numbered.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    latest: Option<u8>,
    stamp: Option<u8>,
    kept: Option<u8>,
    live: bool,
    told: bool,
    next: u8,
    losses: u8,
    readers: [Reader; 3],
}

impl World {
    fn new() -> Self {
        Self {
            latest: None,
            stamp: None,
            kept: None,
            live: true,
            told: false,
            next: 1,
            losses: 2,
            readers: [Reader::Waits; 3],
        }
    }

    fn new_stamp(&mut self) -> u8 {
        self.next += 1;
        self.next
    }

    /// A reader's next step. An error is an answer from Redis after the revocation returned.
    fn read(mut self, scheme: Scheme, reader: usize) -> Result<Option<Self>, ()> {
        self.readers[reader] = match self.readers[reader] {
            Reader::Waits => {
                let current = matches!(scheme, Scheme::Remove) || self.kept == self.stamp;
                if self.kept.is_some() && current {
                    if self.told {
                        return Err(());
                    }
                    Reader::Ended
                } else {
                    if self.latest.is_none() {
                        self.latest = Some(self.new_stamp());
                    }
                    Reader::Asked(self.latest.unwrap())
                }
            }
            Reader::Asked(ticket) => Reader::Looked(ticket, self.live),
            Reader::Looked(ticket, live) => {
                let in_time = !matches!(scheme, Scheme::StampAndTicket) || self.latest == Some(ticket);
                if live && in_time {
                    if self.stamp.is_none() {
                        self.stamp = Some(self.new_stamp());
                    }
                    self.kept = self.stamp;
                }
                Reader::Ended
            }
            Reader::Ended => return Ok(None),
        };
        Ok(Some(self))
    }

    fn revoke(mut self, scheme: Scheme) -> Option<Self> {
        if self.told {
            return None;
        }
        if self.live {
            self.live = false; // the commit
            return Some(self);
        }
        match scheme {
            Scheme::Remove => self.kept = None,
            Scheme::Stamp => self.stamp = None,
            Scheme::StampAndTicket => (self.stamp, self.latest) = (None, None),
        }
        self.told = true;
        Some(self)
    }

    fn lose(mut self, which: usize) -> Option<Self> {
        self.losses = self.losses.checked_sub(1)?;
        let key = [&mut self.latest, &mut self.stamp, &mut self.kept].into_iter().nth(which).unwrap();
        key.take().map(|_| ())?;
        Some(self)
    }
}

/// How many worlds there are, and in how many of them somebody is let in who was locked out.
fn explore(scheme: Scheme) -> (usize, usize) {
    let (mut seen, mut left, mut failures) = (HashSet::new(), vec![World::new()], 0);
    while let Some(world) = left.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        for reader in 0..3 {
            match world.clone().read(scheme, reader) {
                Ok(next) => left.extend(next),
                Err(()) => failures += 1,
            }
        }
        left.extend(world.clone().revoke(scheme));
        left.extend((0..3).filter_map(|which| world.clone().lose(which)));
    }
    (seen.len(), failures)
}

#[test]
fn no_order_of_steps_and_losses_lets_a_revoked_session_in() {
    let (worlds, failures) = explore(Scheme::StampAndTicket);
    assert!(worlds > 5_000, "{worlds}");
    assert_eq!(failures, 0);
}

#[test]
fn simpler_schemes_let_revoked_sessions_in() {
    for scheme in [Scheme::Remove, Scheme::Stamp] {
        assert!(explore(scheme).1 > 0);
    }
}

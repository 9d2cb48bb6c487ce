//! Decisions, and the words for them, without the heap.

use std::fmt::Write;
use std::hint::black_box;

use chrono::{TimeDelta, Utc};
use stockade_rbac::{Ceiling, Override, Permission, Reason, Resource, Scope, Scopes};
use uuid::Uuid;

use crate::desk::{Perm, World};

/// A text of fixed size, so that displaying needs no `String`.
struct Line {
    bytes: [u8; 512],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[test]
fn deciding_and_explaining_allocates_nothing() {
    let world = World::new();
    let reason = Reason::new("cover").unwrap();
    let expires = Utc::now() + TimeDelta::hours(1);
    let expired = expires - TimeDelta::hours(2);
    let allow = Override::allow(Perm::Export, Scope::Office, reason.clone(), expires).unwrap();
    let builder = |roles: [&str; 2]| world.policy.actor(world.subject()).roles(roles).unwrap();
    let actors = [
        world.policy.actor(world.subject()).build(),
        builder(["viewer", "dispatcher"]).with_override(allow.clone()).build(),
        builder(["viewer", "controller"]).with_override(Override::deny(Perm::Edit, reason.clone())).build(),
        builder(["viewer", "support"]).build(),
        builder(["viewer", "controller"]).ceiling(Ceiling::Token, &Scopes::none()).build(),
        {
            let clock = stockade_rbac::ManualClock::at(expired);
            let policy = world.policy.clone().with_clock(clock.clone());
            let actor = policy.actor(world.subject()).with_override(allow).build();
            clock.advance(TimeDelta::hours(3));
            actor
        },
    ];
    let rows = [
        world.row(),
        world.row().owner(world.user),
        world.row().office(world.office),
        Resource::in_tenant(Uuid::now_v7()),
    ];

    let mut decided = 0;
    let heap = allocation_counter::measure(|| {
        for actor in &actors {
            for row in &rows {
                for &permission in Perm::ALL {
                    let decision = actor.decide(permission, row);
                    let mut line = Line { bytes: [0; 512], length: 0 };
                    write!(line, "{decision}").unwrap();
                    black_box((decision.is_allowed(), decision.verdict(), &line.bytes));
                    decided += 1;
                }
            }
        }
    });
    assert_eq!((decided, heap.count_total), (actors.len() * rows.len() * Perm::ALL.len(), 0));
    assert!(allocation_counter::measure(|| drop(black_box(Box::new(0)))).count_total > 0, "the counter counts");
}

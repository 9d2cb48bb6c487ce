//! What the macro writes raises no warning where nothing of it is used.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications)]
#![deny(elided_lifetimes_in_paths)]

use stockade_rbac::{Actor, Decision, Permit, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant;
        /// Change a load.
        Edit = "load.edit": Write, up to Own, audit, mfa;
    }
}

mod private {
    use super::{Actor, Resource};

    stockade_rbac::permissions! {
        #[doc = "Another, seen by this crate alone."]
        pub(crate) enum Other { Only = "only": Read, up to Platform, mfa }
    }

    pub(crate) fn only() -> Other {
        Other::Only
    }

    pub(crate) mod nested {
        stockade_rbac::permissions! {
            /// Seen by the module above.
            pub(super) enum Parent { Only = "only": Write, up to Own }
        }
    }

    fn parent(actor: &Actor<nested::Parent>, resource: &Resource) -> bool {
        actor.require::<nested::perm::Only>(resource).is_ok()
    }

    pub(crate) fn used() -> usize {
        let parent: fn(&Actor<nested::Parent>, &Resource) -> bool = parent;
        parent as usize
    }
}

mod inner {
    use super::{Actor, Resource};

    stockade_rbac::permissions! {
        /// Seen here alone.
        enum Perm { Only = "only": Read, up to Own, audit }
    }

    pub(crate) fn only(actor: &Actor<impl stockade_rbac::Permission>, resource: &Resource) -> String {
        let _: fn(&Actor<Perm>, &Resource) -> bool = |actor, resource| actor.require::<perm::Only>(resource).is_ok();
        format!("{actor:?} {resource:?} {:?}", Perm::Only)
    }
}

/// A caller may leave the lifetime of a decision out.
pub fn decide(actor: &Actor<Perm>, resource: &Resource) -> Option<Permit<perm::View>> {
    let decision: Decision<'_, Perm> = actor.decide(Perm::View, resource);
    if decision.is_allowed() { actor.require::<perm::View>(resource).ok() } else { None }
}

fn main() {
    let _ = private::only();
    let _ = private::used();
    let _: fn(&Actor<Perm>, &Resource) -> String = inner::only;
}

#![deny(unused_must_use)]
use stockade_rbac::{Change, GrantGuard, Target};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

fn grant(guard: &GrantGuard<'_, Perm>, target: &Target<'_, Perm>) {
    guard.check(target, &Change::Suspend);
}

fn main() {}

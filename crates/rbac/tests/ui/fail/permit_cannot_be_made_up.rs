use std::marker::PhantomData;

use stockade_rbac::{Permit, Resource, UserId};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Edit = "load.edit": Write, up to Tenant;
    }
}

fn forge(user: UserId, resource: Resource) -> Permit<perm::Edit> {
    Permit { user, resource, tag: PhantomData }
}

fn main() {}

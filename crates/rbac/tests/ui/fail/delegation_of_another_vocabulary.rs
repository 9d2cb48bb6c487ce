use stockade_rbac::{ActorBuilder, Actor, Delegation};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

mod other {
    stockade_rbac::permissions! {
        /// Another vocabulary.
        pub enum Perm { View = "load.view": Read, up to Tenant, delegable }
    }
}

fn lend(to: ActorBuilder<Perm>, delegator: &Actor<Perm>, delegation: &Delegation<other::Perm>) {
    let _ = to.delegated_by(delegator, delegation);
}

fn main() {}

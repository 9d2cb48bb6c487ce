use stockade_rbac::{Actor, Resource};

mod trucking {
    stockade_rbac::permissions! {
        /// A vocabulary.
        pub enum Perm {
            View = "load.view": Read, up to Tenant;
        }
    }
}

mod billing {
    stockade_rbac::permissions! {
        /// Another.
        pub enum Perm {
            View = "invoice.view": Read, up to Tenant;
        }
    }
}

fn handle(actor: &Actor<trucking::Perm>, invoice: &Resource) {
    let _ = actor.decide(billing::Perm::View, invoice);
    let _ = actor.require::<billing::perm::View>(invoice);
}

fn main() {}

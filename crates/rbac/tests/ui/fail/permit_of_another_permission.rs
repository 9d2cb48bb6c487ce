use stockade_rbac::{Actor, Permit, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant;
        Edit = "load.edit": Write, up to Tenant;
    }
}

fn edit(_proof: Permit<perm::Edit>) {}

fn handle(actor: &Actor<Perm>, load: &Resource) {
    edit(actor.require::<perm::View>(load).unwrap());
}

fn main() {}

use stockade_rbac::{Actor, Permit, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        LoadView = "load.view": Read, up to Tenant;
        LoadEdit = "load.edit": Write, up to Tenant;
    }
}

fn edit(_proof: Permit<perm::LoadEdit>) {}

fn handle(actor: &Actor<Perm>, load: &Resource) {
    edit(actor.require::<perm::LoadView>(load).unwrap());
}

fn main() {}

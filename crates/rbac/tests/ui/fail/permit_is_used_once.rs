use stockade_rbac::{Actor, Permit, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        LoadEdit = "load.edit": Write, up to Tenant;
    }
}

fn edit(_proof: Permit<perm::LoadEdit>) {}

fn handle(actor: &Actor<Perm>, load: &Resource) {
    let permit = actor.require::<perm::LoadEdit>(load).unwrap();
    edit(permit);
    edit(permit);
}

fn main() {}

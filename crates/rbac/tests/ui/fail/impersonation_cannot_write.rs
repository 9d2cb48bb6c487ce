use stockade_rbac::{Actor, Impersonating, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant;
        Edit = "load.edit": Write, up to Tenant;
    }
}

fn edit(acting: &Actor<Perm, Impersonating>, load: &Resource) {
    let _ = acting.require::<perm::View>(load);
    let _ = acting.require::<perm::Edit>(load);
}

fn main() {}

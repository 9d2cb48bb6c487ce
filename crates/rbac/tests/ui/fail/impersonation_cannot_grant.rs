use stockade_rbac::{Actor, Impersonating};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

fn grant(acting: &Actor<Perm, Impersonating>) {
    let _ = acting.granting(Perm::View);
}

fn main() {}

use stockade_rbac::{Actor, Impersonating};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

fn choose(acting: &Actor<Perm, Impersonating>) {
    let _ = acting.with_roles_active(["viewer"]);
}

fn main() {}

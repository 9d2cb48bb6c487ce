use stockade_rbac::{Delegation, Scopes};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

fn lend(scopes: Scopes<Perm>) {
    let _ = Delegation::new(scopes);
}

fn main() {}

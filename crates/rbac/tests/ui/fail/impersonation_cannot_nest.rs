use stockade_rbac::{Actor, Direct, Impersonating, Reason, Timebox};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Impersonate = "user.impersonate": Read, up to Platform, audit;
    }
}

fn nest(acting: &Actor<Perm, Impersonating>, target: &Actor<Perm, Direct>, reason: Reason) {
    let _ = acting.impersonate::<perm::Impersonate>(target, reason, Timebox::MAX);
}

fn main() {}

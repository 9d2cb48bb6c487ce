use stockade_rbac::{Actor, Direct, Reason, Timebox};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Impersonate = "user.impersonate": Read, up to Platform, mfa;
    }
}

fn start(staff: &Actor<Perm, Direct>, target: &Actor<Perm, Direct>, reason: Reason) {
    let _ = staff.impersonate::<perm::Impersonate>(target, reason, Timebox::MAX);
}

fn main() {}

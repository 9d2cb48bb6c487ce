use stockade_rbac::{Actor, Direct, Timebox};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Impersonate = "user.impersonate": Read, up to Platform, audit;
    }
}

fn start(staff: &Actor<Perm, Direct>, target: &Actor<Perm, Direct>) {
    let _ = staff.impersonate::<perm::Impersonate>(target, "", Timebox::MAX);
}

fn main() {}

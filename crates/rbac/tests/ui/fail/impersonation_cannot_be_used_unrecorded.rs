use stockade_rbac::{Actor, Direct, Reason, Resource, Timebox};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View        = "load.view":        Read, up to Tenant;
        Impersonate = "user.impersonate": Read, up to Platform, audit;
    }
}

fn start(staff: &Actor<Perm, Direct>, target: &Actor<Perm, Direct>, reason: Reason, load: &Resource) {
    let acting = staff.impersonate::<perm::Impersonate>(target, reason, Timebox::MAX).unwrap();
    let _ = acting.decide(Perm::View, load);
}

fn main() {}

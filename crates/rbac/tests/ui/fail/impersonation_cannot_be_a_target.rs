use stockade_rbac::{Actor, Direct, Impersonating, Reason, Timebox};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Impersonate = "user.impersonate": Read, up to Platform, audit;
    }
}

fn nest(staff: &Actor<Perm, Direct>, acting: &Actor<Perm, Impersonating>, reason: Reason) {
    let _ = staff.impersonate::<perm::Impersonate>(acting, reason, Timebox::MAX);
}

fn main() {}

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant;
        Edit = "load.edit": Write, up to Tenant;
        Look = "load.view": Read, up to Own;
    }
}

fn main() {}

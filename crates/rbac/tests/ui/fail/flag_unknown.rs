stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Edit = "load.edit": Write, up to Tenant, audti;
    }
}

fn main() {}

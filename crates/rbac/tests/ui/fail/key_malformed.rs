stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load:view": Read, up to Tenant;
    }
}

fn main() {}

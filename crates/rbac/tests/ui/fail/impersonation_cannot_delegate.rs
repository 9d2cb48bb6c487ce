use stockade_rbac::{Actor, ActorBuilder, Delegation, Impersonating};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        View = "load.view": Read, up to Tenant, delegable;
    }
}

fn lend(acting: &Actor<Perm, Impersonating>, to: ActorBuilder<Perm>, delegation: &Delegation<Perm>) {
    let _ = to.delegated_by(acting, delegation);
}

fn main() {}

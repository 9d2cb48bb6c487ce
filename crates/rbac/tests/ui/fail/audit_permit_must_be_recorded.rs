use stockade_rbac::{Actor, Permit, Resource};

stockade_rbac::permissions! {
    /// A vocabulary.
    pub enum Perm {
        Reveal = "driver.ssn.reveal": Read, up to Tenant, mfa, audit;
    }
}

fn reveal(_proof: Permit<perm::Reveal>) {}

fn handle(actor: &Actor<Perm>, driver: &Resource) {
    reveal(actor.require::<perm::Reveal>(driver).unwrap());
}

fn main() {}

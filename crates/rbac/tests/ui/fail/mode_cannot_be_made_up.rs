use stockade_rbac::{Direct, Impersonating, Mode, Permits, Write};

struct Anything;

impl Mode for Anything {
    fn impersonation(&self) -> Option<&Impersonating> {
        None
    }
}

impl Permits<Write> for Impersonating {}

fn main() {
    let _ = Direct(());
}

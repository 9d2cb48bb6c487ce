//! The scopes of a token: never panics, answers in one line, and never reaches further than the permission allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_rbac::{Permission as _, Scopes};

stockade_rbac::permissions! {
    pub enum Perm {
        View  = "load.view":  Read,  up to Tenant;
        Edit  = "load.edit":  Write, up to Team;
        Every = "load.every": Read,  up to Platform;
    }
}

fuzz_target!(|text: &str| {
    match Scopes::<Perm>::parse(text.split(' ')) {
        Ok(scopes) => {
            let mut written = Vec::new();
            for (perm, scope) in scopes.iter() {
                assert!(scope <= perm.info().up_to());
                written.push(format!("{}:{}", perm.key(), scope.name()));
            }
            assert_eq!(Scopes::<Perm>::parse(&written).expect("what was written can be read"), scopes);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});

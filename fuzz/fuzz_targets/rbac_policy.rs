//! The policy compiler: never panics, and every problem is one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_rbac::Policy;

stockade_rbac::permissions! {
    pub enum Perm {
        View    = "load.view":    Read,  up to Tenant;
        Edit    = "load.edit":    Write, up to Tenant;
        Close   = "ledger.close": Write, up to Tenant, audit, mfa, delegable;
        Inspect = "desk.inspect": Read,  up to Platform, audit;
    }
}

fuzz_target!(|text: &str| {
    match Policy::<Perm>::compile(text) {
        Ok(policy) => {
            for role in policy.roles() {
                assert!(policy.role(role.name()).is_some());
            }
            let _ = policy.matrix().to_markdown();
            let _ = policy.matrix().to_csv();
            let _ = policy.matrix().to_json();
            assert!(policy.diff(&policy).is_empty());
            assert_eq!(policy.digest(), policy.clone().digest());
        }
        Err(error) => {
            assert!(!error.to_string().contains('\n'));
            for problem in error.problems() {
                assert!(!problem.to_string().contains('\n'));
            }
        }
    }
});

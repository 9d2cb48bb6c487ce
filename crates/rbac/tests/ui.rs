//! What must not compile, and what must compile without a warning.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a test should stop the test")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
    cases.pass(thousand_permissions());
}

/// A vocabulary of 1,024 permissions, which the compiler has to check in full.
fn thousand_permissions() -> impl AsRef<Path> {
    let mut source = String::from("stockade_rbac::permissions! {\n    /// Many.\n    pub enum Perm {\n");
    for number in 0..1024 {
        writeln!(source, "        P{number} = \"module.permission.{number}\": Read, up to Tenant;").unwrap();
    }
    source.push_str("    }\n}\n\nfn main() {\n    use stockade_rbac::Permission as _;\n");
    source.push_str("    assert_eq!(Perm::ALL.len(), 1024);\n");
    source.push_str("    assert_eq!(Perm::from_key(\"module.permission.1023\"), Some(Perm::P1023));\n}\n");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("thousand_permissions.rs");
    fs::write(&path, source).unwrap();
    path
}

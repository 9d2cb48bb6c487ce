//! What must not compile.

#[test]
fn claims_hold_at_compile_time() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

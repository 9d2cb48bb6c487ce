//! What must not compile.

#[test]
fn claims_hold_at_compile_time() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    #[cfg(feature = "axum")]
    cases.compile_fail("tests/ui_axum/*.rs");
}

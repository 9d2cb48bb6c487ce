//! The order of a sign-in is checked by the compiler.

#[test]
fn wrong_orders_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

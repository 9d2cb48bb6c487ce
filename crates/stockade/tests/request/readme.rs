//! The example that the README shows.

const APPLICATION: &str = include_str!("../../examples/desk/app.rs");
const README: &str = include_str!("../../README.md");

#[test]
fn a_whole_application_is_less_than_a_hundred_lines() {
    let lines = APPLICATION.lines().count();
    assert!(lines < 100, "{lines}");
    let longest = APPLICATION.lines().map(str::len).max().unwrap_or_default();
    assert!(longest <= 120, "{longest}");
}

#[test]
fn the_readme_shows_the_application_that_is_tested() {
    assert!(
        README.contains(&format!("```rust,ignore\n{APPLICATION}```\n")),
        "copy examples/desk/app.rs into README.md"
    );
}

use proptest::prelude::*;

use super::Scopes;

#[test]
fn scopes_are_bounded() {
    assert!(Scopes::try_from("").is_ok());
    assert!(Scopes::try_from("9".repeat(4096).as_str()).is_ok());
    assert!(Scopes::try_from("9".repeat(4097).as_str()).is_err());
}

#[test]
fn no_other_ascii_character_is_a_scope() {
    for character in '\0'..='\x7f' {
        let allowed = character.is_ascii_alphanumeric() || "._-".contains(character);
        assert_eq!(Scopes::try_from(character.to_string().as_str()).is_ok(), allowed, "{character:?}");
    }
}

proptest! {
    #[test]
    fn accepted_text_needs_no_quoting(text in ".{0,40}") {
        if let Ok(scopes) = Scopes::try_from(text.as_str()) {
            prop_assert!(scopes.as_str().is_ascii());
            prop_assert!(!scopes.as_str().contains(['\'', '\\', '"', ';', ' ', '\0']));
        }
    }
}

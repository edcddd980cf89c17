use proptest::prelude::*;

use super::{Bare, Quoted};

proptest! {
    #[test]
    fn no_text_ends_its_field_or_its_line(text in any::<String>()) {
        let quoted = Quoted(&text).to_string();
        prop_assert!(!quoted.contains(|character: char| character == '"' || character.is_control()));
        let bare = Bare(&text).to_string();
        prop_assert!(!bare.contains(|character: char| matches!(character, '"' | ' ') || character.is_control()));
        prop_assert_eq!(bare.replace("%20", " "), quoted.replace("%20", " "));
    }
}

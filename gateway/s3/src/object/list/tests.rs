use proptest::prelude::*;

use super::{Token, page_size};

proptest! {
    #[test]
    fn a_token_brings_back_its_key(key in ".*") {
        prop_assert_eq!(Token::read(&Token::write(&key)).unwrap(), key);
    }

    #[test]
    fn no_text_is_a_token_that_breaks(text in ".*") {
        let _ = Token::read(&text);
    }
}

#[test]
fn tokens_that_were_never_given() {
    for token in ["", "!", "a key", "Zm9v", "AWZvb_8"] {
        assert!(Token::read(token).is_err(), "{token}");
    }
}

#[test]
fn pages_hold_a_thousand_at_most() {
    assert_eq!(page_size("maxKeys", None).unwrap(), 1000);
    assert_eq!(page_size("maxKeys", Some(0)).unwrap(), 0);
    assert_eq!(page_size("maxKeys", Some(7)).unwrap(), 7);
    assert_eq!(page_size("maxKeys", Some(i32::MAX)).unwrap(), 1000);
    assert!(page_size("maxKeys", Some(-1)).is_err());
}

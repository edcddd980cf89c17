use proptest::prelude::*;

use super::{decimal, hexadecimal};

#[test]
fn what_is_no_number() {
    for text in ["", "+1", "-1", " 1", "1 ", "1_0", "0x1", "१", "18446744073709551616"] {
        assert_eq!(decimal(text), None, "{text}");
    }
    for text in ["", "+1", "-1", " 1", "0x1", "g", "10000000000000000"] {
        assert_eq!(hexadecimal(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #[test]
    fn numbers_read_back(number: u64, zeros in 0usize..4) {
        let zeros = "0".repeat(zeros);
        prop_assert_eq!(decimal(&format!("{zeros}{number}")), Some(number));
        prop_assert_eq!(hexadecimal(format!("{zeros}{number:x}").as_bytes()), Some(number));
        prop_assert_eq!(hexadecimal(format!("{zeros}{number:X}").as_bytes()), Some(number));
    }

    #[test]
    fn any_text(text in "[ +0-9a-fA-F_.-]{0,24}") {
        let only = |digit: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(digit);
        if let Some(number) = decimal(&text) {
            prop_assert!(only(u8::is_ascii_digit));
            prop_assert_eq!(format!("{number:0>24}"), format!("{text:0>24}"));
        }
        if let Some(number) = hexadecimal(text.as_bytes()) {
            prop_assert!(only(u8::is_ascii_hexdigit));
            prop_assert_eq!(format!("{number:0>24x}"), format!("{:0>24}", text.to_ascii_lowercase()));
        }
    }
}

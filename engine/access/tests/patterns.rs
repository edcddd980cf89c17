//! Wildcards: what they match, and that no pattern makes it slow.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod account;

use account::{inline, may_get, user};
use proptest::prelude::*;

/// Whether a statement on `pattern` speaks of the key.
fn matches(pattern: &str, key: &str) -> bool {
    let pattern = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    let statement =
        format!(r#"{{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/{pattern}"}}"#);
    may_get(user("alice").with_policy(inline(&statement)), None, key)
}

#[test]
fn wildcards_match_what_they_say() {
    let table = [
        ("a", "a", true),
        ("a", "ab", false),
        ("a", "A", false),
        ("", "", true),
        ("*", "", true),
        ("*", "a/b/c", true),
        ("a*", "a", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "aXbXbXc", true),
        ("a*b*c", "aXcXb", false),
        ("*ab*ab*", "ab-ab", true),
        ("*ab*ab*", "abab", true),
        ("*aba*aba*", "ababa", false),
        ("?", "é", true),
        ("?", "", false),
        ("??", "é", false),
        ("a?*?", "abc", true),
        ("a?*?", "ab", false),
        ("*?b*c", "abc", true),
        ("*?b*c", "bc", false),
        ("*a?c*", "xxabxabcx", true),
        ("*?", "日本", true),
        ("[a]", "a", false),
        ("\\*", "\\x", true),
    ];
    for (pattern, key, expected) in table {
        assert_eq!(matches(pattern, key), expected, "{pattern} on {key}");
    }
}

/// The product of these sizes is beyond reach: only a linear search ends.
#[test]
fn hostile_patterns_end() {
    let stars = "a*".repeat(4_000);
    let key = "a".repeat(8 << 20);
    assert!(matches(&stars, &key));
    assert!(!matches(&format!("{stars}b"), &key));
    assert!(!matches(&format!("{stars}b*"), &key));
    assert!(!matches(&format!("*{}b*", "a".repeat(9_000)), &key));
    let gaps = format!("{}b*", "a?*".repeat(2_500));
    assert!(!matches(&gaps, &key));
    assert!(!matches(&format!("*{}b*", "a?".repeat(31)), &key));
    assert!(!matches(&format!("*{}b", "?*".repeat(4_000)), &key));
}

/// The textbook's table, each cell of it.
fn reference(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for letter in pattern {
        let mut next = vec![false; text.len() + 1];
        next[0] = letter == '*' && row[0];
        for at in 1..=text.len() {
            next[at] = match letter {
                '*' => row[at] || next[at - 1],
                '?' => row[at - 1],
                _ => row[at - 1] && text[at - 1] == letter,
            };
        }
        row = next;
    }
    row[text.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_search_agrees_with_the_textbook(pattern in "[abé*?]{0,12}", text in "[abé]{0,16}") {
        prop_assert_eq!(matches(&pattern, &text), reference(&pattern, &text));
    }
}

proptest! {
    /// Segments longer than a machine word.
    #[test]
    fn long_segments_agree_too(
        gap in 0_usize..150, head in "a{60,70}", tail in "[ab]{60,70}", before in "[ab]{0,4}", wrong in any::<bool>(),
    ) {
        let segment = format!("{head}{tail}a");
        let gap = gap % segment.len();
        let pattern = format!("*{}?{}*", &segment[..gap], &segment[gap + 1..]);
        let mut text = format!("{before}{segment}b");
        if wrong {
            text = text.replacen("aaaa", "aaca", 1);
        }
        prop_assert_eq!(matches(&pattern, &text), reference(&pattern, &text));
    }
}

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use super::training::{Verdict, judge};
use super::*;
use crate::compression::shrink;

/// Files of some lines each, alike and never the same.
fn quotes(files: u32, venue: &str) -> Vec<Arc<[u8]>> {
    let mut state = 1_u32;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let file = |_| {
        let mut text = String::from("time,sequence,bid,bid_size,ask,ask_size,venue\n");
        for _ in 0..3 + draw(12) {
            let bid = 18_000 + draw(400);
            let (time, sequence, sizes) = (draw(1_000_000), draw(10_000_000), (draw(50), draw(50)));
            text += &format!("2026-01-05T14:30:00.{time:06}Z,{sequence},{}.{:02},", bid / 100, bid % 100);
            text += &format!("{}00,{}.{:02},{}00,{venue}\n", sizes.0, bid / 100, bid % 100 + 1, sizes.1);
        }
        text.into_bytes().into()
    };
    (0..files).map(file).collect()
}

fn noise(files: usize) -> Vec<Arc<[u8]>> {
    let file = |_| {
        let mut bytes = vec![0; 600];
        getrandom::fill(&mut bytes).unwrap();
        bytes.into()
    };
    (0..files).map(file).collect()
}

pub(super) fn trained(id: u32) -> Dictionary {
    match judge(&quotes(400, "XNAS"), &Family::of("q/a.csv"), None, id) {
        Verdict::Train(dictionary) => dictionary,
        other => panic!("{other:?}"),
    }
}

#[test]
fn families_are_folders_at_the_root_and_endings() {
    for (key, folder, ending) in [
        ("quotes/ES/2026-01-05/0930.csv", "quotes", "csv"),
        ("a.json", "", "json"),
        ("a.b/c", "a.b", ""),
        ("a/.", "a", ""),
        ("a/x.ä", "a", ""),
        ("/a.csv", "", "csv"),
        ("", "", ""),
    ] {
        let family = Family::of(key);
        assert_eq!((&*family.folder, &*family.ending), (folder, ending), "{key}");
    }
    assert_eq!(&*Family::of(&format!("{}/a.csv", "f".repeat(65))).folder, "");
}

#[test]
fn what_a_dictionary_shrinks_comes_back_and_is_smaller() {
    let dictionary = trained(300);
    let plain = &quotes(500, "XNAS")[450];
    let packed = dictionary.shrink(plain).unwrap();
    assert!(packed.len() * 10 < shrink(plain).unwrap().len() * 9);
    let size = plain.len() as u64;
    assert_eq!(dictionary.expand(&packed, size).unwrap(), **plain);
    for size in [0, size - 1, size + 1, 1 << 40, u64::MAX] {
        assert!(dictionary.expand(&packed, size).is_err(), "{size}");
    }
    assert!(trained(301).expand(&packed, size).is_err(), "the same bytes under another id");
    assert!(dictionary.expand(&shrink(plain).unwrap(), size).is_err(), "a frame without a dictionary");
}

#[test]
fn what_is_written_is_read_and_nothing_else_is() {
    let dictionary = trained(7);
    let value = dictionary.encode(3);
    assert_eq!(Dictionary::decode(3, "7", &value).unwrap(), dictionary);
    assert!(Dictionary::decode(4, "7", &value).is_err() && Dictionary::decode(3, "8", &value).is_err());
    for cut in 0..value.len() {
        assert!(Dictionary::decode(3, "7", &value[..cut]).is_err(), "{cut}");
    }
    for place in 0..value.len() {
        let mut changed = value.clone();
        changed[place] ^= 0x10;
        assert!(Dictionary::decode(3, "7", &changed).is_err(), "{place}");
    }
    let dictionaries = Dictionaries::default().with(3, "7", Some(&value)).with(3, "8", Some(b"rotten"));
    assert!(dictionaries.get(7).is_some() && dictionaries.get(8).is_none());
}

#[test]
fn a_hostile_dictionary_is_an_error_and_no_panic() {
    let fine = trained(7);
    let packed = fine.shrink(&quotes(1, "XNAS")[0]).unwrap();
    let mut content = fine.content.to_vec();
    assert!(Dictionary::new(7, Family::of("a"), 0, b"no dictionary at all".to_vec()).is_err());
    assert!(Dictionary::new(7, Family::of("a"), 0, vec![0; 3]).is_err());
    assert!(Dictionary::new(0, Family::of("a"), 0, content.clone()).is_err());
    // Magic and id hold, the entropy tables don't.
    content[8..64].fill(0xff);
    let hostile = Dictionary::new(7, Family::of("a"), 0, content).unwrap();
    assert!(hostile.shrink(&quotes(1, "XNAS")[0]).is_none());
    assert!(hostile.expand(&packed, 400).is_err());
}

#[test]
fn the_newest_of_a_family_is_chosen_and_else_the_buckets() {
    let of = |id, key: &str| {
        let Dictionary { content, .. } = trained(id);
        Dictionary::new(id, Family::of(key), 100, content.to_vec()).unwrap().encode(3)
    };
    let mut held = Dictionaries::default();
    for (id, key) in [(1, "a.csv"), (2, "fx/a.csv"), (10, "fx/a.csv"), (9, "fx/a.json")] {
        held = held.with(3, &id.to_string(), Some(&of(id, key)));
    }
    let chosen = |key: &str| held.choose(key).map(|dictionary| dictionary.id);
    assert_eq!(chosen("fx/2026/x.csv"), Some(10));
    assert_eq!(chosen("eq/x.csv"), Some(1));
    assert_eq!(chosen("fx/x.json"), Some(9));
    assert_eq!(chosen("eq/x.json"), None);
    assert!((1..=2).all(|id| held.get(id).is_some()), "those before are kept");
}

#[test]
fn a_dictionary_is_trained_only_where_it_gains_and_again_when_it_has_drifted() {
    let family = Family::of("q/a.csv");
    assert!(matches!(judge(&noise(400), &family, None, 1), Verdict::Futile));
    assert!(matches!(judge(&quotes(12, "XNAS"), &family, None, 1), Verdict::Futile), "too few to say");
    let held = trained(1);
    assert!(held.promised < 600, "{}", held.promised);
    assert!(matches!(judge(&quotes(400, "XNAS"), &family, Some(&held), 2), Verdict::Serves));
    let others: Vec<Arc<[u8]>> = (0..400_u32)
        .map(|n| {
            let (order, client) = (n.wrapping_mul(2_654_435_761), n.wrapping_mul(40_503) % 9973);
            format!(
                "{{\"event\":\"new\",\"orderId\":{order},\"clientOrderId\":\"DESK-{client}\",\"side\":\"buy\",\
                 \"timeInForce\":\"day\",\"type\":\"limit\",\"quantity\":{}}}",
                client % 40
            )
            .into_bytes()
            .into()
        })
        .collect();
    match judge(&others, &family, Some(&held), 2) {
        Verdict::Train(next) => assert_eq!(next.id, 2),
        other => panic!("{other:?}"),
    }
}

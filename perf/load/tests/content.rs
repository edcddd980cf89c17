//! Contents and keys follow from their names, and a wrong byte is seen.

use packstone_load::{
    content::{CHUNK, Check, Content, seed_of},
    encoding,
    keys::KeySpace,
};
use sha2::{Digest, Sha256};

fn whole(content: &mut Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = content.chunk() {
        bytes.extend_from_slice(chunk);
        content.advance();
    }
    bytes
}

#[test]
fn a_body_has_its_size_and_its_hash() {
    for size in [0, 1, 7, 8, 4096, 4099, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
        let mut content = Content::new(size as u64);
        content.rewind(seed_of("key", 1));
        let mut digest = String::new();
        content.sha256(&mut digest);
        let bytes = whole(&mut content);
        assert_eq!(bytes.len(), size);
        let mut expected = String::new();
        encoding::push_hex(&Sha256::digest(&bytes), &mut expected);
        assert_eq!(digest, expected, "{size}");
    }
}

#[test]
fn a_check_sees_one_wrong_bit_and_no_other_key() {
    let seed = seed_of("p0001/k0000000001", 1);
    let mut content = Content::new(100_003);
    content.rewind(seed);
    let good = whole(&mut content);
    let run = |seed: u64, bytes: &[u8], whole: bool, step: usize| {
        let mut check = Check::new(seed, whole);
        bytes.chunks(step).for_each(|piece| check.take(piece));
        assert_eq!(check.length(), bytes.len() as u64);
        check.wrong_at()
    };
    for step in [1, 3, 8, 1000, 200_000] {
        assert_eq!(run(seed, &good, true, step), None);
        assert_eq!(run(seed, &good, false, step), None);
        assert!(run(seed_of("p0001/k0000000002", 1), &good, false, step).is_some());
        for at in [0, 5, 4096, 100_002] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let seen = run(seed, &bad, true, step).unwrap();
            assert!(seen <= at as u64 && at as u64 - seen < 8);
        }
    }
}

#[test]
fn patterns_name_keys() {
    let mut key = String::new();
    let space = KeySpace { pattern: "p{p}/k{n}".parse().unwrap(), prefixes: 1000 };
    space.write(12_345, &mut key);
    assert_eq!(key, "p0345/k0000012345");
    assert!("p{p}".parse::<packstone_load::keys::Pattern>().is_err());
    assert!("p{x}{n}".parse::<packstone_load::keys::Pattern>().is_err());
}

#[test]
fn texts_are_encoded_and_decoded() {
    let mut out = String::new();
    encoding::push_percent("a b/é~+", true, &mut out);
    assert_eq!(out, "a%20b/%C3%A9~%2B");
    assert_eq!(encoding::unescape_xml("a&amp;b&lt;&#34;&#x41;&nothing; & c"), "a&b<\"A&nothing; & c");
}

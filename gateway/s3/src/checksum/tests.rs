use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use packstone_store::object::{Checksum, ChecksumAlgorithm, ChecksumKind};

use super::{ALGORITHMS, Announced, algorithm, decode, encode, kind, of_parts};
use crate::digest;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn part(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> (u64, Checksum) {
    let value = digest::checksum(algorithm, bytes);
    (bytes.len() as u64, Checksum { algorithm, kind: ChecksumKind::FullObject, value })
}

#[test]
fn crcs_of_parts_make_the_crc_of_the_whole() {
    let pieces: [&[u8]; 4] = [b"one", &[7; 5000], b"", b"the end"];
    for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme] {
        let parts: Vec<(u64, Checksum)> = pieces.iter().map(|piece| part(algorithm, piece)).collect();
        let sums = parts.iter().map(|(size, checksum)| (*size, Some(checksum)));
        let whole = of_parts(algorithm, ChecksumKind::FullObject, sums).unwrap();
        assert_eq!(whole.value, digest::checksum(algorithm, &pieces.concat()), "{algorithm:?}");
    }
}

#[test]
fn a_composite_is_the_checksum_of_checksums() {
    for algorithm in ALGORITHMS {
        let parts = [part(algorithm, b"one"), part(algorithm, b"two")];
        let joined = [parts[0].1.value.clone(), parts[1].1.value.clone()].concat();
        let sums = parts.iter().map(|(size, checksum)| (*size, Some(checksum)));
        let whole = of_parts(algorithm, ChecksumKind::Composite, sums).unwrap();
        assert_eq!(whole.value, digest::checksum(algorithm, &joined));
        assert!(encode(&whole, 2).ends_with("-2"));
        assert_eq!(decode(algorithm, &encode(&whole, 2)), Some(whole.value));
    }
}

#[test]
fn a_part_without_its_checksum_makes_none() {
    let (size, checksum) = part(ChecksumAlgorithm::Crc32, b"one");
    let sums = [(size, Some(&checksum)), (3, None)];
    assert_eq!(of_parts(ChecksumAlgorithm::Crc32, ChecksumKind::FullObject, sums.into_iter()), None);
}

#[test]
fn what_a_request_announces() {
    let none = Announced::parse(&headers(&[])).unwrap();
    assert_eq!(none, None);
    let value = Announced::parse(&headers(&[("x-amz-checksum-crc32", "y/Q5Jg==")])).unwrap().unwrap();
    assert_eq!(value.value, Some(vec![0xcb, 0xf4, 0x39, 0x26]));
    let trailer = Announced::parse(&headers(&[("x-amz-trailer", "x-amz-checksum-sha256")])).unwrap().unwrap();
    assert_eq!((trailer.algorithm, trailer.value), (ChecksumAlgorithm::Sha256, None));
    for wrong in [
        &[("x-amz-checksum-crc32", "y/Q5Jg==AA")][..],
        &[("x-amz-checksum-sha1", "y/Q5Jg==")],
        &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "y/Q5Jg==")],
        &[("x-amz-trailer", "x-amz-checksum-md5")],
        &[("x-amz-sdk-checksum-algorithm", "CRC32")],
    ] {
        assert_eq!(Announced::parse(&headers(wrong)).unwrap_err().code().as_str(), "InvalidRequest", "{wrong:?}");
    }
}

#[test]
fn kinds_that_an_algorithm_can_have() {
    assert_eq!(kind(algorithm("crc64nvme").unwrap(), None).unwrap(), ChecksumKind::FullObject);
    assert_eq!(kind(algorithm("SHA256").unwrap(), None).unwrap(), ChecksumKind::Composite);
    let whole = s3s::dto::ChecksumType::from_static(s3s::dto::ChecksumType::FULL_OBJECT);
    assert_eq!(kind(ChecksumAlgorithm::Crc32, Some(&whole)).unwrap(), ChecksumKind::FullObject);
    assert!(kind(ChecksumAlgorithm::Sha1, Some(&whole)).is_err());
    assert!(algorithm("MD5").is_err());
}

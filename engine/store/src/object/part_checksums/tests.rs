#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

fn checksum(algorithm: ChecksumAlgorithm, seed: u8) -> Checksum {
    Checksum { algorithm, kind: ChecksumKind::FullObject, value: vec![seed; algorithm.length()] }
}

#[test]
fn what_is_written_is_read() {
    for algorithm in ALGORITHMS {
        let parts: Vec<Checksum> = (0..5).map(|seed| checksum(algorithm, seed)).collect();
        let held = PartChecksums::of(algorithm, parts.iter().map(Some)).unwrap();
        let read = PartChecksums::decode(&held.to_bytes()).unwrap().unwrap();
        assert_eq!(read, held);
        assert_eq!((0..6).map_while(|place| read.get(place)).collect::<Vec<_>>(), parts, "{algorithm:?}");
    }
    assert_eq!(PartChecksums::decode(&Bytes::new()), Ok(None));
}

#[test]
fn a_part_without_the_checksum_makes_none() {
    let (one, other) = (checksum(ChecksumAlgorithm::Sha1, 1), checksum(ChecksumAlgorithm::Crc32, 1));
    let cut = Checksum { value: vec![1; 19], ..one.clone() };
    for second in [None, Some(&other), Some(&cut)] {
        assert_eq!(PartChecksums::of(ChecksumAlgorithm::Sha1, [Some(&one), second]), None, "{second:?}");
    }
}

#[test]
fn what_is_cut_short_or_unknown_is_refused() {
    let held = PartChecksums::of(ChecksumAlgorithm::Sha256, [Some(&checksum(ChecksumAlgorithm::Sha256, 1))]).unwrap();
    let bytes = held.to_bytes();
    assert_eq!(PartChecksums::decode(&bytes.slice(..32)), Err(DecodeError::Short));
    assert!(PartChecksums::decode(&Bytes::from_static(&[9, 1, 2, 3, 4])).is_err());
}

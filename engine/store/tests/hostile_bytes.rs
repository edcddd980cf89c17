//! Whatever bytes a drive gives back, every reader of an on-disk structure answers, and none panics.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use packstone_store::checkpoint::frames::{HEADER, Header};
use packstone_store::checksum::{BLOCK, record_hash, seeded_crc64};
use packstone_store::codec::{Reader, Writer};
use packstone_store::drive::{DirectoryDrive, Superblock, superblock};
use packstone_store::index::Row;
use packstone_store::index::keys;
use packstone_store::index::row::{BucketRow, BucketTally, DocumentRow, FileTally, UploadRow};
use packstone_store::journal::Entry;
use packstone_store::journal::batch::{BatchHeader, FileKey};
use packstone_store::journal::file::FileHeader;
use packstone_store::object::{Attributes, ObjectLock, Version, Versioning};
use packstone_store::record::{Compression, Extent, Posix, Record};
use packstone_store::segment::{SegmentInfo, Toc, toc};
use proptest::prelude::*;

/// Random bytes, and bytes that begin as one of our structures does.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let magic = prop_oneof![
        Just(b"".to_vec()),
        Just(b"PKSTSUPR\x01\x00".to_vec()),
        Just(b"PKSTJRNL\x01\x00".to_vec()),
        Just(b"PKSB\x01\x00".to_vec()),
        Just(b"PKTC\x01\x00".to_vec()),
    ];
    (magic, proptest::collection::vec(any::<u8>(), 0..9000)).prop_map(|(mut head, tail)| {
        head.extend(tail);
        head
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_reader_panics(bytes in bytes()) {
        let _ = FileHeader::decode(&bytes);
        let _ = BatchHeader::decode(&bytes, FileKey::new(1, 2));
        let _ = Entry::decode(&mut Reader(&bytes));
        let _ = SegmentInfo::decode(&mut Reader(&bytes));
        let _ = Record::decode(&mut Reader(&bytes));
        let _ = Extent::decode(&mut Reader(&bytes));
        if let Ok(row) = Row::decode_brief(&bytes) {
            let _ = Version::from_row(&row, true);
        }
        let _ = DocumentRow::decode(&bytes);
        let _ = (Versioning::decode(&bytes), ObjectLock::decode(&bytes));
        let _ = (keys::parse_version(&bytes), keys::parse_document(&bytes));
        let _ = UploadRow::decode(&bytes);
        let _ = BucketRow::decode(&bytes);
        let _ = BucketTally::decode(&bytes);
        let _ = FileTally::decode(&bytes);
    }

    /// An entry of each kind, framed as a journal does, whose body is hostile.
    #[test]
    fn no_entry_panics(kind in 0u8..21, bytes in bytes()) {
        let mut framed = Writer::default();
        let mut body = vec![kind];
        body.extend(bytes);
        framed.long(&body);
        let _ = Entry::decode(&mut Reader(&framed.0));
    }

    /// A TOC whose digest holds, so that what is inside is looked at.
    #[test]
    fn no_toc_panics(bytes in bytes(), entries in 0u32..50, raw in any::<bool>()) {
        let stored = if raw { bytes.clone() } else { zstd::bulk::compress(&bytes, 1).unwrap() };
        let at = Toc {
            offset: 0,
            length: stored.len() as u64,
            raw_length: bytes.len() as u64,
            entries,
            digest: record_hash(&stored),
        };
        let _ = toc::decode(&at, &stored);
    }

    /// A frame of a checkpoint whose hash holds.
    #[test]
    fn no_frame_panics(bytes in bytes(), raw in any::<bool>(), space in 0u8..11, stands in 0u8..3) {
        let _ = Header::decode(&bytes).map(|header| header.open(bytes.get(HEADER..).unwrap_or_default()));
        let plain = [&[space, stands], bytes.as_slice()].concat();
        let stored = if raw { plain.clone() } else { zstd::bulk::compress(&plain, 1).unwrap() };
        let mut framed = Writer::default();
        framed.u32(stored.len().try_into().unwrap());
        framed.u32(plain.len().try_into().unwrap());
        framed.bytes(&record_hash(&stored));
        let _ = Header::decode(&framed.0).unwrap().open(&stored);
    }
}

/// What is read of a superblock, of either version, fits in a slot when it is written again.
#[test]
fn a_superblock_that_no_slot_holds_is_refused() {
    for (version, name_at) in [(1_u16, 82), (2, 90)] {
        for (name, fences, whole) in [(255_u16, 132_u16, true), (256, 0, false), (3900, 0, false), (4, 250, false)] {
            let mut slot = vec![0; BLOCK - 8];
            slot[..8].copy_from_slice(b"PKSTSUPR");
            slot[8..10].copy_from_slice(&version.to_le_bytes());
            slot[47] = 1; // The class.
            slot[name_at..name_at + 2].copy_from_slice(&name.to_le_bytes());
            let count_at = name_at + 2 + usize::from(name);
            slot[count_at..count_at + 2].copy_from_slice(&fences.to_le_bytes());
            let crc = seeded_crc64(0, &[&slot]).to_le_bytes();
            let read = Superblock::decode(&[slot.as_slice(), &crc].concat());
            assert_eq!(read.is_ok(), whole, "version {version}, {name} bytes of name, {fences} fences");
            if let Ok(superblock) = read {
                assert_eq!(Superblock::decode(&superblock.encode()), Ok(superblock));
            }
        }
    }
}

/// Lengths that no file has sum to the most there is, not to something small.
#[test]
fn rotten_lengths_do_not_wrap() {
    let extent = Extent { segment: 1, offset: 0, length: u64::MAX, part: 1, claim: 0, hash: [0; 16] };
    let mut attributes = Writer::default();
    Attributes::default().encode(&mut attributes);
    let record = Record {
        id: 1,
        size: 1,
        modified: 0,
        compression: Compression::Raw,
        dictionary: 0,
        key_id: 0,
        chunking: 0,
        posix: Posix::default(),
        attributes: attributes.0,
        extents: vec![extent, extent],
        part_checksums: bytes::Bytes::new(),
    };
    assert_eq!(record.stored(), u64::MAX);
    assert_eq!(Version::from_row(&Row::plain(1, 1, record), true).unwrap().parts, [u64::MAX]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_superblock_panics(bytes in bytes()) {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(superblock::PATH), &bytes).unwrap();
        let _ = Superblock::load(&DirectoryDrive::open(scratch.path()).unwrap());
    }
}

//! Real encodings of what stands on drives: where fuzzing begins.

use bytes::Bytes;
use packstone_store::checkpoint::frames::{FrameWriter, HEADER};
use packstone_store::checksum::record_hash;
use packstone_store::codec::Writer;
use packstone_store::compliance::Reading;
use packstone_store::drive::superblock::Superblock;
use packstone_store::epoch::{Epoch, Fence};
use packstone_store::index::row::{BucketRow, BucketTally, UploadRow};
use packstone_store::index::{Row, Space, keys};
use packstone_store::journal::batch::{Batch, FileKey, Position};
use packstone_store::journal::entry::{Claim, Entry, JournalInfo, LiveSet, Manifest, Removed, Target};
use packstone_store::journal::file::FileHeader;
use packstone_store::object::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, DefaultRetention, Encryption, Etag, FileFacts, Mode,
    PartChecksums, Pending, Period, RenameToken, Retention, SystemHeader, UploadId, VersionId,
};
use packstone_store::pool::{DriveClass, Profile};
use packstone_store::record::{Compression, Extent, Posix, Record};
use packstone_store::segment::toc::TocBuilder;
use packstone_store::segment::{SegmentInfo, SegmentKind, Toc, shard};

pub const APPLIANCE: u128 = 7;
pub const FILE: u64 = 9;
/// Bytes of a journal file's header block that say something, which is where the batch of a seed begins.
pub const FILE_HEADER: usize = 58;

fn epoch(number: u64) -> Epoch {
    Epoch { number, nonce: 1 }
}

pub fn superblocks() -> Vec<Vec<u8>> {
    let mut superblock = Superblock {
        appliance: APPLIANCE,
        drive: 8,
        number: 3,
        drives: 4,
        pool: 1,
        pool_name: "fast".into(),
        class: DriveClass::Ssd,
        profile: Profile { data: 3, parity: 1 },
        epoch: epoch(5),
        fences: vec![Fence { epoch: epoch(4), lsn: 1000 }],
        retain_until: 0,
        formatted: 1,
        clock: Some(Reading { time: 9, boottime: 8, boot: 7, allowance: 6, owed: 5 }),
        change: 6,
        removed: vec![1, 2],
        enclosures: 7,
    };
    let one = superblock.encode();
    superblock.fences = (0..100).map(|number| Fence { epoch: epoch(number), lsn: number * 10 }).collect();
    vec![one, superblock.encode()]
}

pub fn journals() -> Vec<Vec<u8>> {
    let header = FileHeader { appliance: APPLIANCE, file: FILE, epoch: epoch(2), capacity: 32 << 20 }.encode();
    let key = FileKey::new(APPLIANCE, FILE);
    let at = Position { key, epoch: epoch(2), first_lsn: 100, data_offset: 0, time: 1, previous: [3; 32] };
    let every: Vec<Entry> = kinds();
    let batches = [Batch::build(at, &every[..1], &[b"record".to_vec()]), Batch::build(at, &every, &[vec![7; 300]])];
    batches.map(|batch| [&header[..FILE_HEADER], batch.bytes.as_slice()].concat()).to_vec()
}

/// Bodies of entries, without the length in front.
pub fn entries() -> Vec<Vec<u8>> {
    let bodies = kinds().into_iter().map(|entry| {
        let mut out = Writer::default();
        entry.encode(&mut out);
        out.0.split_off(4)
    });
    bodies.collect()
}

pub fn shards() -> Vec<Vec<u8>> {
    let infos = [SegmentKind::Packed, SegmentKind::Stream, SegmentKind::Checkpoint].map(segment);
    let encoded = infos.iter().map(|info| {
        let mut out = Writer::default();
        info.encode(&mut out);
        out.bytes(&shard::header(APPLIANCE, info, 0)[..64]);
        out.0
    });
    encoded.chain([b"0000000000000009.03".to_vec()]).collect()
}

pub fn tocs() -> Vec<Vec<u8>> {
    let mut builder = TocBuilder::default();
    let kinds = kinds();
    for (lsn, entry) in (100..).zip(&kinds) {
        builder.push(lsn, entry);
    }
    let finished = builder.finish().unwrap();
    let plain = zstd::bulk::decompress(&finished.stored, 1 << 20).unwrap();
    let seed = |kind: u8, bytes: &[u8]| {
        let mut out = Writer::default();
        out.u8(kind);
        out.u64(finished.toc.raw_length);
        out.u32(finished.toc.entries);
        out.bytes(bytes);
        out.0
    };
    vec![seed(0, &finished.stored), seed(1, &plain)]
}

pub fn frames() -> Vec<Vec<u8>> {
    let mut writer = FrameWriter::default();
    writer.push(Space::Current, &keys::current(1, "a"), Some(&Row::plain(5, FILE, record(1)).encode().0));
    writer.push(Space::Versions, &keys::version(1, "a", 4), None);
    writer.push(Space::Dead, &keys::dead(FILE, 4), Some(&[5; 8]));
    let framed = writer.finish().unwrap();
    let stored = &framed[HEADER..];
    let plain = zstd::bulk::decompress(stored, 1 << 20).unwrap();
    let seed = |kind: u8, bytes: &[u8]| {
        let mut out = Writer::default();
        out.u8(kind);
        out.u32(plain.len() as u32);
        out.bytes(bytes);
        out.0
    };
    vec![seed(0, stored), seed(1, &plain)]
}

pub fn rows() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for extents in [0, 1, 6] {
        let (value, apart) = Row::plain(5, FILE, record(extents)).encode();
        seeds.push(value);
        seeds.extend(apart.into_iter().map(|(_, value)| value));
    }
    seeds.push(UploadRow { lsn: 5, home: FILE, initiated: 1, attributes: attributes() }.encode());
    seeds.push(BucketRow { lsn: 5, home: FILE, id: 1, created: 1 }.encode());
    seeds.push(BucketTally { objects: 1, bytes: 2, uploads: 3, links: 4 }.encode());
    let mut encoded = Writer::default();
    record(2).encode(&mut encoded);
    seeds.extend([encoded.0, attributes(), keys::upload(1, "a\0key", 77), keys::part(77, 3), keys::current(1, "key")]);
    seeds
}

fn segment(kind: SegmentKind) -> SegmentInfo {
    SegmentInfo {
        id: FILE,
        kind,
        sealed: true,
        pool: 1,
        profile: Profile { data: 3, parity: 1 },
        drives: vec![0, 1, 2, 3],
        shard_length: 1 << 20,
        payload: 3 << 20,
        toc: Toc { offset: 3 << 20, length: 500, raw_length: 900, entries: 9, digest: record_hash(b"toc") },
        first_lsn: 1,
        last_lsn: 9,
        sealed_lsn: 12,
        begun_lsn: 8,
        sources: vec![3, 4],
    }
}

fn record(extents: usize) -> Record {
    let extent = |number: usize| Extent {
        segment: FILE,
        offset: number as u64 * 4096,
        length: 1000,
        part: u16::try_from(number).unwrap(),
        claim: 40,
        hash: record_hash(b"record"),
    };
    Record {
        id: 11,
        size: 1000 * extents as u64,
        modified: 1,
        compression: Compression::Zstd,
        dictionary: 0,
        key_id: 0,
        chunking: 0,
        posix: Posix::default(),
        attributes: attributes(),
        extents: (0..extents).map(extent).collect(),
        part_checksums: part_checksums(extents),
    }
}

/// Those of so many parts, which no part entry has.
fn part_checksums(parts: usize) -> Bytes {
    let (algorithm, kind) = (ChecksumAlgorithm::Crc32, ChecksumKind::FullObject);
    let each = Checksum { algorithm, kind, value: vec![1, 2, 3, 4] };
    PartChecksums::of(algorithm, (0..parts).map(|_| Some(&each))).unwrap().to_bytes()
}

fn attributes() -> Vec<u8> {
    let mut out = Writer::default();
    let checksum =
        Checksum { algorithm: ChecksumAlgorithm::Crc32, kind: ChecksumKind::Composite, value: vec![1, 2, 3, 4] };
    Attributes {
        etag: Etag { md5: [0xab; 16], parts: 2 },
        checksum: Some(checksum),
        headers: vec![(SystemHeader::ContentType, "text/plain".into())],
        user: vec![("name".into(), "value".into())],
        tags: vec![("desk".into(), "rates".into())],
        retention: Some(Retention { mode: Mode::Compliance, until: 2_000_000_000 }),
        legal_hold: true,
        acl: Some(b"acl".to_vec()),
        upload: Some(UploadId(5)),
        encryption: Some(Encryption::Managed { generation: 1 }),
        renamed: Some(RenameToken { token: [1; 16], request: [2; 16] }),
        file: Some(FileFacts { uid: 1, gid: 2, mode: 0o100_644, mtime: 3, ctime: 4 }),
        extended: vec![("user.desk".into(), vec![0, 255])],
        pending: Some(Pending {
            rule: DefaultRetention { mode: Mode::Compliance, period: Period::Years(6) },
            since: 7,
        }),
        inode: Some(8),
    }
    .encode(&mut out);
    out.0
}

/// An entry of every kind.
fn kinds() -> Vec<Entry> {
    [other_kinds(), version_kinds()].concat()
}

/// An entry of every kind that versions are made of.
fn version_kinds() -> Vec<Entry> {
    let kills = vec![Target { file: FILE, lsn: 3 }];
    let (bucket, key, upload) = (1, "dir/key".to_owned(), 77);
    vec![
        Entry::PutVersion {
            bucket,
            key: key.clone(),
            upload,
            version: VersionId::mint(7, 9),
            record: record(1),
            replaces: 4,
            removed: Removed { objects: 1, bytes: 10 },
            kills: kills.clone(),
        },
        Entry::Marker {
            bucket,
            key: key.clone(),
            version: VersionId::NULL,
            record: 9,
            modified: 1,
            replaces: 4,
            removed: Removed::default(),
            kills: kills.clone(),
        },
        Entry::KillVersion {
            bucket,
            key: key.clone(),
            record: 9,
            promoted: 4,
            removed: Removed::default(),
            kills: kills.clone(),
        },
        Entry::Amend { bucket, key, record: 9, attributes: attributes(), kills },
    ]
}

/// An entry of every other kind.
fn other_kinds() -> Vec<Entry> {
    let kills = vec![Target { file: FILE, lsn: 3 }];
    let (bucket, key, upload) = (1, "dir/key".to_owned(), 77);
    let live = LiveSet {
        next_file: 20,
        next_bucket: 2,
        journals: vec![JournalInfo { id: FILE, copies: vec![0, 1] }],
        segments: vec![segment(SegmentKind::Packed)],
    };
    vec![
        Entry::Live(live),
        Entry::StreamOpen(segment(SegmentKind::Stream)),
        Entry::Sealed(segment(SegmentKind::Packed)),
        Entry::Erased { id: 5 },
        Entry::BucketCreate { id: 1, name: "bucket".into(), created: 1 },
        Entry::BucketDelete { name: "bucket".into(), kills: kills.clone() },
        Entry::Put {
            bucket,
            key: key.clone(),
            upload: 0,
            record: record(1),
            removed: Removed { objects: 1, bytes: 10 },
            kills: kills.clone(),
        },
        Entry::Kill { bucket, key: key.clone(), removed: Removed::default(), kills: kills.clone() },
        Entry::UploadOpen { bucket, key: key.clone(), upload, initiated: 1, attributes: attributes() },
        Entry::Part { bucket, key: key.clone(), upload, number: 1, record: record(2), kills: kills.clone() },
        Entry::UploadAbort { bucket, key, upload, kills: kills.clone() },
        Entry::Document {
            scope: bucket,
            kind: "policy".into(),
            name: String::new(),
            value: Some(b"{}".to_vec()),
            kills: kills.clone(),
        },
        Entry::Grave { kills },
        Entry::Claims(vec![Claim { lsn: 3, bytes: 1000 }]),
        Entry::Checkpoint(Manifest {
            mark: 99,
            taken: 8,
            base: FILE - 2,
            length: 1000,
            pairs: 12,
            digest: [4; 16],
            files: vec![FILE - 3, FILE],
        }),
    ]
}

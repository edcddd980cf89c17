//! Readers of what stands on drives and in the index.

use packstone_store::checkpoint::frames::{self, FrameWriter, Header};
use packstone_store::checksum::{BLOCK, record_hash, seeded_crc64};
use packstone_store::codec::{DecodeError, Reader, Writer};
use packstone_store::compression::expand;
use packstone_store::drive::Superblock;
use packstone_store::epoch::Epoch;
use packstone_store::index::memory::MemoryIndex;
use packstone_store::index::row::{BucketRow, BucketTally, FileTally, Mark, UploadRow, identity};
use packstone_store::index::{Index as _, IndexBatch, Row, Space, keys};
use packstone_store::journal::batch::{BatchHeader, FileKey, HEADER, chain_of};
use packstone_store::journal::entry::Entry;
use packstone_store::journal::file::FileHeader;
use packstone_store::object::{Attributes, Version};
use packstone_store::record::{Compression, Record};
use packstone_store::segment::shard::Origin;
use packstone_store::segment::{SegmentInfo, Toc, shard, toc};

use crate::sample;

/// What is decoded is encoded to what decodes to the same. (Two encodings of one thing may differ in what is padding.)
macro_rules! reads_back {
    ($type:ty, $value:expr) => {{
        let mut out = Writer::default();
        $value.encode(&mut out);
        assert_eq!(<$type>::decode(&mut Reader(&out.0)).as_ref(), Ok($value));
    }};
}

/// `bytes` as the block that they begin, with the checksum that belongs to it.
fn block(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut block = bytes.get(..BLOCK - 8).unwrap_or(bytes).to_vec();
    block.resize(BLOCK - 8, 0);
    let crc = seeded_crc64(seed, &[&block]);
    block.extend_from_slice(&crc.to_le_bytes());
    block
}

pub fn superblock(input: &[u8]) {
    let _ = Superblock::decode(input);
    let Ok(superblock) = Superblock::decode(&block(input, 0)) else { return };
    let encoded = superblock.encode();
    assert_eq!(encoded.len(), BLOCK);
    assert_eq!(Superblock::decode(&encoded), Ok(superblock.clone()));
    let mut advanced = superblock;
    advanced.advance(Epoch { number: 7, nonce: 1 }, &advanced.fences.clone());
    assert!(advanced.knows(advanced.epoch));
    let _ = advanced.forgot(7);
    assert_eq!(Superblock::decode(&advanced.encode()), Ok(advanced));
}

/// A file's header block, and a batch behind it.
pub fn journal(input: &[u8]) {
    let (head, batch) = input.split_at(input.len().min(sample::FILE_HEADER));
    let file = head.get(26..34).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let _ = FileHeader::decode(input);
    if let Ok(header) = FileHeader::decode(&block(head, file)) {
        assert_eq!(FileHeader::decode(&header.encode()), Ok(header));
    }
    let key = FileKey::new(sample::APPLIANCE, sample::FILE);
    let _ = BatchHeader::decode(batch, key);
    let mut batch = batch.to_vec();
    batch.resize(batch.len().max(HEADER), 0);
    let (fields, body) = batch.split_at_mut(HEADER);
    let meta_length = u32::from_le_bytes(fields[36..40].try_into().unwrap()) as usize;
    let (meta, data) = body.split_at(meta_length.min(body.len()));
    fields[96..104].copy_from_slice(&seeded_crc64(key.seed, &[meta]).to_le_bytes());
    fields[104..112].copy_from_slice(&seeded_crc64(key.seed, &[data]).to_le_bytes());
    let crc = seeded_crc64(key.seed, &[&fields[..HEADER - 8]]);
    fields[HEADER - 8..].copy_from_slice(&crc.to_le_bytes());
    let Ok(header) = BatchHeader::decode(fields, key) else { return };
    assert!(header.length() % BLOCK as u64 == 0 && header.length() >= header.data_start());
    assert!(header.last_lsn() >= header.first_lsn);
    assert_eq!(header.check_data(data), Ok(()));
    match header.entries(meta) {
        Ok(entries) => assert_eq!(entries.len(), header.entries as usize),
        Err(error) => assert_ne!(error, DecodeError::Checksum, "a checksum that was mended"),
    }
    let _ = chain_of(&header, fields, meta);
}

/// Entries, framed as they are in a batch.
pub fn entry(input: &[u8]) {
    let _ = Entry::decode(&mut Reader(input));
    let mut framed = Writer::default();
    framed.long(input);
    let Ok(entry) = Entry::decode(&mut Reader(&framed.0)) else { return };
    reads_back!(Entry, &entry);
    let _ = entry.kills();
    if let Some(record) = entry.record() {
        let _ = (record.stored(), Version::from_row(&Row::plain(1, 1, record.clone()), true));
    }
}

pub fn shard(input: &[u8]) {
    let Ok(info) = SegmentInfo::decode(&mut Reader(input)) else { return };
    reads_back!(SegmentInfo, &info);
    let _ = info.content();
    let (header, origin) = (shard::header(sample::APPLIANCE, &info, 1), Origin::of(sample::APPLIANCE, &info));
    assert_eq!(shard::check_header(&header, &origin, 1), Ok(()));
    assert!(shard::check_header(&header, &origin, 2).is_err());
    // What is left is a header of its own, of another segment as a rule.
    let _ = shard::check_header(&block(&input[SegmentInfo::LEAST.min(input.len())..], info.id), &origin, 0);
    if let Some((segment, number)) = std::str::from_utf8(input).ok().and_then(shard::parse_name) {
        assert_eq!(
            shard::parse_name(shard::path_of(segment, number).rsplit('/').next().unwrap()),
            Some((segment, number))
        );
    }
}

/// First the length that is said of it and how many entries, then the TOC: plain, or compressed by somebody.
pub fn toc(input: &[u8]) {
    let mut from = Reader(input);
    let (Ok(kind), Ok(raw_length), Ok(entries)) = (from.u8(), from.u64(), from.u32()) else { return };
    let (stored, raw_length) = match kind {
        0 => (from.0.to_vec(), raw_length),
        _ => (zstd::bulk::compress(from.0, 1).unwrap(), from.0.len() as u64),
    };
    let said = Toc { offset: 0, length: stored.len() as u64, raw_length, entries, digest: record_hash(&stored) };
    if let Ok(logged) = toc::decode(&said, &stored) {
        assert_eq!(logged.len(), entries as usize);
    }
    let _ = expand(Compression::Zstd, stored, raw_length);
}

/// A frame of a checkpoint whose hash holds, compressed or as it comes.
pub fn frame(input: &[u8]) {
    let mut from = Reader(input);
    let (Ok(kind), Ok(raw_length)) = (from.u8(), from.u32()) else { return };
    let (stored, raw_length) = match kind {
        0 => (from.0.to_vec(), raw_length),
        _ => (zstd::bulk::compress(from.0, 1).unwrap(), from.0.len() as u32),
    };
    let mut header = Writer::default();
    header.u32(stored.len() as u32);
    header.u32(raw_length);
    header.bytes(&record_hash(&stored));
    let Ok(changes) = Header::decode(&header.0).and_then(|header| header.open(&stored)) else { return };
    assert!(changes.is_sorted_by(|before, after| before.place() < after.place()));
    let mut again = FrameWriter::default();
    changes.iter().for_each(|change| again.push(change.space, &change.key, change.value.as_deref()));
    let again = again.finish().unwrap();
    if !changes.is_empty() {
        assert_eq!(Header::decode(&again).unwrap().open(&again[frames::HEADER..]), Ok(changes));
    }
}

/// Values of the index, and keys.
pub fn row(input: &[u8]) {
    let _ = (UploadRow::decode(input), BucketRow::decode(input), BucketTally::decode(input));
    let _ = (FileTally::decode(input), Mark::decode(input), identity(input));
    let _ = (keys::parse_current(input), keys::object_key(input), keys::part_number(input), keys::dead_lsn(input));
    if let Some((upload, number)) = keys::parse_part(input) {
        assert_eq!(keys::part(upload, number), input);
    }
    if let Some((key, id)) = keys::parse_upload(input) {
        assert_eq!(keys::parse_upload(&keys::upload(1, &key, id)), Some((key, id)));
    }
    if let Ok(attributes) = Attributes::decode(&mut Reader(input)) {
        reads_back!(Attributes, &attributes);
    }
    if let Ok(record) = Record::decode(&mut Reader(input)) {
        reads_back!(Record, &record);
    }
    let Ok(brief) = Row::decode_brief(input) else { return };
    let _ = (Version::from_row(&brief, true), brief.record.stored(), brief.targets());
    // What stands apart is read from an index that holds the input there.
    let index = MemoryIndex::default();
    let mut batch = IndexBatch::default();
    batch.put(Space::Extents, keys::extents(brief.record.id, 0), input.to_vec());
    batch.put(Space::Extents, keys::part_checksums(brief.record.id, 0), input.to_vec());
    index.write(batch).unwrap();
    if let Ok(row) = Row::decode_whole(input, &*index.snapshot()) {
        let _ = Version::from_row(&row, true);
    }
    let (value, apart) = brief.encode();
    let index = MemoryIndex::default();
    let mut batch = IndexBatch::default();
    for (key, value) in apart {
        batch.put(Space::Extents, key, value);
    }
    index.write(batch).unwrap();
    assert_eq!(Row::decode_whole(&value, &*index.snapshot()).unwrap(), brief);
}

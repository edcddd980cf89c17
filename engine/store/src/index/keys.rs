//! Keys of the index: big-endian, so that they sort as what they mean.
//!
//! Every space keeps its mark under four zero bytes, which no other key of any space is: bucket ids and file ids begin
//! at 1, a bucket's name has letters, and a document's key is longer.

/// Where the mark stands in every space.
pub const MARK: &[u8] = &[0; 4];

/// In `Current`: bucket, then the key's bytes. Nothing follows the key, so it needs no escape.
#[must_use]
pub fn current(bucket: u32, key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + key.len());
    out.extend_from_slice(&bucket.to_be_bytes());
    out.extend_from_slice(key.as_bytes());
    out
}

/// Takes a key of `Current` apart into bucket and object key.
#[must_use]
pub fn parse_current(key: &[u8]) -> Option<(u32, &str)> {
    let (bucket, name) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*bucket), std::str::from_utf8(name).ok()?))
}

/// The object key in a key of `Current`.
#[must_use]
pub fn object_key(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(4..)?).ok()
}

/// In `Inodes`: the number. The value names keys of `Current`.
#[must_use]
pub fn inode(inode: u64) -> Vec<u8> {
    inode.to_be_bytes().to_vec()
}

/// No inode's number begins so.
const PENDING: u8 = 0xff;

/// In `Inodes`, behind all numbers: the record of a version that waits for its lock. The value is the key of `Current`
/// that it has, or had when it was the newest.
#[must_use]
pub fn pending(record: u64) -> Vec<u8> {
    let mut out = vec![PENDING];
    out.extend_from_slice(&record.to_be_bytes());
    out
}

/// The record in such a key; `None` for an inode's.
#[must_use]
pub fn parse_pending(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(&[PENDING])?.try_into().ok()?))
}

/// In `Extents`: content id, then the number of the first extent in the chunk.
#[must_use]
pub fn extents(content: u64, first: u32) -> Vec<u8> {
    let mut out = content.to_be_bytes().to_vec();
    out.extend_from_slice(&first.to_be_bytes());
    out
}

/// In `Extents`, behind a record's extents: the same, with this bit in the number of a chunk of its parts' checksums.
const CHECKSUMS: u32 = 1 << 31;

/// In `Extents`: content id, then the number of a chunk of the parts' checksums.
#[must_use]
pub fn part_checksums(content: u64, chunk: u32) -> Vec<u8> {
    extents(content, CHECKSUMS | chunk)
}

/// Whether a key of `Extents` is one of parts' checksums.
#[must_use]
pub fn is_part_checksums(key: &[u8]) -> bool {
    let number = key.get(8..).and_then(|number| number.first_chunk::<4>());
    number.is_some_and(|number| u32::from_be_bytes(*number) & CHECKSUMS != 0)
}

/// Tells uploads from parts in `Uploads`.
const UPLOAD: u8 = 1;
const PART: u8 = 2;

/// In `Uploads`: bucket, escaped key, upload id. Uploads of one key sort by id, keys as in `Current`.
#[must_use]
pub fn upload(bucket: u32, key: &str, upload: u128) -> Vec<u8> {
    let mut out = upload_key(bucket, key);
    out.extend_from_slice(&upload.to_be_bytes());
    out
}

/// The prefix of all uploads of one key.
#[must_use]
pub fn upload_key(bucket: u32, key: &str) -> Vec<u8> {
    let mut out = upload_prefix(bucket, key);
    out.extend_from_slice(&[0, 0]);
    out
}

/// The prefix of all uploads of keys that begin with `prefix`.
#[must_use]
pub fn upload_prefix(bucket: u32, prefix: &str) -> Vec<u8> {
    let mut out = vec![UPLOAD];
    out.extend_from_slice(&bucket.to_be_bytes());
    escape(prefix, &mut out);
    out
}

/// A NUL in a key becomes 0 1 and the key ends with 0 0: no key is then a prefix of another's end, and keys sort as they
/// do unescaped.
fn escape(key: &str, out: &mut Vec<u8>) {
    for byte in key.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(1);
        }
    }
}

fn unescape(escaped: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == 0 {
            bytes.next();
        }
    }
    String::from_utf8(plain).ok()
}

/// Between which keys of `Uploads` all uploads stand: from the first on, up to the second.
#[must_use]
pub fn all_uploads() -> (Vec<u8>, Vec<u8>) {
    (vec![UPLOAD], vec![UPLOAD + 1])
}

/// The bucket of an upload's key.
#[must_use]
pub fn bucket_of_upload(key: &[u8]) -> Option<u32> {
    let (bucket, _) = key.strip_prefix(&[UPLOAD])?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bucket))
}

/// Takes an upload's key apart into object key and upload id.
#[must_use]
pub fn parse_upload(key: &[u8]) -> Option<(String, u128)> {
    let body = key.get(5..)?;
    let (escaped, id) = body.split_at_checked(body.len().checked_sub(16)?)?;
    let escaped = escaped.strip_suffix(&[0, 0])?;
    Some((unescape(escaped)?, u128::from_be_bytes(id.try_into().ok()?)))
}

/// In `Versions`: bucket, escaped key, the record's id inverted, so that the newest version of a key comes first.
#[must_use]
pub fn version(bucket: u32, key: &str, record: u64) -> Vec<u8> {
    let mut out = versions(bucket, key);
    out.extend_from_slice(&(!record).to_be_bytes());
    out
}

/// In `Versions`, behind every version of a key: which of those is the null version.
#[must_use]
pub fn null_pointer(bucket: u32, key: &str) -> Vec<u8> {
    version(bucket, key, 0)
}

/// The prefix of all versions of one key.
#[must_use]
pub fn versions(bucket: u32, key: &str) -> Vec<u8> {
    let mut out = versions_prefix(bucket, key);
    out.extend_from_slice(&[0, 0]);
    out
}

/// The prefix of all versions of keys that begin with `prefix`.
#[must_use]
pub fn versions_prefix(bucket: u32, prefix: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(14 + prefix.len());
    out.extend_from_slice(&bucket.to_be_bytes());
    escape(prefix, &mut out);
    out
}

/// Takes a key of `Versions` apart into bucket, object key and record, which is 0 for the pointer to the null version.
#[must_use]
pub fn parse_version(key: &[u8]) -> Option<(u32, String, u64)> {
    let (bucket, body) = key.split_first_chunk::<4>()?;
    let (escaped, record) = body.split_last_chunk::<8>()?;
    let name = unescape(escaped.strip_suffix(&[0, 0])?)?;
    Some((u32::from_be_bytes(*bucket), name, !u64::from_be_bytes(*record)))
}

/// In `Documents`: scope, kind, NUL, name. No kind has a NUL.
#[must_use]
pub fn document(scope: u32, kind: &str, name: &str) -> Vec<u8> {
    let mut out = documents(scope, kind);
    out.extend_from_slice(name.as_bytes());
    out
}

/// The prefix of all documents of a kind.
#[must_use]
pub fn documents(scope: u32, kind: &str) -> Vec<u8> {
    let mut out = scope.to_be_bytes().to_vec();
    out.extend_from_slice(kind.as_bytes());
    out.push(0);
    out
}

/// Takes a key of `Documents` apart into scope, kind and name.
#[must_use]
pub fn parse_document(key: &[u8]) -> Option<(u32, &str, &str)> {
    let (scope, rest) = key.split_first_chunk::<4>()?;
    let (kind, name) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    Some((u32::from_be_bytes(*scope), kind, name))
}

/// In `Uploads`: upload id, part number.
#[must_use]
pub fn part(upload: u128, number: u16) -> Vec<u8> {
    let mut out = parts(upload);
    out.extend_from_slice(&number.to_be_bytes());
    out
}

/// The prefix of all parts of an upload.
#[must_use]
pub fn parts(upload: u128) -> Vec<u8> {
    let mut out = vec![PART];
    out.extend_from_slice(&upload.to_be_bytes());
    out
}

/// The part number in a part's key.
#[must_use]
pub fn part_number(key: &[u8]) -> Option<u16> {
    parse_part(key).map(|(_, number)| number)
}

/// Takes a part's key apart into upload id and part number; `None` for an upload's.
#[must_use]
pub fn parse_part(key: &[u8]) -> Option<(u128, u16)> {
    let (upload, number) = key.strip_prefix(&[PART])?.split_first_chunk::<16>()?;
    Some((u128::from_be_bytes(*upload), u16::from_be_bytes(number.try_into().ok()?)))
}

/// In `Dead`: file, LSN.
#[must_use]
pub fn dead(file: u64, lsn: u64) -> Vec<u8> {
    let mut out = file.to_be_bytes().to_vec();
    out.extend_from_slice(&lsn.to_be_bytes());
    out
}

/// The LSN in a key of `Dead`.
#[must_use]
pub fn dead_lsn(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(8..)?.try_into().ok()?))
}

/// In `Tallies`: the counters of a bucket.
#[must_use]
pub fn bucket_tally(bucket: u32) -> Vec<u8> {
    let mut out = vec![b'b'];
    out.extend_from_slice(&bucket.to_be_bytes());
    out
}

/// The prefix of the counters of all files.
pub const FILE_TALLIES: &[u8] = b"f";

/// The file whose counters stand under a key of `Tallies`.
#[must_use]
pub fn tallied_file(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(FILE_TALLIES)?.try_into().ok()?))
}

/// In `Tallies`: the counters of a file.
#[must_use]
pub fn file_tally(file: u64) -> Vec<u8> {
    let mut out = FILE_TALLIES.to_vec();
    out.extend_from_slice(&file.to_be_bytes());
    out
}

/// The first key after all that begin with `prefix`; `None` where there is none.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

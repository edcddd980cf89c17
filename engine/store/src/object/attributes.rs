//! What stands with a version beside its bytes: ETag, checksum, system headers and user metadata; and what may be said of
//! it later: tags, lock, access control list.
//!
//! The layout is drawn in `docs/format.md`; the journal, TOCs and the index all carry it as it is here.

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::Error;
use crate::object::{Encryption, FileFacts, Pending, RenameToken, UploadId};
use crate::retention::{Lock, Retention};

/// The most bytes that the encoded attributes of one version may take.
pub const MAX_ENCODED: usize = 64 << 10;
/// So much of what is said of a version may be a file's own, in bytes: locks, tags and access control lists always have room.
pub(crate) const MAX_EXTENDED: usize = 32 << 10;

/// An entity tag: the MD5 of one body, or of the parts' MD5s, when `parts` is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Etag {
    pub md5: [u8; 16],
    /// 0 for an object made by one body, else the number behind the dash.
    pub parts: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChecksumAlgorithm {
    Crc32 = 1,
    Crc32c = 2,
    Crc64Nvme = 3,
    Sha1 = 4,
    Sha256 = 5,
}

impl ChecksumAlgorithm {
    /// Bytes of a raw digest.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChecksumKind {
    /// Over the whole object.
    FullObject = 1,
    /// Over the checksums of the parts.
    Composite = 2,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    pub kind: ChecksumKind,
    /// The raw digest, 4 to 32 bytes.
    pub value: Vec<u8>,
}

/// Headers that S3 keeps with an object and gives back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SystemHeader {
    ContentType = 1,
    CacheControl = 2,
    ContentDisposition = 3,
    ContentEncoding = 4,
    ContentLanguage = 5,
    Expires = 6,
    WebsiteRedirectLocation = 7,
    StorageClass = 8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub etag: Etag,
    /// As verified at ingest. On an open upload the value is empty: it says what the parts will bring.
    pub checksum: Option<Checksum>,
    pub headers: Vec<(SystemHeader, String)>,
    /// User metadata: names in lower case without `x-amz-meta-`.
    pub user: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub retention: Option<Retention>,
    pub legal_hold: bool,
    /// As the face that wrote it encodes it.
    pub acl: Option<Vec<u8>>,
    /// The upload that made the object.
    pub upload: Option<UploadId>,
    /// Set by the engine alone.
    pub encryption: Option<Encryption>,
    /// What asked for the rename that brought it to its key.
    pub renamed: Option<RenameToken>,
    /// What was said of it as a file.
    pub file: Option<FileFacts>,
    /// Extended attributes, in order of their names.
    pub extended: Vec<(String, Vec<u8>)>,
    /// The lock that a file waits for.
    pub pending: Option<Pending>,
    /// Its number as a file in place of the one that its record says, where another file had that when this version came
    /// back. Set by the engine alone.
    pub inode: Option<u64>,
}

/// Kinds of what follows the user metadata, each at most once and in this order.
const TAGS: u8 = 1;
const RETENTION: u8 = 2;
const LEGAL_HOLD: u8 = 3;
const ACL: u8 = 4;
const UPLOAD: u8 = 5;
const ENCRYPTION: u8 = 6;
const RENAMED: u8 = 7;
const FILE: u8 = 8;
const EXTENDED: u8 = 9;
const PENDING: u8 = 10;
const INODE: u8 = 11;

impl Attributes {
    /// The value of a system header.
    #[must_use]
    pub fn header(&self, header: SystemHeader) -> Option<&str> {
        self.headers.iter().find(|(name, _)| *name == header).map(|(_, value)| value.as_str())
    }

    pub fn encode(&self, out: &mut Writer) {
        out.bytes(&self.etag.md5);
        out.u16(self.etag.parts);
        match &self.checksum {
            None => out.u8(0),
            Some(checksum) => {
                out.u8(checksum.algorithm as u8);
                out.u8(checksum.kind as u8);
                out.short(&checksum.value);
            }
        }
        out.u8(u8::try_from(self.headers.len()).unwrap_or(u8::MAX));
        for (header, value) in &self.headers {
            out.u8(*header as u8);
            out.short(value.as_bytes());
        }
        out.u16(u16::try_from(self.user.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.user {
            out.short(name.as_bytes());
            out.short(value.as_bytes());
        }
        self.encode_sections(out);
    }

    fn encode_sections(&self, out: &mut Writer) {
        let mut section = |kind: u8, write: &dyn Fn(&mut Writer)| {
            let mut body = Writer::default();
            write(&mut body);
            out.u8(kind);
            out.long(&body.0);
        };
        if !self.tags.is_empty() {
            section(TAGS, &|body| {
                for (name, value) in &self.tags {
                    body.short(name.as_bytes());
                    body.short(value.as_bytes());
                }
            });
        }
        if let Some(retention) = self.retention {
            section(RETENTION, &|body| retention.encode(body));
        }
        if self.legal_hold {
            section(LEGAL_HOLD, &|_| {});
        }
        if let Some(acl) = &self.acl {
            section(ACL, &|body| body.bytes(acl));
        }
        if let Some(upload) = self.upload {
            section(UPLOAD, &|body| body.u128(upload.0));
        }
        if let Some(encryption) = &self.encryption {
            section(ENCRYPTION, &|body| encryption.encode(body));
        }
        if let Some(RenameToken { token, request }) = &self.renamed {
            section(RENAMED, &|body| {
                body.bytes(token);
                body.bytes(request);
            });
        }
        if let Some(file) = &self.file {
            section(FILE, &|body| file.encode(body));
        }
        if !self.extended.is_empty() {
            section(EXTENDED, &|body| {
                for (name, value) in &self.extended {
                    body.short(name.as_bytes());
                    body.long(value);
                }
            });
        }
        if let Some(pending) = self.pending {
            section(PENDING, &|body| pending.encode(body));
        }
        if let Some(inode) = self.inode {
            section(INODE, &|body| body.u64(inode));
        }
    }

    /// As the journal and the index hold them.
    ///
    /// # Errors
    /// [`Error::AttributesTooLarge`].
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut encoded = Writer::default();
        self.encode(&mut encoded);
        if encoded.len() > MAX_ENCODED { Err(Error::AttributesTooLarge(encoded.len())) } else { Ok(encoded.0) }
    }

    /// # Errors
    /// Bytes that are no attributes, or name what only a newer release knows.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let etag = Etag { md5: from.array()?, parts: from.u16()? };
        let checksum = match from.u8()? {
            0 => None,
            algorithm => Some(Checksum {
                algorithm: ChecksumAlgorithm::try_from(algorithm)?,
                kind: ChecksumKind::try_from(from.u8()?)?,
                value: from.short()?.to_vec(),
            }),
        };
        let mut headers = Vec::new();
        for _ in 0..from.u8()? {
            headers.push((SystemHeader::try_from(from.u8()?)?, from.short_str()?));
        }
        let mut user = Vec::new();
        for _ in 0..from.u16()? {
            user.push((from.short_str()?, from.short_str()?));
        }
        let mut held = Self { etag, checksum, headers, user, ..Self::default() };
        while !from.is_empty() {
            let (kind, mut body) = (from.u8()?, Reader(from.long()?));
            match kind {
                TAGS => {
                    while !body.is_empty() {
                        held.tags.push((body.short_str()?, body.short_str()?));
                    }
                }
                RETENTION => held.retention = Some(Retention::decode(&mut body)?),
                LEGAL_HOLD => held.legal_hold = true,
                ACL => held.acl = Some(body.0.to_vec()),
                UPLOAD => held.upload = Some(UploadId(body.u128()?)),
                ENCRYPTION => held.encryption = Some(Encryption::decode(&mut body)?),
                FILE => held.file = Some(FileFacts::decode(&mut body)?),
                EXTENDED => {
                    while !body.is_empty() {
                        held.extended.push((body.short_str()?, body.long()?.to_vec()));
                    }
                }
                PENDING => held.pending = Some(Pending::decode(&mut body)?),
                INODE => held.inode = Some(body.u64()?),
                RENAMED => held.renamed = Some(RenameToken { token: body.array()?, request: body.array()? }),
                other => return Err(DecodeError::Unknown("attribute", other)),
            }
        }
        Ok(held)
    }
}

/// The lock in encoded attributes, read past all else: this is done for every version that ends.
pub(crate) fn lock_of(encoded: &[u8]) -> Result<Lock, DecodeError> {
    let mut from = sections_of(encoded)?;
    let mut lock = Lock::default();
    while !from.is_empty() {
        let (kind, body) = (from.u8()?, from.long()?);
        match kind {
            RETENTION => lock.retention = Some(Retention::decode(&mut Reader(body))?),
            LEGAL_HOLD => lock.legal_hold = true,
            _ => {}
        }
    }
    Ok(lock)
}

/// Whether encoded attributes say that a lock is waited for. A delete marker has none.
pub(crate) fn is_pending(encoded: &[u8]) -> Result<bool, DecodeError> {
    if encoded.is_empty() {
        return Ok(false);
    }
    let mut from = sections_of(encoded)?;
    while !from.is_empty() {
        let (kind, _) = (from.u8()?, from.long()?);
        if kind == PENDING {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number as a file that encoded attributes say, if they say any: this is asked of every version that comes or goes.
pub(crate) fn inode_of(encoded: &[u8]) -> Option<u64> {
    let mut from = sections_of(encoded).ok()?;
    while !from.is_empty() {
        let (kind, body) = (from.u8().ok()?, from.long().ok()?);
        if kind == INODE {
            return Reader(body).u64().ok();
        }
    }
    None
}

/// Whether encoded attributes say that the client alone has the key.
pub(crate) fn is_under_customers_key(encoded: &[u8]) -> Result<bool, DecodeError> {
    let mut from = sections_of(encoded)?;
    while !from.is_empty() {
        let (kind, body) = (from.u8()?, from.long()?);
        if kind == ENCRYPTION {
            return Ok(Encryption::is_customers(body));
        }
    }
    Ok(false)
}

/// The value of a system header in encoded attributes, read past all else: this is done for every record that is sealed.
pub(crate) fn header_of(encoded: &[u8], wanted: SystemHeader) -> Result<Option<&[u8]>, DecodeError> {
    let mut from = Reader(encoded);
    skip_checks(&mut from)?;
    for _ in 0..from.u8()? {
        let (header, value) = (from.u8()?, from.short()?);
        if header == wanted as u8 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Past the entity tag and the checksum.
fn skip_checks(from: &mut Reader<'_>) -> Result<(), DecodeError> {
    from.take(18)?;
    if from.u8()? != 0 {
        from.u8()?;
        from.short()?;
    }
    Ok(())
}

/// Encoded attributes behind the user metadata.
fn sections_of(encoded: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut from = Reader(encoded);
    skip_checks(&mut from)?;
    for _ in 0..from.u8()? {
        from.u8()?;
        from.short()?;
    }
    for _ in 0..from.u16()? {
        from.short()?;
        from.short()?;
    }
    Ok(from)
}

/// A byte on disk that names no variant: written by something newer, or rotten.
macro_rules! from_byte {
    ($type:ty, $($variant:ident),+) => {
        impl TryFrom<u8> for $type {
            type Error = DecodeError;
            fn try_from(byte: u8) -> Result<Self, DecodeError> {
                $(if byte == Self::$variant as u8 { return Ok(Self::$variant); })+
                Err(DecodeError::Unknown(stringify!($type), byte))
            }
        }
    };
}
from_byte!(ChecksumAlgorithm, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256);
from_byte!(ChecksumKind, FullObject, Composite);
from_byte!(
    SystemHeader,
    ContentType,
    CacheControl,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    Expires,
    WebsiteRedirectLocation,
    StorageClass
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::retention::{DefaultRetention, Mode, Period};

    fn full() -> Attributes {
        let text = |text: &str| text.to_owned();
        Attributes {
            etag: Etag { md5: [7; 16], parts: 3 },
            checksum: Some(Checksum {
                algorithm: ChecksumAlgorithm::Sha1,
                kind: ChecksumKind::Composite,
                value: vec![9; 20],
            }),
            headers: vec![(SystemHeader::ContentType, text("text/csv"))],
            user: vec![(text("desk"), text("fx")), (text("book"), text(""))],
            tags: vec![(text("class"), text("trade"))],
            retention: Some(Retention { mode: Mode::Compliance, until: 12 }),
            legal_hold: true,
            acl: Some(vec![1, 2]),
            upload: Some(UploadId(5)),
            encryption: Some(Encryption::Managed { generation: 1 }),
            renamed: Some(RenameToken { token: [1; 16], request: [2; 16] }),
            file: Some(FileFacts { uid: 1, gid: 2, mode: 0o100_644, mtime: 3, ctime: 4 }),
            extended: vec![(text("user.desk"), vec![0, 255])],
            pending: Some(Pending {
                rule: DefaultRetention { mode: Mode::Compliance, period: Period::Years(6) },
                since: 7,
            }),
            inode: Some(8),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for attributes in [
            full(),
            Attributes::default(),
            Attributes {
                tags: Vec::new(),
                acl: None,
                upload: None,
                encryption: None,
                renamed: None,
                file: None,
                inode: None,
                ..full()
            },
        ] {
            let bytes = attributes.to_bytes().unwrap();
            assert_eq!(Attributes::decode(&mut Reader(&bytes)).unwrap(), attributes);
            let lock = Lock { retention: attributes.retention, legal_hold: attributes.legal_hold };
            assert_eq!(lock_of(&bytes).unwrap(), lock);
            assert_eq!(is_pending(&bytes).unwrap(), attributes.pending.is_some());
            assert_eq!(inode_of(&bytes), attributes.inode);
            let content_type = header_of(&bytes, SystemHeader::ContentType).unwrap();
            assert_eq!(content_type, attributes.header(SystemHeader::ContentType).map(str::as_bytes));
            assert_eq!(header_of(&bytes, SystemHeader::Expires), Ok(None));
        }
    }

    #[test]
    fn attributes_of_earlier_releases_end_with_user_metadata() {
        assert_eq!(Attributes::default().to_bytes().unwrap(), vec![0; 22]);
        assert_eq!(Attributes::decode(&mut Reader(&[0; 22])).unwrap(), Attributes::default());
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let bytes = full().to_bytes().unwrap();
        let plain = Attributes {
            headers: full().headers,
            user: full().user,
            etag: full().etag,
            checksum: full().checksum,
            ..Attributes::default()
        };
        let ends_early = plain.to_bytes().unwrap().len();
        let mut whole = 0;
        for end in 0..bytes.len() {
            whole += u32::from(Attributes::decode(&mut Reader(bytes.get(..end).unwrap())).is_ok());
        }
        assert!(ends_early > 0 && whole == 11, "behind the metadata and each section but the last: {whole}");
    }
}

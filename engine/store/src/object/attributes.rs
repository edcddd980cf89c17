//! What stands with a version beside its bytes: ETag, checksum, system headers and user metadata.
//!
//! The layout is drawn in `docs/format.md`; the journal, TOCs and the index all carry it as it is here.

use crate::codec::{DecodeError, Reader, Writer};

/// The most bytes that the encoded attributes of one version may take.
pub const MAX_ENCODED: usize = 64 << 10;

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
}

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
        Ok(Self { etag, checksum, headers, user })
    }
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

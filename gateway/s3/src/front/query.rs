//! What the front has to know of a query string: the sub-resources it names, and its signature.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Sub-resources that some verb here serves, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subresources(u8);

impl Subresources {
    pub const NONE: Self = Self(0);
    pub const LOCATION: Self = Self(1);
    pub const UPLOADS: Self = Self(1 << 1);
    pub const UPLOAD_ID: Self = Self(1 << 2);
    pub const DELETE: Self = Self(1 << 3);
    pub const ATTRIBUTES: Self = Self(1 << 4);
    pub const LIST_TYPE: Self = Self(1 << 5);

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The names of a query string that change what is asked.
#[derive(Debug, Default)]
pub struct Query<'a> {
    pub subresources: Subresources,
    /// Whether it names a sub-resource that S3 defines and no verb here serves.
    pub foreign: bool,
    pub list_type: Option<Cow<'a, str>>,
    pub part_number: bool,
    pub version_id: bool,
    /// The parameters of a presigned request, when there is any of them.
    pub presigned: Option<Presigned<'a>>,
    /// Whether it carries a signature of version 2.
    pub version2: bool,
}

/// The parameters of a presigned request, percent-decoded.
#[derive(Debug, Default)]
pub struct Presigned<'a> {
    pub algorithm: Option<Cow<'a, str>>,
    pub credential: Option<Cow<'a, str>>,
    pub date: Option<Cow<'a, str>>,
    pub expires: Option<Cow<'a, str>>,
    pub signed_headers: Option<Cow<'a, str>>,
    pub signature: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads a raw query string. Names that S3 doesn't know are passed over, as AWS does.
    #[must_use]
    pub fn parse(raw: &'a str) -> Self {
        let mut query = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.take(&decoded(name), value);
        }
        query
    }

    fn take(&mut self, name: &str, value: &'a str) {
        match name {
            "location" => self.subresources.add(Subresources::LOCATION),
            "uploads" => self.subresources.add(Subresources::UPLOADS),
            "uploadId" => self.subresources.add(Subresources::UPLOAD_ID),
            "delete" => self.subresources.add(Subresources::DELETE),
            "attributes" => self.subresources.add(Subresources::ATTRIBUTES),
            "list-type" => {
                self.subresources.add(Subresources::LIST_TYPE);
                self.list_type = Some(decoded(value));
            }
            "partNumber" => self.part_number = true,
            "versionId" => self.version_id = true,
            "Signature" | "AWSAccessKeyId" => self.version2 = true,
            "X-Amz-Algorithm" => self.presigned().algorithm = Some(decoded(value)),
            "X-Amz-Credential" => self.presigned().credential = Some(decoded(value)),
            "X-Amz-Date" => self.presigned().date = Some(decoded(value)),
            "X-Amz-Expires" => self.presigned().expires = Some(decoded(value)),
            "X-Amz-SignedHeaders" => self.presigned().signed_headers = Some(decoded(value)),
            "X-Amz-Signature" => self.presigned().signature = Some(decoded(value)),
            _ => self.foreign |= is_foreign(name),
        }
    }

    fn presigned(&mut self) -> &mut Presigned<'a> {
        self.presigned.get_or_insert_default()
    }
}

/// Sub-resources of AWS S3 that no verb here serves. Left to s3s, some of them would run another verb: a
/// `PUT key?renameObject` would be stored as an object.
fn is_foreign(name: &str) -> bool {
    matches!(
        name,
        "abac"
            | "accelerate"
            | "acl"
            | "analytics"
            | "annotation"
            | "cors"
            | "encryption"
            | "intelligent-tiering"
            | "inventory"
            | "legal-hold"
            | "lifecycle"
            | "logging"
            | "metadataConfiguration"
            | "metadataInventoryTable"
            | "metadataJournalTable"
            | "metadataTable"
            | "metrics"
            | "notification"
            | "object-lock"
            | "ownershipControls"
            | "policy"
            | "policyStatus"
            | "publicAccessBlock"
            | "renameObject"
            | "replication"
            | "requestPayment"
            | "restore"
            | "retention"
            | "select"
            | "session"
            | "tagging"
            | "torrent"
            | "versioning"
            | "versions"
            | "website"
    )
}

/// Decodes `%41` and `+` the way s3s does; text that needs no decoding is borrowed.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

//! What the front has to know of a query string: the sub-resources it names, and its signature.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

macro_rules! subresources {
    ($($name:literal $constant:ident $bit:literal;)+) => {
        /// Sub-resources that some verb here serves, one bit each.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Subresources(u32);

        impl Subresources {
            pub const NONE: Self = Self(0);
            $(pub const $constant: Self = Self(1 << $bit);)+

            /// The one of that name.
            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$constant),)+
                    _ => None,
                }
            }
        }
    };
}

subresources! {
    "location" LOCATION 0;
    "uploads" UPLOADS 1;
    "uploadId" UPLOAD_ID 2;
    "delete" DELETE 3;
    "attributes" ATTRIBUTES 4;
    "list-type" LIST_TYPE 5;
    "accelerate" ACCELERATE 6;
    "analytics" ANALYTICS 7;
    "cors" CORS 8;
    "encryption" ENCRYPTION 9;
    "intelligent-tiering" INTELLIGENT_TIERING 10;
    "inventory" INVENTORY 11;
    "legal-hold" LEGAL_HOLD 12;
    "lifecycle" LIFECYCLE 13;
    "logging" LOGGING 14;
    "metrics" METRICS 15;
    "notification" NOTIFICATION 16;
    "object-lock" OBJECT_LOCK 17;
    "ownershipControls" OWNERSHIP_CONTROLS 18;
    "publicAccessBlock" PUBLIC_ACCESS_BLOCK 19;
    "replication" REPLICATION 20;
    "requestPayment" REQUEST_PAYMENT 21;
    "retention" RETENTION 22;
    "tagging" TAGGING 23;
    "versioning" VERSIONING 24;
    "versions" VERSIONS 25;
    "acl" ACL 26;
    "policy" POLICY 27;
    "policyStatus" POLICY_STATUS 28;
    "renameObject" RENAME 29;
}

impl Subresources {
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
    /// Whether it tells one of many configurations apart.
    pub id: bool,
    pub list_type: Option<Cow<'a, str>>,
    pub part_number: bool,
    pub version_id: bool,
    /// The parameters of a presigned request, when there is any of them.
    pub presigned: Option<Presigned<'a>>,
    /// Whether it carries a signature of version 2.
    pub version2: bool,
    /// A name that it has twice.
    pub repeated: Option<Cow<'a, str>>,
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
    pub token: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads a raw query string. Names that S3 doesn't know are passed over, as AWS does.
    #[must_use]
    pub fn parse(raw: &'a str) -> Self {
        let mut query = Self::default();
        let mut names = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name);
            query.take(&name, value);
            names.push(name);
        }
        query.repeated = twice(names);
        query
    }

    fn take(&mut self, name: &str, value: &'a str) {
        if let Some(subresource) = Subresources::named(name) {
            self.subresources.add(subresource);
        }
        match name {
            "list-type" => self.list_type = Some(decoded(value)),
            "id" => self.id = true,
            "partNumber" => self.part_number = true,
            "versionId" => self.version_id = true,
            "Signature" | "AWSAccessKeyId" => self.version2 = true,
            "X-Amz-Algorithm" => self.presigned().algorithm = Some(decoded(value)),
            "X-Amz-Credential" => self.presigned().credential = Some(decoded(value)),
            "X-Amz-Date" => self.presigned().date = Some(decoded(value)),
            "X-Amz-Expires" => self.presigned().expires = Some(decoded(value)),
            "X-Amz-SignedHeaders" => self.presigned().signed_headers = Some(decoded(value)),
            "X-Amz-Security-Token" => self.presigned().token = Some(decoded(value)),
            "X-Amz-Signature" => self.presigned().signature = Some(decoded(value)),
            _ => self.foreign |= is_foreign(name) || asks_for_encryption(name),
        }
    }

    fn presigned(&mut self) -> &mut Presigned<'a> {
        self.presigned.get_or_insert_default()
    }
}

fn twice(mut names: Vec<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    names.sort_unstable();
    let at = names.windows(2).position(|pair| matches!(pair, [one, other] if one == other))?;
    Some(names.swap_remove(at))
}

/// Sub-resources of AWS S3 that no verb here serves. Left to s3s, some of them would run another verb: a
/// `PUT key?annotation` would be stored as an object.
fn is_foreign(name: &str) -> bool {
    matches!(
        name,
        "abac"
            | "annotation"
            | "metadataConfiguration"
            | "metadataInventoryTable"
            | "metadataJournalTable"
            | "metadataTable"
            | "restore"
            | "select"
            | "session"
            | "torrent"
            | "website"
    )
}

/// Some presigners put headers into the query. Passed over there, as others are, they would let a client believe that its
/// object is encrypted.
fn asks_for_encryption(name: &str) -> bool {
    const BEGINS: [&str; 2] = ["x-amz-server-side-encryption", "x-amz-copy-source-server-side-encryption"];
    BEGINS.iter().any(|begins| name.get(..begins.len()).is_some_and(|head| head.eq_ignore_ascii_case(begins)))
}

/// Decodes `%41` and `+` the way s3s does; text that needs no decoding is borrowed.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

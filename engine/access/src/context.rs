//! What a request says of itself: condition keys and their values.

use std::borrow::Cow;

macro_rules! names {
    ($($name:ident $text:literal)+) => {
        /// The condition keys that requests have a value for, or rightly none. Those whose text ends in `/` are followed by a tag's key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $($name,)+
            /// One of an identity provider, or of a service that isn't here, by its name in lower case.
            Other,
        }

        impl Name {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As AWS writes it; empty for [`Name::Other`].
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Other => "",
                }
            }
        }
    };
}

names! {
    CurrentTime "aws:CurrentTime"
    EpochTime "aws:EpochTime"
    FederatedProvider "aws:FederatedProvider"
    MultiFactorAuthAge "aws:MultiFactorAuthAge"
    MultiFactorAuthPresent "aws:MultiFactorAuthPresent"
    PrincipalAccount "aws:PrincipalAccount"
    PrincipalArn "aws:PrincipalArn"
    PrincipalOrgId "aws:PrincipalOrgID"
    PrincipalOrgPaths "aws:PrincipalOrgPaths"
    PrincipalTag "aws:PrincipalTag/"
    PrincipalType "aws:PrincipalType"
    Referer "aws:Referer"
    RequestTag "aws:RequestTag/"
    RequestedRegion "aws:RequestedRegion"
    AwsResourceAccount "aws:ResourceAccount"
    ResourceTag "aws:ResourceTag/"
    SecureTransport "aws:SecureTransport"
    SourceAccount "aws:SourceAccount"
    SourceArn "aws:SourceArn"
    SourceIdentity "aws:SourceIdentity"
    SourceIp "aws:SourceIp"
    SourceOwner "aws:SourceOwner"
    SourceVpc "aws:SourceVpc"
    SourceVpce "aws:SourceVpce"
    TagKeys "aws:TagKeys"
    TokenIssueTime "aws:TokenIssueTime"
    UserAgent "aws:UserAgent"
    UserId "aws:userid"
    Username "aws:username"
    ViaAwsService "aws:ViaAWSService"
    VpcSourceIp "aws:VpcSourceIp"
    AuthType "s3:authType"
    DataAccessPointAccount "s3:DataAccessPointAccount"
    DataAccessPointArn "s3:DataAccessPointArn"
    Delimiter "s3:delimiter"
    ExistingObjectTag "s3:ExistingObjectTag/"
    IfMatch "s3:if-match"
    IfNoneMatch "s3:if-none-match"
    LocationConstraint "s3:LocationConstraint"
    MaxKeys "s3:max-keys"
    ObjectLockLegalHold "s3:object-lock-legal-hold"
    ObjectLockMode "s3:object-lock-mode"
    ObjectLockRemainingRetentionDays "s3:object-lock-remaining-retention-days"
    ObjectLockRetainUntilDate "s3:object-lock-retain-until-date"
    Prefix "s3:prefix"
    RequestObjectTag "s3:RequestObjectTag/"
    RequestObjectTagKeys "s3:RequestObjectTagKeys"
    ResourceAccount "s3:ResourceAccount"
    SignatureAge "s3:signatureAge"
    SignatureVersion "s3:signatureversion"
    VersionId "s3:VersionId"
    Acl "s3:x-amz-acl"
    ContentSha256 "s3:x-amz-content-sha256"
    CopySource "s3:x-amz-copy-source"
    GrantFullControl "s3:x-amz-grant-full-control"
    GrantRead "s3:x-amz-grant-read"
    GrantReadAcp "s3:x-amz-grant-read-acp"
    GrantWrite "s3:x-amz-grant-write"
    GrantWriteAcp "s3:x-amz-grant-write-acp"
    MetadataDirective "s3:x-amz-metadata-directive"
    ObjectOwnership "s3:x-amz-object-ownership"
    ServerSideEncryption "s3:x-amz-server-side-encryption"
    ServerSideEncryptionKmsKeyId "s3:x-amz-server-side-encryption-aws-kms-key-id"
    ServerSideEncryptionCustomerAlgorithm "s3:x-amz-server-side-encryption-customer-algorithm"
    StorageClass "s3:x-amz-storage-class"
    WebsiteRedirectLocation "s3:x-amz-website-redirect-location"
    IamPermissionsBoundary "iam:PermissionsBoundary"
    IamPolicyArn "iam:PolicyARN"
    IamResourceTag "iam:ResourceTag/"
    ExternalId "sts:ExternalId"
    RoleSessionName "sts:RoleSessionName"
}

impl Name {
    /// Whether a tag's key follows it.
    #[must_use]
    pub fn is_tag(self) -> bool {
        self.text().ends_with('/')
    }
}

/// A condition key as a policy names it. Names don't mind case; S3's tag keys do, IAM's don't.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: Name,
    /// The tag's key after `/`, or for [`Name::Other`] the whole name in lower case.
    pub tag: Box<str>,
}

impl Key {
    /// Reads `service:name` or `service:name/tag`; None if there is no service or no tag where one belongs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let service = text.split_once(':')?.0;
        if service.is_empty() || text.contains(['{', '}', '\'']) {
            return None;
        }
        let (stem, tag) = match text.split_once('/') {
            Some((stem, tag)) => (text.get(..=stem.len())?, tag),
            None => (text, ""),
        };
        match Name::ALL.iter().find(|name| name.text().eq_ignore_ascii_case(stem)) {
            Some(name) if name.is_tag() == tag.is_empty() => None,
            Some(name) => Some(Self { name: *name, tag: tag.into() }),
            None => Some(Self { name: Name::Other, tag: text.to_lowercase().into() }),
        }
    }

    /// Whether it is answered if a policy asks: one of a service that is here and isn't known would never match, and
    /// what it was to deny would be allowed.
    pub(crate) fn is_answered(&self) -> bool {
        let here = |service: &str| self.tag.strip_prefix(service).is_some_and(|rest| rest.starts_with(':'));
        self.name != Name::Other || !["aws", "s3", "iam", "sts"].into_iter().any(here)
    }

    /// Whether requests for what is in a bucket can have it.
    pub(crate) fn is_of_buckets(&self) -> bool {
        !matches!(
            self.name,
            Name::Other
                | Name::ResourceTag
                | Name::IamPermissionsBoundary
                | Name::IamPolicyArn
                | Name::IamResourceTag
                | Name::ExternalId
                | Name::RoleSessionName
        )
    }

    fn is(&self, name: Name, tag: &str) -> bool {
        self.name == name
            && match name {
                Name::ExistingObjectTag | Name::RequestObjectTag => *self.tag == *tag,
                _ => self.tag.eq_ignore_ascii_case(tag),
            }
    }
}

/// The value of a condition key in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    Absent,
    One(Cow<'a, str>),
    /// A key of many values, such as `aws:TagKeys`. None at all is as good as absent.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> From<Option<&'a str>> for Fact<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Self::Absent, |value| Self::One(Cow::Borrowed(value)))
    }
}

/// Where condition keys get their values, asked only for keys that a statement under evaluation names.
///
/// What follows from the principal and from the resource's owner is known without it: `aws:username`, `aws:userid`,
/// `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:PrincipalTag/*`, `aws:ResourceAccount` and
/// `s3:ResourceAccount` are never asked for.
pub trait Facts {
    fn fact(&self, key: &Key) -> Fact<'_>;
}

/// Facts that were gathered before.
#[derive(Clone, Debug, Default)]
pub struct Context {
    entries: Vec<(Name, Box<str>, Value)>,
}

#[derive(Clone, Debug)]
enum Value {
    One(Box<str>),
    Many(Box<[Box<str>]>),
}

impl Context {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key of one value.
    #[must_use]
    pub fn with(self, name: Name, value: &str) -> Self {
        self.with_tag(name, "", value)
    }

    /// Sets the value of one tag, or of a key that isn't known: [`Name::Other`] and its name in lower case.
    #[must_use]
    pub fn with_tag(mut self, name: Name, tag: &str, value: &str) -> Self {
        self.entries.push((name, tag.into(), Value::One(value.into())));
        self
    }

    /// Sets a key of many values.
    #[must_use]
    pub fn with_many<'v>(mut self, name: Name, values: impl IntoIterator<Item = &'v str>) -> Self {
        let values = values.into_iter().map(Box::from).collect();
        self.entries.push((name, Box::from(""), Value::Many(values)));
        self
    }
}

impl Facts for Context {
    fn fact(&self, key: &Key) -> Fact<'_> {
        match self.entries.iter().find(|(name, tag, _)| key.is(*name, tag)) {
            None => Fact::Absent,
            Some((_, _, Value::One(value))) => Fact::One(Cow::Borrowed(value)),
            Some((_, _, Value::Many(values))) => {
                Fact::Many(values.iter().map(|value| Cow::Borrowed(&**value)).collect())
            }
        }
    }
}

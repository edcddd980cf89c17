//! Access control lists: the older way to share, by account and by group.

use crate::action::Action;
use crate::policy::Naming;
use crate::principal::{Kind, Owner, Principal};

/// The service that is the group of that name.
const LOG_DELIVERY: &str = "logging.s3.amazonaws.com";

/// What a grant of an ACL gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

impl Permission {
    /// As in XML and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp, Self::FullControl]
            .into_iter()
            .find(|permission| permission.name() == name)
    }

    fn gives(self, asked: Self) -> bool {
        self == asked || self == Self::FullControl
    }
}

/// A group that AWS predefines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Everybody, signed or not.
    AllUsers,
    /// Everybody who signs, of any account.
    AuthenticatedUsers,
    /// The service that writes access logs.
    LogDelivery,
}

impl Group {
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::AllUsers => "http://acs.amazonaws.com/groups/global/AllUsers",
            Self::AuthenticatedUsers => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
            Self::LogDelivery => "http://acs.amazonaws.com/groups/s3/LogDelivery",
        }
    }

    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        [Self::AllUsers, Self::AuthenticatedUsers, Self::LogDelivery].into_iter().find(|group| group.uri() == uri)
    }

    fn is_public(self) -> bool {
        self != Self::LogDelivery
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// An account, by its canonical id.
    Account(Box<str>),
    Group(Group),
}

/// One line of an ACL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AclGrant {
    pub grantee: Grantee,
    pub permission: Permission,
}

impl AclGrant {
    fn naming(&self, principal: &Principal) -> Option<Naming> {
        match &self.grantee {
            Grantee::Group(Group::AllUsers) => Some(Naming::Direct),
            Grantee::Group(Group::AuthenticatedUsers) => principal.has_account().then_some(Naming::Direct),
            Grantee::Group(Group::LogDelivery) => match principal.kind() {
                Kind::Service { name } if **name == *LOG_DELIVERY => Some(Naming::Direct),
                _ => None,
            },
            Grantee::Account(id) if !principal.has_account() || **id != *principal.canonical_id() => None,
            Grantee::Account(_) => Some(if principal.is_root() { Naming::Direct } else { Naming::Account }),
        }
    }

    fn is_public(&self) -> bool {
        matches!(self.grantee, Grantee::Group(group) if group.is_public())
    }
}

/// The ACL of a bucket or an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    pub grants: Vec<AclGrant>,
}

/// An ACL by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CannedAcl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
    LogDeliveryWrite,
}

impl CannedAcl {
    pub const ALL: &'static [Self] = &[
        Self::Private,
        Self::PublicRead,
        Self::PublicReadWrite,
        Self::AuthenticatedRead,
        Self::BucketOwnerRead,
        Self::BucketOwnerFullControl,
        Self::LogDeliveryWrite,
    ];

    /// As in `x-amz-acl`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
            Self::LogDeliveryWrite => "log-delivery-write",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|canned| canned.name() == name)
    }
}

impl Acl {
    /// The ACL that a name stands for. `bucket_owner` matters for objects; for a bucket it is None.
    #[must_use]
    pub fn canned(canned: CannedAcl, owner: &Owner, bucket_owner: Option<&Owner>) -> Self {
        let group = |group, permission| AclGrant { grantee: Grantee::Group(group), permission };
        let account = |owner: &Owner, permission| {
            let grantee = Grantee::Account(owner.canonical_id.clone());
            AclGrant { grantee, permission }
        };
        let others = bucket_owner.filter(|bucket_owner| *bucket_owner != owner);
        let mut grants = vec![account(owner, Permission::FullControl)];
        match canned {
            CannedAcl::Private => {}
            CannedAcl::PublicRead => grants.push(group(Group::AllUsers, Permission::Read)),
            CannedAcl::PublicReadWrite => {
                grants.push(group(Group::AllUsers, Permission::Read));
                grants.push(group(Group::AllUsers, Permission::Write));
            }
            CannedAcl::AuthenticatedRead => grants.push(group(Group::AuthenticatedUsers, Permission::Read)),
            CannedAcl::BucketOwnerRead => grants.extend(others.map(|owner| account(owner, Permission::Read))),
            CannedAcl::BucketOwnerFullControl => {
                grants.extend(others.map(|owner| account(owner, Permission::FullControl)));
            }
            CannedAcl::LogDeliveryWrite => {
                grants.push(group(Group::LogDelivery, Permission::Write));
                grants.push(group(Group::LogDelivery, Permission::ReadAcp));
            }
        }
        Self { grants }
    }

    /// Whether it gives everybody, or everybody who signs, anything.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(AclGrant::is_public)
    }

    /// The grant that names `principal` most directly.
    pub(crate) fn judge(
        &self,
        principal: &Principal,
        asked: Permission,
        public_counts: bool,
    ) -> Option<(&AclGrant, Naming)> {
        self.grants
            .iter()
            .filter(|grant| grant.permission.gives(asked) && (public_counts || !grant.is_public()))
            .filter_map(|grant| Some((grant, grant.naming(principal)?)))
            .max_by_key(|(_, naming)| *naming)
    }
}

/// Who owns what others write, and whether ACLs count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ObjectOwnership {
    /// Everything is the bucket owner's, and ACLs don't count: what a bucket has unless it is told otherwise.
    #[default]
    BucketOwnerEnforced,
    /// What is written with `bucket-owner-full-control` is the bucket owner's.
    BucketOwnerPreferred,
    /// Everything is its writer's.
    ObjectWriter,
}

impl ObjectOwnership {
    pub const ALL: &'static [Self] = &[Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter];

    /// As in XML and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ownership| ownership.name() == name)
    }

    /// Whether ACLs count.
    #[must_use]
    pub fn has_acls(self) -> bool {
        self != Self::BucketOwnerEnforced
    }
}

/// Which ACL is asked, and for which permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Bucket(Permission),
    Object(Permission),
}

impl Asked {
    /// What an ACL must give for `action`; None where no ACL can.
    pub fn of(action: Action) -> Option<Self> {
        use Permission::{Read, ReadAcp, Write, WriteAcp};
        Some(match action {
            Action::ListBucket | Action::ListBucketVersions | Action::ListBucketMultipartUploads => Self::Bucket(Read),
            Action::PutObject | Action::DeleteObject => Self::Bucket(Write),
            Action::GetBucketAcl => Self::Bucket(ReadAcp),
            Action::PutBucketAcl => Self::Bucket(WriteAcp),
            Action::GetObject | Action::GetObjectVersion => Self::Object(Read),
            Action::GetObjectAcl | Action::GetObjectVersionAcl => Self::Object(ReadAcp),
            Action::PutObjectAcl | Action::PutObjectVersionAcl => Self::Object(WriteAcp),
            _ => return None,
        })
    }
}

/// Whether `action` reads or marks an object as it is, which is up to the object's owner. To write a key and to
/// delete it is up to the bucket's.
pub(crate) fn is_up_to_object_owner(action: Action) -> bool {
    matches!(
        action,
        Action::GetObject
            | Action::GetObjectVersion
            | Action::GetObjectAcl
            | Action::GetObjectVersionAcl
            | Action::PutObjectAcl
            | Action::PutObjectVersionAcl
            | Action::GetObjectAttributes
            | Action::GetObjectVersionAttributes
            | Action::GetObjectTagging
            | Action::GetObjectVersionTagging
            | Action::PutObjectTagging
            | Action::PutObjectVersionTagging
            | Action::DeleteObjectTagging
            | Action::DeleteObjectVersionTagging
    )
}

//! Access control lists: of buckets a document, of objects an attribute.

use packstone_access::{Acl, AclGrant, Action, CannedAcl, Grantee, Group, ObjectOwnership, Permission, Resource};
use packstone_store::object::{AttributeChange, NewDocument, Replaces};
use s3s::dto::{
    AccessControlPolicy, BucketLogsPermission, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
    GetObjectAclOutput, Grant, Grantee as GranteeDto, Permission as PermissionDto, PutBucketAclInput,
    PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, TargetGrant, Type,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use hyper::{HeaderMap, StatusCode};

use crate::asker::Asker;
use crate::body::verify_document;
use crate::detail::{Element, Saying as _};
use crate::error::{access_denied, argument, custom, from_store, invalid_argument, invalid_request, refused};
use crate::face::Face;
use crate::facts::Said;
use crate::object::version;
use crate::owner;
use crate::rules::{ACL, Rules};

/// The first line of an encoded ACL: the form.
const FORM: &str = "1";
/// The most grants of one ACL.
const MOST: usize = 100;

impl Face {
    pub(crate) async fn put_bucket_acl_verb(
        &self,
        request: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::PutBucketAcl, Resource::Bucket(&input.bucket))?;
        let rules = Rules::of(&*self.state(&input.bucket)?);
        let acl = asked(&headers, input.access_control_policy)?.ok_or_else(no_acl)?;
        let Some(acl) = settable(&rules, acl)? else { return Ok(S3Response::new(PutBucketAclOutput {})) };
        let value = Some(encode(&acl).into());
        self.store.put_document(&grant, ACL, "", value, Replaces::Anything).await.map_err(from_store)?;
        Ok(S3Response::new(PutBucketAclOutput {}))
    }

    pub(crate) fn get_bucket_acl_verb(
        &self,
        request: S3Request<GetBucketAclInput>,
    ) -> S3Result<S3Response<GetBucketAclOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        self.may(&asker, Action::GetBucketAcl, Resource::Bucket(&input.bucket))?;
        let rules = Rules::of(&*self.state(&input.bucket)?);
        let acl = rules.acl.clone().filter(|_| rules.has_acls()).unwrap_or_else(private);
        Ok(S3Response::new(GetBucketAclOutput { grants: Some(grants_dto(&acl)), owner: Some(owner::owner()) }))
    }

    pub(crate) async fn put_object_acl_verb(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let action = if named.is_some() { Action::PutObjectVersionAcl } else { Action::PutObjectAcl };
        let grant = self.may_on_version(&asker, action, (&input.bucket, &input.key), named)?;
        let rules = Rules::of(&*self.state(&input.bucket)?);
        let acl = asked(&headers, input.access_control_policy)?.ok_or_else(no_acl)?;
        if let Some(acl) = settable(&rules, acl)? {
            let change = AttributeChange::Acl(Some(encode(&acl)));
            let amended = self.store.amend(&grant, named, change, None).await;
            amended.map_err(|error| {
                self.missing(&asker, (&input.bucket, &input.key), version::unread(error, named.is_some()))
            })?;
        }
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    pub(crate) fn get_object_acl_verb(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let action = if named.is_some() { Action::GetObjectVersionAcl } else { Action::GetObjectAcl };
        let grant = self.may_on_version(&asker, action, (&input.bucket, &input.key), named)?;
        let unread = |error| self.missing(&asker, (&input.bucket, &input.key), version::unread(error, named.is_some()));
        let described = self.store.describe(&grant, named).map_err(unread)?;
        let rules = Rules::of(&*self.state(&input.bucket)?);
        let acl = described.attributes.acl.as_deref().and_then(decode).filter(|_| rules.has_acls());
        Ok(S3Response::new(GetObjectAclOutput {
            grants: Some(grants_dto(&acl.unwrap_or_else(private))),
            owner: Some(owner::owner()),
            request_charged: None,
        }))
    }

    /// The ACL that the headers of a request give to what it writes, as an attribute; None for a private one. Any
    /// other needs leave of its own.
    ///
    /// # Errors
    /// `AccessControlListNotSupported` where ACLs don't count, or an ACL that can't be.
    pub(crate) fn brought_acl(
        &self,
        asker: &Asker,
        (bucket, key): (&str, &str),
        headers: &HeaderMap,
    ) -> S3Result<Option<Vec<u8>>> {
        let Some(acl) = asked(headers, None)?.filter(|acl| *acl != private()) else { return Ok(None) };
        let said = Said { brings_acl: true, ..Said::default() };
        self.may_saying(asker, Action::PutObjectAcl, Resource::Object { bucket, key }, said)?;
        Ok(settable(&Rules::of(&*self.state(bucket)?), acl)?.map(|acl| encode(&acl)))
    }
}

/// The ACL that a new bucket is to have, as its document.
///
/// # Errors
/// `InvalidBucketAclWithObjectOwnership` where the bucket would not let it count.
pub(crate) fn of_new_bucket(headers: &HeaderMap, ownership: ObjectOwnership) -> S3Result<Option<NewDocument>> {
    let Some(acl) = asked(headers, None)?.filter(|acl| *acl != private()) else { return Ok(None) };
    if !ownership.has_acls() {
        return Err(not_with_ownership());
    }
    Ok(Some(NewDocument { kind: ACL.to_owned(), name: String::new(), value: encode(&acl).into() }))
}

/// What a bucket answers that is to have an ACL which says something, and no ACLs that count.
pub(crate) fn not_with_ownership() -> S3Error {
    custom(
        "InvalidBucketAclWithObjectOwnership",
        StatusCode::BAD_REQUEST,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    )
}

/// Whether it gives anything to anybody but the account.
pub(crate) fn gives_to_others(acl: &Acl) -> bool {
    let own = Grantee::Account(owner::CANONICAL_ID.into());
    acl.grants.iter().any(|grant| grant.grantee != own)
}

/// The ACL to store; None where ACLs don't count and this is what they would say anyway.
fn settable(rules: &Rules, acl: Acl) -> S3Result<Option<Acl>> {
    if !rules.has_acls() {
        return if acl == private() { Ok(None) } else { Err(not_supported()) };
    }
    if rules.block.refuses_acl(&acl) {
        return Err(access_denied());
    }
    Ok(Some(acl))
}

pub(crate) fn not_supported() -> S3Error {
    custom("AccessControlListNotSupported", StatusCode::BAD_REQUEST, "The bucket does not allow ACLs")
}

/// What there is where nobody said anything: all to the owner.
pub(crate) fn private() -> Acl {
    Acl::canned(CannedAcl::Private, owner::account(), None)
}

const HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-full-control", Permission::FullControl),
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
];

/// The ACL that a request asks for: by name, by grants in headers, or by a document, and only one of them.
fn asked(headers: &HeaderMap, document: Option<AccessControlPolicy>) -> S3Result<Option<Acl>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut grants = Vec::new();
    for (name, permission) in HEADERS {
        for grantee in text(name).into_iter().flat_map(|value| value.split(',')) {
            grants.push(AclGrant { grantee: grantee_of_header(grantee.trim())?, permission });
        }
    }
    match (text("x-amz-acl"), grants.is_empty(), document) {
        (None, true, None) => Ok(None),
        (Some(name), true, None) => {
            let canned = CannedAcl::from_name(name).ok_or_else(|| argument("x-amz-acl", "Unknown canned ACL."))?;
            Ok(Some(Acl::canned(canned, owner::account(), None)))
        }
        (None, false, None) => Ok(Some(Acl { grants })),
        (None, true, Some(document)) => of_document(document).map(Some),
        (Some(_), false, _) => Err(invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")),
        (_, _, Some(_)) => Err(refused(S3ErrorCode::UnexpectedContent, "This request does not support content")),
    }
}

fn grantee_of_header(text: &str) -> S3Result<Grantee> {
    let (kind, value) = text.split_once('=').ok_or_else(|| invalid_argument("Argument format not recognized"))?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => account(value),
        "uri" => group(value),
        "emailAddress" => Err(unresolvable()),
        _ => Err(invalid_argument("Argument format not recognized")),
    }
}

pub(crate) fn of_document(document: AccessControlPolicy) -> S3Result<Acl> {
    let given = document.grants.unwrap_or_default();
    if document.owner.and_then(|owner| owner.id).is_some_and(|id| id != owner::CANONICAL_ID) {
        return Err(access_denied());
    }
    if given.len() > MOST {
        return Err(malformed());
    }
    let mut grants = Vec::with_capacity(given.len());
    for grant in given {
        grants.push(granted(grant.grantee, grant.permission.as_ref().map(PermissionDto::as_str))?);
    }
    Ok(Acl { grants })
}

/// The ACL of log objects: their owner's, and whom a logging configuration names besides.
///
/// # Errors
/// Somebody who isn't known, or a permission that isn't.
pub(crate) fn of_log(grants: Vec<TargetGrant>) -> S3Result<Acl> {
    let mut acl = private();
    if grants.len() > MOST {
        return Err(malformed());
    }
    for grant in grants {
        acl.grants.push(granted(grant.grantee, grant.permission.as_ref().map(BucketLogsPermission::as_str))?);
    }
    Ok(acl)
}

fn granted(grantee: Option<GranteeDto>, permission: Option<&str>) -> S3Result<AclGrant> {
    let grantee = grantee.ok_or_else(malformed)?;
    let grantee = match (grantee.id, grantee.uri) {
        (Some(id), _) => account(&id)?,
        (None, Some(uri)) => group(&uri)?,
        (None, None) if grantee.email_address.is_some() => return Err(unresolvable()),
        (None, None) => return Err(malformed()),
    };
    Ok(AclGrant { grantee, permission: permission.and_then(Permission::from_name).ok_or_else(malformed)? })
}

fn no_acl() -> S3Error {
    refused(S3ErrorCode::MissingSecurityHeader, "Your request was missing a required header")
        .saying(Element::MissingHeaderName, "x-amz-acl")
}

fn malformed() -> S3Error {
    S3Error::new(S3ErrorCode::MalformedACLError)
}

fn account(id: &str) -> S3Result<Grantee> {
    if id == owner::CANONICAL_ID { Ok(Grantee::Account(id.into())) } else { Err(invalid_argument("Invalid id")) }
}

fn group(uri: &str) -> S3Result<Grantee> {
    Group::from_uri(uri).map(Grantee::Group).ok_or_else(|| invalid_argument("Invalid group uri"))
}

/// Nobody here is known by an address.
fn unresolvable() -> S3Error {
    refused(
        S3ErrorCode::UnresolvableGrantByEmailAddress,
        "The e-mail address you provided does not match any account on record.",
    )
}

fn grants_dto(acl: &Acl) -> Vec<Grant> {
    acl.grants
        .iter()
        .map(|grant| Grant { grantee: Some(dto(&grant.grantee)), permission: Some(named(grant)) })
        .collect()
}

fn named(grant: &AclGrant) -> PermissionDto {
    PermissionDto::from_static(grant.permission.name())
}

fn dto(grantee: &Grantee) -> GranteeDto {
    let (kind, id, uri) = match grantee {
        Grantee::Account(id) => (Type::CANONICAL_USER, Some(id.to_string()), None),
        Grantee::Group(group) => (Type::GROUP, None, Some(group.uri().to_owned())),
    };
    let display_name = id.as_ref().map(|_| owner::NAME.to_owned());
    GranteeDto { display_name, email_address: None, id, type_: Type::from_static(kind), uri }
}

/// A line for the form, and one a grant: permission, kind of grantee, grantee.
pub(crate) fn encode(acl: &Acl) -> Vec<u8> {
    let mut text = FORM.to_owned();
    for grant in &acl.grants {
        let (kind, grantee) = match &grant.grantee {
            Grantee::Account(id) => ("id", &**id),
            Grantee::Group(group) => ("uri", group.uri()),
        };
        text.extend(["\n", grant.permission.name(), " ", kind, " ", grantee]);
    }
    text.into_bytes()
}

/// None for what [`encode`] didn't write.
pub(crate) fn decode(bytes: &[u8]) -> Option<Acl> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
    if lines.next() != Some(FORM) {
        return None;
    }
    let grant = |line: &str| {
        let (permission, rest) = line.split_once(' ')?;
        let grantee = match rest.split_once(' ')? {
            ("id", id) => Grantee::Account(id.into()),
            ("uri", uri) => Grantee::Group(Group::from_uri(uri)?),
            _ => return None,
        };
        Some(AclGrant { grantee, permission: Permission::from_name(permission)? })
    };
    Some(Acl { grants: lines.map(grant).collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests;

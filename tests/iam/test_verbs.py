"""Every verb of S3 asks for leave to do what it does, and for nothing else."""

import datetime as dt
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.iam.conftest import ACCOUNT, Key, allow, deny, document, give
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

Call = Callable[["S3Client", str, str], Any]
"""A client, a bucket with versions and object lock, and the version of `k` in it."""

_TAGS: Final[Any] = {"TagSet": [{"Key": "desk", "Value": "fx"}]}
_NUMBERS: Final = itertools.count()


def _policy(s3: "S3Client", bucket: str, _version: str) -> None:
    statement = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": ACCOUNT})
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))


def _retain(s3: "S3Client", bucket: str, version: str) -> None:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    retention: Any = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    s3.put_object_retention(Bucket=bucket, Key="k", VersionId=version, Retention=retention)


OBJECT: Final[list[tuple[str, Call]]] = [
    ("GetObject", lambda s3, bucket, _: s3.get_object(Bucket=bucket, Key="k")),
    ("GetObject", lambda s3, bucket, _: s3.head_object(Bucket=bucket, Key="k")),
    ("GetObjectVersion", lambda s3, bucket, version: s3.get_object(Bucket=bucket, Key="k", VersionId=version)),
    ("GetObjectVersion", lambda s3, bucket, version: s3.head_object(Bucket=bucket, Key="k", VersionId=version)),
    ("PutObject", lambda s3, bucket, _: s3.put_object(Bucket=bucket, Key="k", Body=b"1")),
    ("PutObject", lambda s3, bucket, _: s3.create_multipart_upload(Bucket=bucket, Key="k")),
    ("DeleteObject", lambda s3, bucket, _: s3.delete_object(Bucket=bucket, Key="k")),
    ("DeleteObjectVersion", lambda s3, bucket, version: s3.delete_object(Bucket=bucket, Key="k", VersionId=version)),
    ("GetObjectAcl", lambda s3, bucket, _: s3.get_object_acl(Bucket=bucket, Key="k")),
    ("GetObjectVersionAcl", lambda s3, bucket, version: s3.get_object_acl(Bucket=bucket, Key="k", VersionId=version)),
    ("PutObjectAcl", lambda s3, bucket, _: s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")),
    ("GetObjectTagging", lambda s3, bucket, _: s3.get_object_tagging(Bucket=bucket, Key="k")),
    (
        "GetObjectVersionTagging",
        lambda s3, bucket, version: s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=version),
    ),
    ("PutObjectTagging", lambda s3, bucket, _: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=_TAGS)),
    (
        "PutObjectVersionTagging",
        lambda s3, bucket, version: s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=version, Tagging=_TAGS),
    ),
    ("DeleteObjectTagging", lambda s3, bucket, _: s3.delete_object_tagging(Bucket=bucket, Key="k")),
    ("PutObjectRetention", _retain),
    (
        "PutObjectLegalHold",
        lambda s3, bucket, _: s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"}),
    ),
    ("GetObjectLegalHold", lambda s3, bucket, _: s3.get_object_legal_hold(Bucket=bucket, Key="k")),
]

BUCKET: Final[list[tuple[str, Call]]] = [
    ("ListBucket", lambda s3, bucket, _: s3.list_objects_v2(Bucket=bucket)),
    ("ListBucket", lambda s3, bucket, _: s3.list_objects(Bucket=bucket)),
    ("ListBucket", lambda s3, bucket, _: s3.head_bucket(Bucket=bucket)),
    ("ListBucketVersions", lambda s3, bucket, _: s3.list_object_versions(Bucket=bucket)),
    ("ListBucketMultipartUploads", lambda s3, bucket, _: s3.list_multipart_uploads(Bucket=bucket)),
    ("GetBucketLocation", lambda s3, bucket, _: s3.get_bucket_location(Bucket=bucket)),
    ("GetBucketAcl", lambda s3, bucket, _: s3.get_bucket_acl(Bucket=bucket)),
    ("PutBucketAcl", lambda s3, bucket, _: s3.put_bucket_acl(Bucket=bucket, ACL="private")),
    ("PutBucketPolicy", _policy),
    ("DeleteBucketPolicy", lambda s3, bucket, _: s3.delete_bucket_policy(Bucket=bucket)),
    ("GetBucketVersioning", lambda s3, bucket, _: s3.get_bucket_versioning(Bucket=bucket)),
    (
        "PutBucketVersioning",
        lambda s3, bucket, _: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
    ),
    ("PutBucketTagging", lambda s3, bucket, _: s3.put_bucket_tagging(Bucket=bucket, Tagging=_TAGS)),
    ("GetBucketObjectLockConfiguration", lambda s3, bucket, _: s3.get_object_lock_configuration(Bucket=bucket)),
    ("GetLifecycleConfiguration", lambda s3, bucket, _: s3.get_bucket_lifecycle_configuration(Bucket=bucket)),
    (
        "PutBucketOwnershipControls",
        lambda s3, bucket, _: s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
    ),
    (
        "PutBucketPublicAccessBlock",
        lambda s3, bucket, _: s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
        ),
    ),
]

ACCOUNT_WIDE: Final[list[tuple[str, Call]]] = [
    ("ListAllMyBuckets", lambda s3, _bucket, _version: s3.list_buckets()),
    ("CreateBucket", lambda s3, bucket, _: s3.create_bucket(Bucket=bucket + "-more")),
]

# What a bucket that has no such configuration answers who may ask.
_NONE: Final = {"NoSuchLifecycleConfiguration"}


@pytest.fixture
def place(s3: "S3Client") -> tuple[str, str]:
    """A bucket with object lock and so with versions, and the version of `k` in it."""
    bucket = f"verbs-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return bucket, s3.put_object(Bucket=bucket, Key="k", Body=b"body")["VersionId"]


@pytest.mark.parametrize(
    ("action", "level", "call"),
    [(action, "{}/k", call) for action, call in OBJECT]
    + [(action, "{}", call) for action, call in BUCKET]
    + [(action, "*", call) for action, call in ACCOUNT_WIDE],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_every_verb_asks(
    iam: "IAMClient",
    node: Node,
    user: str,
    key: Key,
    place: tuple[str, str],
    action: str,
    level: str,
    call: Call,
) -> None:
    bucket, version = place
    client = key.s3(node)
    resource = "*" if level == "*" else "arn:aws:s3:::" + level.format(bucket)

    def answered() -> str:
        try:
            call(client, bucket, version)
        except client.exceptions.ClientError as fault:
            status = fault.response["ResponseMetadata"]["HTTPStatusCode"]
            code = fault.response["Error"]["Code"]
            return "allowed" if code in _NONE else "denied" if status == 403 else code
        return "allowed"

    assert answered() == "denied"
    # All but this one: what is allowed is exactly what is asked for.
    give(iam, user, {"Effect": "Allow", "NotAction": f"s3:{action}", "Resource": "*"})
    assert answered() == "denied"
    give(iam, user, allow(f"s3:{action}", resource))
    assert answered() == "allowed"
    give(iam, user, allow("*", "*"), deny(f"s3:{action}", "*"))
    assert answered() == "denied"


def test_what_comes_with_an_object_needs_leave_of_its_own(
    iam: "IAMClient", node: Node, user: str, key: Key, place: tuple[str, str]
) -> None:
    bucket, _ = place
    client = key.s3(node)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    extras: list[tuple[str, dict[str, Any]]] = [
        ("s3:PutObjectTagging", {"Tagging": "desk=fx"}),
        ("s3:PutObjectRetention", {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}),
        ("s3:PutObjectLegalHold", {"ObjectLockLegalHoldStatus": "ON"}),
    ]
    for action, extra in extras:
        give(iam, user, allow("s3:PutObject", "*"))
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            client.put_object(Bucket=bucket, Key="new", Body=b"1", **extra)
        give(iam, user, allow(["s3:PutObject", action], "*"))
        client.put_object(Bucket=bucket, Key="new", Body=b"1", **extra)


def test_a_new_bucket_takes_what_its_maker_may_give(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    client = key.s3(node)
    name = f"made-by-{user}"
    give(iam, user, allow("s3:CreateBucket", "*"))
    extras: list[dict[str, Any]] = [{"ObjectLockEnabledForBucket": True}, {"ObjectOwnership": "ObjectWriter"}]
    for extra in extras:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            client.create_bucket(Bucket=name, **extra)
    give(iam, user, allow(["s3:CreateBucket", "s3:PutBucketOwnershipControls", "s3:PutBucketAcl"], "*"))
    client.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter", ACL="public-read")


def test_governance_is_bypassed_by_leave_alone(
    iam: "IAMClient", s3: "S3Client", node: Node, user: str, key: Key, place: tuple[str, str]
) -> None:
    bucket, version = place
    _retain(s3, bucket, version)
    client = key.s3(node)
    give(iam, user, allow("s3:DeleteObjectVersion", "*"))
    doomed: Any = {"Bucket": bucket, "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(**doomed)
    give(iam, user, allow(["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], "*"))
    client.delete_object(**doomed)


def test_tags_of_the_version_that_is_named_decide(
    iam: "IAMClient", s3: "S3Client", node: Node, user: str, key: Key, place: tuple[str, str]
) -> None:
    bucket, first = place
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging={"TagSet": [{"Key": "open", "Value": "no"}]})
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="open=yes")["VersionId"]
    client = key.s3(node)
    open_ones = {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}
    reads = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
    give(iam, user, allow(reads, "*", Condition=open_ones), allow(["s3:PutObject*", "s3:DeleteObject*"], "*"))
    client.get_object(Bucket=bucket, Key="k")
    client.get_object(Bucket=bucket, Key="k", VersionId=second)
    refused: list[Callable[[], Any]] = [
        lambda: client.get_object(Bucket=bucket, Key="k", VersionId=first),
        lambda: client.copy_object(
            Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k", "VersionId": first}
        ),
    ]
    for call in refused:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            call()
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k", "VersionId": second})


def test_policies_see_tags_and_locks_in_documents(
    iam: "IAMClient", node: Node, user: str, key: Key, place: tuple[str, str]
) -> None:
    bucket, version = place
    client = key.s3(node)
    give(
        iam,
        user,
        allow("s3:PutObjectTagging", "*", Condition={"StringEquals": {"s3:RequestObjectTag/desk": "fx"}}),
        allow(
            "s3:PutObjectRetention",
            "*",
            Condition={"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "2"}},
        ),
    )
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging=_TAGS)
    other: Any = {"TagSet": [{"Key": "desk", "Value": "rates"}]}
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.put_object_tagging(Bucket=bucket, Key="k", Tagging=other)
    _retain(client, bucket, version)
    long: Any = {"Mode": "GOVERNANCE", "RetainUntilDate": dt.datetime.now(dt.UTC) + dt.timedelta(days=30)}
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.put_object_retention(Bucket=bucket, Key="k", VersionId=version, Retention=long)

"""ACLs, ownership controls and public access blocks: what they let whom do."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.iam.conftest import Key, allow, anonymous, document, give
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

EVERYBODY: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED: Final = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


def own(s3: "S3Client", bucket: str, ownership: str = "BucketOwnerPreferred") -> None:
    """Let ACLs count, or not."""
    controls: Any = {"Rules": [{"ObjectOwnership": ownership}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)


def block(s3: "S3Client", bucket: str, *switches: str) -> None:
    """Set these switches of the public access block and no others."""
    configuration: Any = dict.fromkeys(switches, True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=configuration)


def public(bucket: str) -> str:
    return document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*"))


def test_acls_where_they_do_not_count(s3: "S3Client", bucket: str) -> None:
    assert [grant["Permission"] for grant in s3.get_bucket_acl(Bucket=bucket)["Grants"]] == ["FULL_CONTROL"]
    assert [grant["Permission"] for grant in s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]] == ["FULL_CONTROL"]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="bucket-owner-full-control")
    calls: list[Callable[[], Any]] = [
        lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
        lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read"),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k", ACL="public-read"),
        lambda: s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", ACL="public-read"),
    ]
    for call in calls:
        with refused("AccessControlListNotSupported", 400):
            call()
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        s3.create_bucket(Bucket=bucket + "-public", ACL="public-read")
    with refused("NoSuchKey", 404):
        s3.get_object_acl(Bucket=bucket, Key="absent")


def test_acls_where_they_count(s3: "S3Client", node: Node, bucket: str) -> None:
    own(s3, bucket)
    nobody = anonymous(node)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    with refused("AccessDenied", 403):
        nobody.list_objects_v2(Bucket=bucket)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="absent")
    with refused("NoSuchBucket", 404):
        nobody.get_object(Bucket="never-made", Key="k")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    nobody.list_objects_v2(Bucket=bucket)
    with refused("NoSuchKey", 404):
        nobody.get_object(Bucket=bucket, Key="absent")
    with refused("AccessDenied", 403):
        nobody.put_object(Bucket=bucket, Key="new", Body=b"1")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    nobody.put_object(Bucket=bucket, Key="new", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"again")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"open", ACL="public-read")
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"open"
    # Where they stop to count, they are kept and let nobody in.
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    own(s3, bucket, "BucketOwnerEnforced")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")
    own(s3, bucket, "ObjectWriter")
    nobody.get_object(Bucket=bucket, Key="k")


def test_an_acl_that_gives_something_keeps_acls_counting(s3: "S3Client", bucket: str) -> None:
    own(s3, bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    with refused("InvalidBucketAclWithObjectOwnership", 400):
        own(s3, bucket, "BucketOwnerEnforced")
    own(s3, bucket, "ObjectWriter")
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    own(s3, bucket, "BucketOwnerEnforced")


def test_ownership_of_new_buckets_is_configured(tmp_path: Path) -> None:
    """For buckets to come: what there is keeps what it was made with."""

    def ownership(bucket: str) -> str:
        controls = node.client().get_bucket_ownership_controls(Bucket=bucket)
        return controls["OwnershipControls"]["Rules"][0]["ObjectOwnership"]

    node = Node(tmp_path / "data", {"PACKSTONE_S3__OBJECT_OWNERSHIP": "ObjectWriter"})
    node.start()
    node.client().create_bucket(Bucket="open", ACL="public-read")
    node.client().create_bucket(Bucket="closed", ObjectOwnership="BucketOwnerEnforced")
    assert (ownership("open"), ownership("closed")) == ("ObjectWriter", "BucketOwnerEnforced")
    with refused("AccessControlListNotSupported", 400):
        node.client().put_object(Bucket="closed", Key="k", Body=b"1", ACL="public-read")
    node.stop()
    del node.settings["PACKSTONE_S3__OBJECT_OWNERSHIP"]
    node.start()
    try:
        assert ownership("open") == "ObjectWriter"
        anonymous(node).list_objects_v2(Bucket="open")
        with refused("InvalidBucketAclWithObjectOwnership", 400):
            node.client().create_bucket(Bucket="new", ACL="public-read")
    finally:
        node.close()


def test_who_does_not_sign_may_say_who_reads_what_they_write(s3: "S3Client", node: Node, bucket: str) -> None:
    own(s3, bucket, "ObjectWriter")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    nobody = anonymous(node)
    nobody.put_object(Bucket=bucket, Key="new", Body=b"1", ACL="public-read")
    assert nobody.get_object(Bucket=bucket, Key="new")["Body"].read() == b"1"
    with refused("AccessDenied", 403):
        nobody.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    statement = allow("s3:PutObjectAcl", f"arn:aws:s3:::{bucket}/*", Principal="*") | {"Effect": "Deny"}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))
    with refused("AccessDenied", 403):
        nobody.put_object(Bucket=bucket, Key="new", Body=b"2", ACL="public-read")
    s3.delete_bucket_policy(Bucket=bucket)
    block(s3, bucket, "BlockPublicAcls")
    with refused("AccessDenied", 403):
        nobody.put_object(Bucket=bucket, Key="new", Body=b"2", ACL="public-read")


def test_an_acl_belongs_to_its_version(s3: "S3Client", node: Node, bucket: str) -> None:
    own(s3, bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="v", Body=b"1", ACL="public-read")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="v", Body=b"2")["VersionId"]
    nobody = anonymous(node)
    nobody.get_object(Bucket=bucket, Key="v", VersionId=first)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="v")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="v", VersionId=second)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="v", VersionId="null")


def test_grants_to_groups(s3: "S3Client", iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    own(s3, bucket)
    s3.put_object_acl(Bucket=bucket, Key="k", GrantRead=f'uri="{SIGNED}"')
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [(grant["Grantee"]["URI"], grant["Permission"]) for grant in grants] == [(SIGNED, "READ")]
    key.s3(node).get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        anonymous(node).get_object(Bucket=bucket, Key="k")
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    everybody: Any = {
        "Owner": owner,
        "Grants": [{"Grantee": {"Type": "Group", "URI": EVERYBODY}, "Permission": "READ_ACP"}],
    }
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=everybody)
    anonymous(node).get_object_acl(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        key.s3(node).get_object(Bucket=bucket, Key="k")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("InvalidArgument", {"GrantRead": "id=nobody"}),
        ("InvalidArgument", {"GrantRead": "uri=http://example.org/group"}),
        ("InvalidRequest", {"ACL": "private", "GrantRead": f"uri={EVERYBODY}"}),
        ("UnresolvableGrantByEmailAddress", {"GrantRead": "emailAddress=a@example.org"}),
    ]
    for code, asked in calls:
        with refused(code, 400):
            s3.put_object_acl(Bucket=bucket, Key="k", **asked)


def test_an_acl_that_comes_with_an_object_needs_leave(
    s3: "S3Client", iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    own(s3, bucket)
    give(iam, user, allow("s3:PutObject", "*"))
    client = key.s3(node)
    client.put_object(Bucket=bucket, Key="new", Body=b"1")
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="new", Body=b"1", ACL="public-read")
    give(iam, user, allow(["s3:PutObject", "s3:PutObjectAcl"], "*"))
    client.put_object(Bucket=bucket, Key="new", Body=b"1", ACL="public-read")


def test_the_block_refuses_what_would_be_public(s3: "S3Client", bucket: str) -> None:
    own(s3, bucket)
    block(s3, bucket, "BlockPublicAcls", "BlockPublicPolicy")
    calls: list[Callable[[], Any]] = [
        lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
        lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read"),
        lambda: s3.put_bucket_policy(Bucket=bucket, Policy=public(bucket)),
    ]
    for call in calls:
        with refused("AccessDenied", 403):
            call()
    s3.delete_public_access_block(Bucket=bucket)
    for call in calls:
        call()


def test_the_block_shuts_what_is_public(
    s3: "S3Client", iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    own(s3, bucket)
    nobody = anonymous(node)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    nobody.get_object(Bucket=bucket, Key="k")
    block(s3, bucket, "IgnorePublicAcls")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")
    s3.put_bucket_policy(Bucket=bucket, Policy=public(bucket))
    nobody.get_object(Bucket=bucket, Key="k")
    block(s3, bucket, "RestrictPublicBuckets")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")
    # The bucket's own account is not the public.
    key.s3(node).get_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("acl", ["log-delivery-write", "authenticated-read", "bucket-owner-read"])
def test_these_canned_acls_let_nobody_in_who_does_not_sign(s3: "S3Client", node: Node, bucket: str, acl: Any) -> None:
    own(s3, bucket)
    if acl != "log-delivery-write":
        s3.put_object_acl(Bucket=bucket, Key="k", ACL=acl)
    else:
        s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    with refused("AccessDenied", 403):
        anonymous(node).get_object(Bucket=bucket, Key="k")

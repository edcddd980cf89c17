"""Users, groups and policies: what each lets its users do on S3."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.iam.conftest import ACCOUNT, Key, allow, document, give, make_key
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client


def test_the_refusal_says_who_what_and_why(node: Node, user: str, key: Key, bucket: str) -> None:
    client = key.s3(node)
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.get_object(Bucket=bucket, Key="k")
    assert caught.value.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: s3:GetObject on resource: "
        f'"arn:aws:s3:::{bucket}/k" because no identity-based policy allows the s3:GetObject action'
    )


def test_a_missing_key_is_told_to_who_may_list(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    client = key.s3(node)
    give(iam, user, allow("s3:GetObject", "*"))
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="absent")
    with refused("403", 403):
        client.head_object(Bucket=bucket, Key="absent")
    give(iam, user, allow(["s3:GetObject", "s3:ListBucket"], "*"))
    with refused("NoSuchKey", 404):
        client.get_object(Bucket=bucket, Key="absent")
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key="absent")
    with refused("NoSuchBucket", 404):
        client.get_object(Bucket="never-made", Key="absent")
    with refused("AccessDenied", 403):
        client.create_bucket(Bucket=bucket)
    give(iam, user, allow("s3:CreateBucket", "*"))
    client.create_bucket(Bucket=bucket)


def test_a_missing_key_is_told_to_who_may_list_it(
    iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    """The policy sees the key as the prefix of the list."""
    client = key.s3(node)
    listing = allow("s3:ListBucket", "*", Condition={"StringLike": {"s3:prefix": "public/*"}})
    give(iam, user, allow("s3:GetObject", "*"), listing)
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key="public/absent")
    with refused("403", 403):
        client.head_object(Bucket=bucket, Key="private/absent")
    # Nor does it depend on leave to read: who may list a key learns the same from the list.
    give(iam, user, listing)
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key="public/absent")
    for absent in ("private/absent", "k"):
        with refused("403", 403):
            client.head_object(Bucket=bucket, Key=absent)


def test_who_may_not_set_acls_does_not_by_making_a_bucket_again(
    s3: "S3Client", iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    give(iam, user, allow("s3:CreateBucket", "*"))
    with refused("AccessDenied", 403):
        key.s3(node).create_bucket(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 2
    give(iam, user, allow(["s3:CreateBucket", "s3:PutBucketAcl"], "*"))
    key.s3(node).create_bucket(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1


def test_copies_need_leave_on_both_ends(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    client = key.s3(node)
    source, target = f"arn:aws:s3:::{bucket}/k", f"arn:aws:s3:::{bucket}/copy"

    def copy() -> None:
        client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")

    for statements in ([allow("s3:GetObject", source)], [allow("s3:PutObject", target)]):
        give(iam, user, *statements)
        with refused("AccessDenied", 403):
            copy()
    give(iam, user, allow("s3:GetObject", source), allow("s3:PutObject", target))
    copy()


def test_many_are_deleted_as_each_may(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    give(iam, user, allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/mine/*"))
    named = [{"Key": "mine/1"}, {"Key": "k"}, {"Key": "mine/2"}]
    answer = key.s3(node).delete_objects(Bucket=bucket, Delete={"Objects": named})  # type: ignore[typeddict-item]
    assert sorted(deleted["Key"] for deleted in answer["Deleted"]) == ["mine/1", "mine/2"]
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]] == [("k", "AccessDenied")]


def test_an_upload_needs_nothing_but_put(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    give(iam, user, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    client = key.s3(node)
    upload = client.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    part = client.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"1")
    with refused("AccessDenied", 403):
        client.list_parts(Bucket=bucket, Key="big", UploadId=upload)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="big",
        UploadId=upload,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )


def test_groups_and_managed_policies(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    client = key.s3(node)
    group, policy = f"group-of-{user}", f"policy-of-{user}"
    iam.create_group(GroupName=group)
    reads = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    arn = iam.create_policy(PolicyName=policy, PolicyDocument=reads)["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/{policy}"
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    iam.add_user_to_group(GroupName=group, UserName=user)
    client.get_object(Bucket=bucket, Key="k")
    assert [member["UserName"] for member in iam.get_group(GroupName=group)["Users"]] == [user]
    assert [held["GroupName"] for held in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]

    version = iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document(allow("s3:PutObject", "*")), SetAsDefault=True
    )["PolicyVersion"]["VersionId"]
    assert version == "v2"
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    client.get_object(Bucket=bucket, Key="k")
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]
    assert shown["Statement"][0]["Action"] == "s3:PutObject"  # type: ignore[index]
    with refused("DeleteConflict", 409):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")

    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    with refused("DeleteConflict", 409):
        iam.delete_group(GroupName=group)
    iam.remove_user_from_group(GroupName=group, UserName=user)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    iam.detach_group_policy(GroupName=group, PolicyArn=arn)
    iam.delete_group(GroupName=group)
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_policy(PolicyArn=arn)


def test_policies_that_come_with_the_node(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    client = key.s3(node)
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    client.get_object(Bucket=bucket, Key="k")
    client.list_buckets()
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
    attached = [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": arn}]
    assert iam.list_attached_user_policies(UserName=user)["AttachedPolicies"] == attached
    assert [held["UserName"] for held in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == [user]
    told = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (told["Arn"], told["AttachmentCount"], told["DefaultVersionId"]) == (arn, 1, "v1")
    version: Any = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert version["Statement"]["Action"] == ["s3:Get*", "s3:List*"]

    # One of that name may be made here, and isn't that one.
    text = document(allow("s3:PutObject", "*"))
    own = iam.create_policy(PolicyName="AmazonS3ReadOnlyAccess", PolicyDocument=text)["Policy"]["Arn"]
    changes: list[Callable[[], Any]] = [
        lambda: iam.delete_policy(PolicyArn=arn),
        lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True),
        lambda: iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "b"}]),
    ]
    for change in changes:
        with refused("AccessDenied", 403, "comes with the node"):
            change()

    def listed(scope: Any) -> list[str]:
        arns = [policy["Arn"] for policy in iam.list_policies(Scope=scope)["Policies"]]
        return [found for found in arns if found.endswith("/AmazonS3ReadOnlyAccess")]

    assert (listed("Local"), listed("AWS"), sorted(listed("All"))) == ([own], [arn], [own, arn])
    iam.delete_policy(PolicyArn=own)
    client.get_object(Bucket=bucket, Key="k")
    iam.detach_user_policy(UserName=user, PolicyArn=arn)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")


def test_the_account_is_summed_up(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    before = iam.get_account_summary()["SummaryMap"]
    assert (before["AccessKeysPerUserQuota"], before["GroupsPerUserQuota"], before["UserPolicySizeQuota"]) == (
        2,
        10,
        2048,
    )
    iam.create_user(UserName=f"{user}-more")
    assert iam.get_account_summary()["SummaryMap"] == before | {"Users": before["Users"] + 1}
    theirs = key.client(node, "iam")
    with refused("AccessDenied", 403, "iam:GetAccountSummary"):
        theirs.get_account_summary()
    give(iam, user, allow("iam:GetAccountSummary", "*"))
    assert theirs.get_account_summary()["SummaryMap"]["Users"] == before["Users"] + 1


def test_a_boundary_bounds(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    give(iam, user, allow("*", "*"))
    reads = document(allow("s3:Get*", "*"))
    arn = iam.create_policy(PolicyName=f"bound-{user}", PolicyDocument=reads)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=arn)
    client = key.s3(node)
    client.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user_permissions_boundary(UserName=user)
    client.put_object(Bucket=bucket, Key="k", Body=b"1")


def test_variables_and_tags_of_the_user(iam: "IAMClient", node: Node, user: str, key: Key, bucket: str) -> None:
    home = f"arn:aws:s3:::{bucket}/${{aws:username}}/${{aws:PrincipalTag/desk}}/*"
    give(iam, user, allow("s3:PutObject", home))
    client = key.s3(node)
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key=f"{user}/fx/1", Body=b"1")
    iam.tag_user(UserName=user, Tags=[{"Key": "desk", "Value": "fx"}])
    client.put_object(Bucket=bucket, Key=f"{user}/fx/1", Body=b"1")
    assert iam.list_user_tags(UserName=user)["Tags"] == [{"Key": "desk", "Value": "fx"}]
    iam.untag_user(UserName=user, TagKeys=["desk"])
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key=f"{user}/fx/1", Body=b"1")


def test_a_key_that_is_switched_off_ends_at_once(
    iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    give(iam, user, allow("s3:*", "*"))
    client = key.s3(node)
    for _ in range(20):
        client.get_object(Bucket=bucket, Key="k")
        iam.update_access_key(UserName=user, AccessKeyId=key.access, Status="Inactive")
        with refused("InvalidAccessKeyId", 403):
            client.get_object(Bucket=bucket, Key="k")
        iam.update_access_key(UserName=user, AccessKeyId=key.access, Status="Active")
    second = make_key(iam, user)
    with refused("LimitExceeded", 409):
        iam.create_access_key(UserName=user)
    second.s3(node).get_object(Bucket=bucket, Key="k")
    iam.delete_access_key(UserName=user, AccessKeyId=key.access)
    with refused("InvalidAccessKeyId", 403):
        client.get_object(Bucket=bucket, Key="k")
    second.s3(node).get_object(Bucket=bucket, Key="k")


def test_a_secret_is_shown_once_and_never_again(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    listed = iam.list_access_keys(UserName=user)
    assert [held["AccessKeyId"] for held in listed["AccessKeyMetadata"]] == [key.access]
    others = [iam.get_user(UserName=user), iam.list_users(), iam.get_access_key_last_used(AccessKeyId=key.access)]
    assert key.secret not in str([listed, *others])
    secret = key.secret.encode()
    for file in node.data.rglob("*"):
        if file.is_file():
            assert secret not in file.read_bytes(), file
    assert (node.data / "master-key").stat().st_mode & 0o777 == 0o600


def test_iam_itself_asks(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    own = key.client(node, "iam")
    with refused("AccessDenied", 403):
        own.list_users()
    with refused("AccessDenied", 403):
        own.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(allow("*", "*")))
    with refused("AccessDenied", 403):
        own.get_user(UserName="never-made")
    give(iam, user, allow(["iam:GetUser", "iam:*AccessKey*"], f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    assert own.get_user()["User"]["UserName"] == user
    made = own.create_access_key()["AccessKey"]
    own.delete_access_key(AccessKeyId=made["AccessKeyId"])
    with refused("AccessDenied", 403):
        own.delete_access_key(UserName="somebody-else", AccessKeyId=made["AccessKeyId"])


def test_users_are_told_as_aws_tells_them(iam: "IAMClient") -> None:
    made = iam.create_user(UserName="Told.User", Path="/desk/fx/", Tags=[{"Key": "a", "Value": "<&>"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/desk/fx/Told.User"
    assert made["UserId"].startswith("AIDA")
    assert iam.get_user(UserName="told.user")["User"]["Tags"] == [{"Key": "a", "Value": "<&>"}]
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="told.USER")
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/desk/")["Users"]] == ["Told.User"]
    iam.update_user(UserName="Told.User", NewUserName="renamed")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="Told.User")
    iam.put_user_policy(UserName="renamed", PolicyName="p", PolicyDocument=document(allow("s3:*", "*")))
    assert iam.list_user_policies(UserName="renamed")["PolicyNames"] == ["p"]
    assert iam.get_user_policy(UserName="renamed", PolicyName="p")["PolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [allow("s3:*", "*")],
    }
    with refused("DeleteConflict", 409):
        iam.delete_user(UserName="renamed")
    iam.delete_user_policy(UserName="renamed", PolicyName="p")
    iam.delete_user(UserName="renamed")
    with refused("NoSuchEntity", 404):
        iam.delete_user(UserName="renamed")
    for name in ("", "a b", "a/b", "x" * 65):
        with pytest.raises((iam.exceptions.ClientError, ValueError, Exception)):
            iam.create_user(UserName=name)
    with refused("MalformedPolicyDocument", 400):
        iam.create_policy(PolicyName="bad", PolicyDocument="{}")


def test_lists_come_in_pages(iam: "IAMClient") -> None:
    names = [f"paged-{number:02}" for number in range(7)]
    for name in names:
        iam.create_user(UserName=name, Path="/paged/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 3})
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [names[:3], names[3:6], names[6:]]

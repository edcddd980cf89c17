"""What conditions see of tags, locks and targets: what a request does, and not what its headers claim."""

from typing import TYPE_CHECKING

from tests.iam.conftest import ACCOUNT, Key, allow, deny, document, give
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

LOCKED = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["keep"]}}


def test_a_tag_that_may_not_be_touched_is_not_taken_off(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    iam.tag_user(UserName=user, Tags=[{"Key": "keep", "Value": "1"}, {"Key": "loose", "Value": "1"}])
    give(iam, user, allow("iam:*", "*"), deny(["iam:TagUser", "iam:UntagUser"], "*", Condition=LOCKED))
    own = key.client(node, "iam")
    with refused("AccessDenied", 403):
        own.tag_user(UserName=user, Tags=[{"Key": "keep", "Value": "2"}])
    with refused("AccessDenied", 403):
        own.untag_user(UserName=user, TagKeys=["loose", "keep"])
    own.untag_user(UserName=user, TagKeys=["loose"])
    assert iam.list_user_tags(UserName=user)["Tags"] == [{"Key": "keep", "Value": "1"}]


def test_who_creates_with_tags_must_be_allowed_to_tag(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}})
    tags = [{"Key": "packstone:uid", "Value": "0"}]
    give(iam, user, allow(["iam:CreateUser", "iam:CreateRole", "iam:CreatePolicy"], "*"))
    own = key.client(node, "iam")
    own.create_user(UserName=f"plain-{user}")
    with refused("AccessDenied", 403):
        own.create_user(UserName=f"tagged-{user}", Tags=tags)
    with refused("AccessDenied", 403):
        own.create_role(RoleName=f"tagged-{user}", AssumeRolePolicyDocument=trust, Tags=tags)
    with refused("AccessDenied", 403):
        own.create_policy(PolicyName=f"tagged-{user}", PolicyDocument=document(allow("*", "*")), Tags=tags)
    give(iam, user, allow(["iam:CreateUser", "iam:TagUser"], "*"))
    own.create_user(UserName=f"tagged-{user}", Tags=tags)
    with refused("ValidationError", 400):
        own.create_user(UserName=f"odd-{user}", Tags=[{"Key": "packstone:uid", "Value": "root"}])


def test_iam_conditions_see_policies_boundaries_and_tags(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    made = [
        iam.create_policy(PolicyName=f"{name}-{user}", PolicyDocument=document(allow("s3:*", "*")))["Policy"]["Arn"]
        for name in ("fine", "strong")
    ]
    fine, strong = made
    other, special = f"other-{user}", f"special-{user}"
    for name in (other, special):
        iam.create_user(UserName=name, PermissionsBoundary=fine)
    iam.tag_user(UserName=special, Tags=[{"Key": "guard", "Value": "yes"}])
    give(
        iam,
        user,
        allow("iam:*", "*"),
        deny("iam:AttachUserPolicy", "*", Condition={"ArnEquals": {"iam:PolicyARN": strong}}),
        deny("iam:*", "*", Condition={"StringEquals": {"aws:ResourceTag/guard": "yes"}}),
        deny(
            ["iam:CreateUser", "iam:PutUserPolicy"],
            "*",
            Condition={"StringNotEquals": {"iam:PermissionsBoundary": fine}},
        ),
    )
    own = key.client(node, "iam")
    own.attach_user_policy(UserName=other, PolicyArn=fine)
    with refused("AccessDenied", 403):
        own.attach_user_policy(UserName=other, PolicyArn=strong)
    with refused("AccessDenied", 403):
        own.attach_user_policy(UserName=special, PolicyArn=fine)
    with refused("AccessDenied", 403):
        own.create_user(UserName=f"free-{user}")
    own.create_user(UserName=f"bound-{user}", PermissionsBoundary=fine)
    own.put_user_policy(UserName=other, PolicyName="p", PolicyDocument=document(allow("s3:*", "*")))
    iam.delete_user_permissions_boundary(UserName=other)
    with refused("AccessDenied", 403):
        own.put_user_policy(UserName=other, PolicyName="p", PolicyDocument=document(allow("s3:*", "*")))


def test_keys_that_no_request_has_are_refused(iam: "IAMClient", s3: "S3Client", user: str, bucket: str) -> None:
    for name in ("s3:TlsVersion", "aws:Unheard"):
        statement = deny("s3:*", f"arn:aws:s3:::{bucket}/*", Condition={"StringEquals": {name: "1"}})
        with refused("MalformedPolicyDocument", 400):
            iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(statement))
        with refused("MalformedPolicy", 400):
            s3.put_bucket_policy(Bucket=bucket, Policy=document(statement | {"Principal": "*"}))


def test_where_a_bucket_is_made_is_seen(iam: "IAMClient", node: Node, user: str, key: Key) -> None:
    here = {"StringEquals": {"s3:LocationConstraint": "us-east-1"}}
    give(iam, user, allow("s3:CreateBucket", "*", Condition=here))
    client, name = key.s3(node), f"made-by-{user}"
    with refused("AccessDenied", 403):
        client.create_bucket(Bucket=name)
    # A client that checks regions itself would not send this one.
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-1"})  # type: ignore[typeddict-item]


def test_a_header_that_is_not_acted_on_claims_nothing(
    iam: "IAMClient", s3: "S3Client", node: Node, user: str, key: Key, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="secret", Body=b"1", Tagging="class=secret")
    objects = f"arn:aws:s3:::{bucket}/*"
    public = {"StringEquals": {"s3:RequestObjectTag/class": "public"}}
    give(
        iam,
        user,
        allow(["s3:GetObject", "s3:GetObjectTagging"], objects),
        allow(["s3:PutObject", "s3:PutObjectTagging"], objects, Condition=public),
    )
    client = key.s3(node)
    client.put_object(Bucket=bucket, Key="fine", Body=b"1", Tagging="class=public")
    source = {"Bucket": bucket, "Key": "secret"}
    with refused("AccessDenied", 403):
        client.copy_object(Bucket=bucket, Key="a", CopySource=source, TaggingDirective="COPY", Tagging="class=public")  # type: ignore[arg-type]
    client.copy_object(Bucket=bucket, Key="a", CopySource=source, TaggingDirective="REPLACE", Tagging="class=public")  # type: ignore[arg-type]
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "class", "Value": "public"}]

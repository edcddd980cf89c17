"""Bucket policies: for others, for everybody, against everybody, and what conditions see."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.iam.conftest import ACCOUNT, Key, allow, anonymous, deny, document, give, make_key
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client


def everything(bucket: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def test_a_policy_is_kept_and_checked(s3: "S3Client", bucket: str) -> None:
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy_status(Bucket=bucket)
    text = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": ACCOUNT}))
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": False}
    for bad in (
        "",
        "nothing",
        "{}",
        document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")),
        document(allow("s3:GetObject", "arn:aws:s3:::another-bucket/*", Principal="*")),
        document(allow("s3:EatObject", f"arn:aws:s3:::{bucket}/*", Principal="*")),
    ):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.put_bucket_policy(Bucket=bucket, Policy=bad)
        assert caught.value.response["Error"]["Code"] in {"MalformedPolicy", "MissingRequestBodyError"}, bad
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    s3.delete_bucket_policy(Bucket=bucket)
    with refused("NoSuchBucketPolicy", 404):
        s3.get_bucket_policy(Bucket=bucket)


def test_it_gives_to_a_user_by_name(s3: "S3Client", node: Node, user: str, key: Key, bucket: str) -> None:
    client = key.s3(node)
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user}"}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal=who))
    )
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused("AccessDenied", 403):
        anonymous(node).get_object(Bucket=bucket, Key="k")


def test_what_it_gives_is_not_inherited_with_a_name(
    s3: "S3Client", iam: "IAMClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    arn, named = f"arn:aws:iam::{ACCOUNT}:user/{user}", {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/{user}", ACCOUNT]}
    text = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal=named))
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text

    def told() -> list[str]:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        who: list[str] = policy["Statement"][0]["Principal"]["AWS"]
        return who

    iam.update_user(UserName=user, NewUserName=f"{user}-renamed")
    assert key.s3(node).get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    assert told() == [f"{arn}-renamed", ACCOUNT]
    gone = iam.get_user(UserName=f"{user}-renamed")["User"]["UserId"]
    iam.delete_access_key(UserName=f"{user}-renamed", AccessKeyId=key.access)
    iam.delete_user(UserName=f"{user}-renamed")
    assert told() == [gone, ACCOUNT]
    with refused("MalformedPolicy", 400, "Invalid principal in policy"):
        s3.put_bucket_policy(Bucket=bucket, Policy=text)

    iam.create_user(UserName=user)
    again = make_key(iam, user)
    with refused("AccessDenied", 403):
        again.s3(node).get_object(Bucket=bucket, Key="k")
    assert told() == [gone, ACCOUNT]
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert again.s3(node).get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


def test_it_gives_to_everybody(s3: "S3Client", node: Node, bucket: str) -> None:
    nobody = anonymous(node)
    for call in (
        lambda: nobody.get_object(Bucket=bucket, Key="k"),
        lambda: nobody.put_object(Bucket=bucket, Key="k", Body=b"1"),
        lambda: nobody.list_objects_v2(Bucket=bucket),
        lambda: nobody.delete_object(Bucket=bucket, Key="k"),
        nobody.list_buckets,
        lambda: nobody.create_bucket(Bucket="made-by-nobody"),
    ):
        with refused("AccessDenied", 403):
            call()
    with refused("NoSuchBucket", 404):
        nobody.get_object(Bucket="never-made", Key="k")
    statement = allow(["s3:GetObject", "s3:ListBucket"], everything(bucket), Principal="*")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}
    assert nobody.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    assert nobody.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    with refused("AccessDenied", 403):
        nobody.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.delete_bucket_policy(Bucket=bucket)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")


def test_a_deny_wins_over_everybody_even_root(
    iam: "IAMClient", s3: "S3Client", node: Node, user: str, key: Key, bucket: str
) -> None:
    give(iam, user, allow("*", "*"))
    s3.put_bucket_policy(Bucket=bucket, Policy=document(deny("s3:*", everything(bucket), Principal="*")))
    for client in (key.s3(node), s3):
        with refused("AccessDenied", 403):
            client.get_object(Bucket=bucket, Key="k")
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
        assert [fault["Code"] for fault in answer["Errors"]] == ["AccessDenied"]
    with refused("AccessDenied", 403):
        key.s3(node).delete_bucket_policy(Bucket=bucket)
    # Or nobody could mend it.
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    s3.delete_bucket_policy(Bucket=bucket)
    s3.get_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringLike": {"aws:UserAgent": "*Boto*"}}, True),
        ({"StringLike": {"aws:UserAgent": "curl*"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"StringEquals": {"s3:prefix": "desk/"}}, True),
        ({"StringEquals": {"s3:prefix": "other/"}}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "9"}}, False),
        ({"StringEquals": {"s3:delimiter": "/"}}, True),
        ({"StringEquals": {"s3:authType": "REST-HEADER"}}, True),
        ({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}, False),
        ({"NumericLessThan": {"s3:signatureAge": "600000"}}, True),
        ({"NumericGreaterThan": {"s3:signatureAge": "600000"}}, False),
        ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, True),
        ({"Null": {"aws:Referer": "true"}}, True),
    ],
)
def test_conditions_see_the_request(
    iam: "IAMClient", node: Node, user: str, key: Key, bucket: str, condition: dict[str, dict[str, str]], holds: bool
) -> None:
    give(iam, user, allow("s3:ListBucket", "*", Condition=condition))
    client = key.s3(node)
    if holds:
        client.list_objects_v2(Bucket=bucket, Prefix="desk/", Delimiter="/", MaxKeys=10)
    else:
        with refused("AccessDenied", 403):
            client.list_objects_v2(Bucket=bucket, Prefix="desk/", Delimiter="/", MaxKeys=10)

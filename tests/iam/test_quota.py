"""Quotas of buckets and of users, set on the command line and obeyed on S3."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.iam.conftest import Key, allow, give
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20


@pytest.fixture
def owned(iam: "IAMClient", node: Node, user: str, key: Key) -> tuple["S3Client", list[str]]:
    """A user's client, and two buckets that the user made."""
    give(iam, user, allow("s3:*", "*"))
    client = key.s3(node)
    names = [f"{user}-{number}" for number in range(2)]
    for name in names:
        client.create_bucket(Bucket=name)
    return client, names


def shown(node: Node, whose: str, name: str) -> Any:
    return json.loads(node.command(whose, "quota", "show", name, "--json"))


def test_a_bucket(node: Node, s3: "S3Client", bucket: str) -> None:
    before = s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    node.command("bucket", "quota", "set", bucket, "--bytes", "1 MiB", "--objects", str(before + 1))
    with refused("QuotaExceeded", 403):
        s3.put_object(Bucket=bucket, Key="large", Body=b"x" * (MIB + 1))
    s3.put_object(Bucket=bucket, Key="small", Body=b"x")
    with refused("QuotaExceeded", 403):
        s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    with refused("QuotaExceeded", 403):
        s3.copy_object(Bucket=bucket, Key="other", CopySource=f"{bucket}/small")
    held = shown(node, "bucket", bucket)
    assert (held["bytes"], held["objects"], held["used_objects"]) == (MIB, before + 1, before + 1)
    assert "of 1 MiB" in node.command("bucket", "quota", "show", bucket)
    s3.delete_object(Bucket=bucket, Key="small")
    node.command("bucket", "quota", "set", bucket, "--objects", "0")
    assert shown(node, "bucket", bucket)["bytes"] is None
    node.command("bucket", "quota", "clear", bucket)
    assert "no limit" in node.command("bucket", "quota", "show", bucket)
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * (MIB + 1))


def test_a_large_body_is_refused_before_it_is_sent(node: Node, s3: "S3Client", bucket: str) -> None:
    node.command("bucket", "quota", "set", bucket, "--bytes", "1MiB")
    body = b"x" * 64 * MIB
    with refused("QuotaExceeded", 403):
        s3.put_object(Bucket=bucket, Key="large", Body=body)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    with refused("QuotaExceeded", 403):
        s3.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=1, Body=body)
    s3.abort_multipart_upload(Bucket=bucket, Key="large", UploadId=upload)


def test_a_form_is_refused_for_what_it_brings_alone(node: Node, s3: "S3Client", bucket: str) -> None:
    import httpx

    node.command("bucket", "quota", "set", bucket, "--bytes", "1KiB")
    form = s3.generate_presigned_post(bucket, "form", Conditions=[["content-length-range", 0, 10 * MIB]])
    for size, status in ((2048, 403), (10, 204)):
        answer = httpx.post(form["url"], data=form["fields"], files={"file": b"x" * size})
        assert answer.status_code == status, answer.text


def test_all_buckets_of_a_user(node: Node, s3: "S3Client", user: str, owned: tuple["S3Client", list[str]]) -> None:
    client, (one, two) = owned
    node.command("user", "quota", "set", user, "--bytes", "1000")
    client.put_object(Bucket=one, Key="a", Body=b"x" * 600)
    for writer in (client, s3):
        with refused("QuotaExceeded", 403):
            writer.put_object(Bucket=two, Key="a", Body=b"x" * 401)
    client.put_object(Bucket=two, Key="a", Body=b"x" * 400)
    held = shown(node, "user", user)
    assert (held["bytes"], held["used_bytes"], held["used_objects"]) == (1000, 1000, 2)
    client.delete_object(Bucket=one, Key="a")
    client.put_object(Bucket=two, Key="b", Body=b"x" * 600)
    node.command("user", "quota", "clear", user)
    client.put_object(Bucket=one, Key="a", Body=b"x" * 5000)


def test_what_others_made_is_not_a_users(
    node: Node, s3: "S3Client", user: str, owned: tuple["S3Client", list[str]], bucket: str
) -> None:
    client, _ = owned
    node.command("user", "quota", "set", user, "--objects", "0")
    client.put_object(Bucket=bucket, Key="user", Body=b"x")
    s3.put_object(Bucket=bucket, Key="root", Body=b"x")


@pytest.mark.parametrize("whose", ["bucket", "user"])
def test_what_can_t_be_is_told_in_a_line(node: Node, whose: str) -> None:
    for arguments in (("show", "nobody"), ("set", "nobody", "--bytes", "1"), ("clear", "nobody")):
        told = node.command(whose, "quota", *arguments, code=1)
        assert told == f"packstone: there is no {whose} nobody\n"
    assert "say --bytes, --objects or both" in node.command(whose, "quota", "set", "nobody", code=1)
    assert "is not a size" in node.command(whose, "quota", "set", "nobody", "--bytes", "many", code=2)

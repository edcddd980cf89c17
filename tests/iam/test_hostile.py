"""Policies and calls that mean harm: each is answered at once, and none gets through."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.iam.conftest import Key, allow, anonymous, document, give
from tests.refusal import refused
from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_twenty_kibibytes_of_wildcards_take_no_time(s3: "S3Client", node: Node, key: Key, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}/"
    patterns = [arn + "*a?" * 250 + str(number) for number in range(20)]
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": [allow("s3:*", patterns, Principal="*")]}, separators=(",", ":")
    )
    assert 15_000 < len(text) < 20_480
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    client = key.s3(node)
    started = time.monotonic()
    for _ in range(10):
        with refused("AccessDenied", 403):
            client.get_object(Bucket=bucket, Key="a" * 1000)
    assert time.monotonic() - started < 2


def test_a_policy_that_is_too_long_or_too_deep(s3: "S3Client", iam: "IAMClient", user: str, bucket: str) -> None:
    long = document(allow("s3:GetObject", [f"arn:aws:s3:::{bucket}/{number:0500}" for number in range(60)]))
    deep = '{"Statement": ' + "[" * 20_000 + "]" * 20_000 + "}"
    for text in (long, deep):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.put_bucket_policy(Bucket=bucket, Policy=text)
        assert caught.value.response["Error"]["Code"] in {"MalformedPolicy", "PolicyTooLarge"}
        with pytest.raises(iam.exceptions.ClientError) as caught:
            iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=text)
        assert caught.value.response["Error"]["Code"] in {"MalformedPolicyDocument", "LimitExceeded"}
    with refused("LimitExceeded", 409):
        for number in range(10):
            statements = [allow("s3:GetObject", f"arn:aws:s3:::b/{number}/{each:020}") for each in range(8)]
            iam.put_user_policy(UserName=user, PolicyName=f"p{number}", PolicyDocument=document(*statements))


def test_who_may_write_policies_of_others_gains_nothing_for_itself(
    iam: "IAMClient", node: Node, user: str, key: Key
) -> None:
    give(iam, user, allow("iam:PutUserPolicy", "arn:aws:iam::000000000000:user/helped-*"))
    own = key.client(node, "iam")
    for name in (user, user.upper(), "../" + user, f"helped-/../{user}"):
        with pytest.raises(own.exceptions.ClientError):
            own.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(allow("*", "*")))
    with refused("AccessDenied", 403):
        key.s3(node).list_buckets()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Action=",
        b"Action=ListUsers&Action=DeleteUser&UserName=a",
        b"Action=%00&Version=%ff",
        b"Action=" + b"A" * 100_000,
        b"&" * 100_000,
        b"Action=CreateUser&UserName=%3Cscript%3E",
        b"Action=ListUsers&MaxItems=99999999999999999999",
        b"Action=ListUsers&Marker=" + b"z" * 50_000,
        b"Action=TagUser&UserName=absent" + b"".join(b"&Tags.member.%d.Key=k%d" % (n, n) for n in range(1, 500)),
    ],
)
def test_forms_that_make_no_sense(node: Node, body: bytes) -> None:
    answer = Raw(node).send_form("iam", body)
    assert answer.status < 500
    assert b"<script>" not in answer.body


def test_a_form_of_tags_without_end_takes_no_time(node: Node) -> None:
    tags = b"".join(b"&Tags.member.%d.Key=%d" % (number, number) for number in range(1, 16_000))
    keys = b"".join(b"&TagKeys.member.%d=%d" % (number, number) for number in range(1, 16_000))
    for body in (b"Action=TagUser&UserName=a" + tags, b"Action=UntagUser&UserName=a" + keys):
        started = time.monotonic()
        assert Raw(node).send_form("iam", body).code == "LimitExceeded"
        assert time.monotonic() - started < 1


def announce(node: Node, method: str, target: str, headers: dict[str, str]) -> str:
    """The status line that comes before anything of the body was sent."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {node.endpoint.removeprefix('http://')}", "content-length: 400000"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(node.address(), timeout=5) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.recv(65_536).decode().split("\r\n", 1)[0]


def test_no_document_is_read_of_who_would_not_be_let_in(s3: "S3Client", node: Node, bucket: str) -> None:
    asked = [("PUT", "?acl"), ("PUT", "?policy"), ("POST", "?delete"), ("PUT", "/k?tagging"), ("POST", "/k?uploadId=1")]
    for method, target in asked:
        assert announce(node, method, f"/{bucket}{target}", {}) == "HTTP/1.1 403 Forbidden", target
    assert announce(node, "PUT", "/never-made", {}) == "HTTP/1.1 403 Forbidden"
    stranger = {
        "content-type": FORM["content-type"],
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAAAAABBBBCCCCDDDD/20260101/us-east-1/iam/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        "x-amz-date": "20260101T000000Z",
    }
    assert announce(node, "POST", "/", stranger) == "HTTP/1.1 403 Forbidden"

    policy = document(allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*", Principal="*"))
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    gone = anonymous(node).delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert [deleted["Key"] for deleted in gone["Deleted"]] == ["k"]


def test_a_thousand_at_once_with_tokens_that_are_none(node: Node, key: Key) -> None:
    def ask(number: int) -> Any:
        return Raw(node).plain(
            "GET",
            "/some-bucket/key",
            {
                "authorization": "AWS4-HMAC-SHA256 Credential=ASIAAAAABBBBCCCCDDDD/20260101/us-east-1/s3/aws4_request, "
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=" + "0" * 64,
                "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
                "x-amz-date": "20260101T000000Z",
                "x-amz-security-token": f"{number}" * 500,
            },
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(1000)))
    assert {(answer.status, answer.code) for answer in answers} == {(400, "InvalidToken")}

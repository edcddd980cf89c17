"""Who is let in: presigned URLs, wrong signatures, old signatures, nobody."""

import datetime as dt
import re
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.refusal import refused
from tests.served import REGION, Node
from tests.signing import UNSIGNED, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def target_of(url: str, node: Node) -> str:
    return url.removeprefix(node.endpoint)


def presigned(node: Node, method: str, target: str, expires: int, headers: dict[str, str] | None = None) -> str:
    """Path and query of a presigned request; `headers` are signed too."""
    request = AWSRequest(method, node.endpoint + target, headers=headers or {})
    S3SigV4QueryAuth(Credentials(node.user, node.password), "s3", REGION, expires=expires).add_auth(request)
    assert request.url is not None
    return target_of(str(request.url), node)


def test_presigned(s3: "S3Client", s3_node: Node, raw: Raw, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "ü b+/k"}, ExpiresIn=60)
    assert raw.plain("PUT", target_of(url, s3_node), {}, b"body").status == 200
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "ü b+/k"}, ExpiresIn=60)
    assert raw.plain("GET", target_of(url, s3_node)).body == b"body"
    assert raw.plain("GET", target_of(url, s3_node), {"range": "bytes=1-2"}).body == b"od"
    assert raw.plain("DELETE", target_of(url, s3_node)).code == "SignatureDoesNotMatch"
    assert raw.plain("GET", target_of(url, s3_node).replace("%C3%BC", "u")).code == "SignatureDoesNotMatch"


def test_presigned_life(s3_node: Node, raw: Raw, bucket: str) -> None:
    assert raw.plain("GET", presigned(s3_node, "GET", f"/{bucket}", 604_800)).status == 200
    for expires in (604_801, 0, -1):
        answer = raw.plain("GET", presigned(s3_node, "GET", f"/{bucket}", expires))
        assert answer.status in {400, 403}
        assert answer.code in {"AuthorizationQueryParametersError", "AccessDenied"}
    answer = raw.plain(
        "GET", re.sub("X-Amz-Expires=[0-9]+", "X-Amz-Expires=x", presigned(s3_node, "GET", f"/{bucket}", 60))
    )
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_presigned_and_expired(s3_node: Node, raw: Raw, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: past)
    answer = raw.plain("GET", presigned(s3_node, "GET", f"/{bucket}", 3600))
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert raw.plain("GET", presigned(s3_node, "GET", f"/{bucket}", 7800)).status == 200
    answer = raw.send("GET", f"/{bucket}")
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize(
    "name", ["x-amz-meta-a", "x-amz-copy-source", "x-amz-acl", "x-amz-checksum-crc32", "x-amz-made-up"]
)
def test_a_header_that_was_not_signed(s3_node: Node, raw: Raw, bucket: str, name: str) -> None:
    target = presigned(s3_node, "PUT", f"/{bucket}/k", 60)
    answer = raw.plain("PUT", target, {name: f"/{bucket}/other"}, b"1")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert raw.send("HEAD", f"/{bucket}/k").status == 404
    signed = presigned(s3_node, "PUT", f"/{bucket}/k", 60, {"x-amz-meta-a": "1"})
    assert raw.plain("PUT", signed, {"x-amz-meta-a": "1"}, b"1").status == 200
    assert raw.plain("PUT", signed, {"x-amz-meta-a": "2"}, b"1").code == "SignatureDoesNotMatch"
    assert raw.plain("PUT", signed, {}, b"1").status == 403


def test_a_header_that_was_not_signed_beside_a_signature(raw: Raw, bucket: str) -> None:
    signed = raw.sign("PUT", f"/{bucket}/k", {}, UNSIGNED)
    assert raw.plain("PUT", f"/{bucket}/k", signed | {"x-amz-meta-a": "1"}, b"1").status == 403


def test_nobody_and_somebody_else(s3_node: Node, raw: Raw, bucket: str) -> None:
    for method, target in (
        ("GET", "/"),
        ("GET", f"/{bucket}"),
        ("PUT", f"/{bucket}/k"),
        ("DELETE", f"/{bucket}"),
    ):
        answer = raw.plain(method, target)
        assert (answer.status, answer.code) == (403, "AccessDenied"), (method, target)
    with refused("InvalidAccessKeyId", 403):
        s3_node.client(user="nobody").list_buckets()
    with refused("SignatureDoesNotMatch", 403):
        s3_node.client(password="wrong-secret").list_buckets()


def test_version_2_is_refused(s3_node: Node, raw: Raw, bucket: str) -> None:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=s3_node.endpoint,
        aws_access_key_id=s3_node.user,
        aws_secret_access_key=s3_node.password,
        region_name=REGION,
        config=Config(signature_version="s3", retries={"total_max_attempts": 1}),
    )
    with refused("InvalidRequest", 400):
        client.list_buckets()
    url = client.generate_presigned_url("list_objects", Params={"Bucket": bucket})
    assert raw.plain("GET", target_of(url, s3_node)).status in {400, 403}


def test_another_region_and_another_service(raw: Raw, s3_node: Node, bucket: str) -> None:
    signed = raw.sign("GET", f"/{bucket}", {}, UNSIGNED)
    moved = signed | {"Authorization": signed["Authorization"].replace(f"/{REGION}/", "/eu-west-3/")}
    answer = raw.plain("GET", f"/{bucket}", moved)
    assert (answer.status, answer.code, answer.element("Region")) == (400, "AuthorizationHeaderMalformed", REGION)
    for old, new in (
        ("/s3/", "/iam/"),
        ("aws4_request", "aws3_request"),
        ("Signature=", "Sig="),
        ("SignedHeaders=host;", "SignedHeaders="),
    ):
        answer = raw.plain("GET", f"/{bucket}", signed | {"Authorization": signed["Authorization"].replace(old, new)})
        assert answer.status in {400, 403}, old
    for text in (
        "",
        "AWS4-HMAC-SHA256",
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "\xff" * 10,
        "Basic dDp0",
    ):
        assert raw.plain("GET", f"/{bucket}", {"Authorization": text}).status in {400, 403}, text


def test_a_body_that_was_not_signed(raw: Raw, bucket: str) -> None:
    answer = raw.send("PUT", f"/{bucket}/k", {}, b"abd", digest="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    answer = raw.send("PUT", f"/{bucket}/k", {}, bytes(3 << 20), digest="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert raw.send("PUT", f"/{bucket}/k", {}, b"abd", digest="made-up").status in {400, 403}
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


def test_a_date_stands_for_the_signing_date(raw: Raw) -> None:
    signed = raw.sign("GET", "/", {"Date": "of the signature"}, UNSIGNED)
    assert "X-Amz-Date" not in signed
    assert "date" in signed["Authorization"]
    assert raw.plain("GET", "/", signed).status == 200
    late = signed | {"Date": "Sat, 01 Jan 2000 00:00:00 GMT"}
    assert raw.plain("GET", "/", late).status == 403

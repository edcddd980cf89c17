"""Uploads by HTML forms: policies, what a form may ask for, and forms that are none."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.served import REGION, Node
from tests.signing import Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BOUNDARY: Final = "----form"
MIB: Final = 1 << 20
TAGGING: Final = "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"


def field(name: str, value: str | bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"


def form(fields: Mapping[str, str], content: bytes, filename: str = "a.txt") -> bytes:
    parts = [field(name, value) for name, value in fields.items()]
    return b"".join([*parts, field("file", content, filename), f"--{BOUNDARY}--\r\n".encode()])


class Poster:
    """Signs policies, and posts forms."""

    def __init__(self, node: Node, raw: Raw, bucket: str) -> None:
        self._node, self._raw, self.bucket = node, raw, bucket

    def signed(
        self,
        conditions: Iterable[Any] = (),
        fields: Mapping[str, str] | None = None,
        **changed: str,
    ) -> dict[str, str]:
        """Fields with a policy of these conditions over them; `expiration` and parts of the scope can be changed."""
        now = dt.datetime.now(dt.UTC)
        day = changed.get("day", f"{now:%Y%m%d}")
        scope = [day, changed.get("region", REGION), changed.get("service", "s3"), "aws4_request"]
        own = {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": "/".join([changed.get("user", self._node.user), *scope]),
            "x-amz-date": f"{day}T{now:%H%M%S}Z",
        }
        later = f"{now + dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        document = {
            "expiration": changed.get("expiration", later),
            "conditions": [{"bucket": self.bucket}, *[{name: value} for name, value in own.items()], *conditions],
        }
        policy = base64.b64encode(json.dumps(document).encode()).decode()
        key = f"AWS4{changed.get('password', self._node.password)}".encode()
        for step in scope:
            key = hmac.digest(key, step.encode(), hashlib.sha256)
        signature = hmac.digest(key, policy.encode(), hashlib.sha256).hex()
        return {**own, "policy": policy, "x-amz-signature": signature, **(fields or {})}

    def send(self, body: bytes, boundary: str = BOUNDARY, agent: str = "") -> Answer:
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": agent}
        return self._raw.plain("POST", f"/{self.bucket}", headers, body)

    def post(
        self, fields: Mapping[str, str], content: bytes = b"text", filename: str = "a.txt", agent: str = ""
    ) -> Answer:
        return self.send(form(fields, content, filename), agent=agent)


@pytest.fixture
def poster(s3_node: Node, raw: Raw, bucket: str) -> Poster:
    return Poster(s3_node, raw, bucket)


def content(s3: "S3Client", bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_a_form_that_boto3_presigned(s3: "S3Client", poster: Poster, bucket: str) -> None:
    post = s3.generate_presigned_post(
        bucket,
        "dir/${filename}",
        Fields={"Content-Type": "text/plain"},
        Conditions=[{"Content-Type": "text/plain"}, ["content-length-range", 1, 10]],
    )
    answer = poster.post(post["fields"], b"text", "C:\\pictures\\one é.txt")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["location"] == f"{post['url']}/dir/one%20%C3%A9.txt"
    found = s3.get_object(Bucket=bucket, Key="dir/one é.txt")
    assert (found["Body"].read(), found["ContentType"]) == (b"text", "text/plain")
    assert answer.headers["etag"] == found["ETag"]


def test_all_that_a_form_can_bring(s3: "S3Client", poster: Poster, bucket: str) -> None:
    digest = base64.b64encode(hashlib.sha256(b"text").digest()).decode()
    brought = {
        "key": "key",
        "acl": "private",
        "Cache-Control": "no-cache",
        "x-amz-meta-Colour": "grün",
        "x-amz-checksum-sha256": digest,
        "x-amz-storage-class": "STANDARD",
        "tagging": TAGGING,
        "success_action_status": "201",
    }
    conditions = [["starts-with", f"${name}", ""] for name in brought]
    answer = poster.post(poster.signed(conditions, {**brought, "X-Ignore-This": "1"}))
    assert answer.status == 201
    told = [answer.element(name) for name in ("Bucket", "Key", "ETag")]
    assert told == [bucket, "key", answer.headers["etag"].replace('"', "&quot;")]
    assert answer.headers["x-amz-checksum-sha256"] == digest
    found = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (found["CacheControl"], found["ChecksumSHA256"]) == ("no-cache", digest)
    assert list(found["Metadata"]) == ["colour"]
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == [{"Key": "a", "Value": "b c"}]


def test_a_redirect(poster: Poster, bucket: str) -> None:
    page = "http://page.example/done"
    conditions = [{"key": "a b"}, ["eq", "$success_action_redirect", page]]
    answer = poster.post(poster.signed(conditions, {"key": "a b", "success_action_redirect": page}))
    etag = hashlib.md5(b"text", usedforsecurity=False).hexdigest()
    assert answer.status == 303
    assert answer.headers["location"] == f"{page}?bucket={bucket}&key=a%20b&etag=%22{etag}%22"


def test_versions_are_told(s3: "S3Client", poster: Poster, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    fields = poster.signed([{"key": "key"}], {"key": "key"})
    versions = {poster.post(fields, text).headers["x-amz-version-id"] for text in (b"one", b"two")}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("conditions", "fields", "message"),
    [
        ([{"key": "other"}], {}, 'Policy Condition failed: ["eq", "$key", "other"]'),
        ([["starts-with", "$key", "dir/"]], {}, 'Policy Condition failed: ["starts-with", "$key", "dir/"]'),
        ([{"key": "key"}], {"x-amz-meta-a": "b"}, "Extra input fields: x-amz-meta-a"),
        ([{"key": "key"}], {"acl": "public-read"}, "Extra input fields: acl"),
        ([], {}, "Extra input fields: key"),
        ([{"key": "key"}, {"bucket": "other"}], {}, 'Policy Condition failed: ["eq", "$bucket", "other"]'),
        ([{"key": "key"}, {"acl": "private"}], {}, 'Policy Condition failed: ["eq", "$acl", "private"]'),
    ],
)
def test_what_a_policy_does_not_allow(
    s3: "S3Client", poster: Poster, conditions: list[Any], fields: dict[str, str], message: str
) -> None:
    answer = poster.post(poster.signed(conditions, {"key": "key", **fields}))
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert answer.element("Message") == f"Invalid according to Policy: {message}".replace('"', "&quot;")
    assert "Contents" not in s3.list_objects_v2(Bucket=poster.bucket)


def test_an_expired_policy(poster: Poster) -> None:
    fields = poster.signed([{"key": "key"}], {"key": "key"}, expiration="2026-01-01T00:00:00Z")
    answer = poster.post(fields)
    assert (answer.status, answer.element("Message")) == (403, "Invalid according to Policy: Policy expired.")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"password": "guessed"}, 403, "SignatureDoesNotMatch"),
        ({"user": "nobody"}, 403, "InvalidAccessKeyId"),
        ({"region": "eu-west-1"}, 400, "AuthorizationHeaderMalformed"),
        ({"service": "iam"}, 400, "AuthorizationHeaderMalformed"),
        ({"day": "20200101"}, 403, "AccessDenied"),
        ({"day": "20990101"}, 403, "RequestTimeTooSkewed"),
        ({"expiration": "tomorrow"}, 400, "InvalidPolicyDocument"),
    ],
)
def test_signatures(poster: Poster, changed: dict[str, str], status: int, code: str) -> None:
    answer = poster.post(poster.signed([{"key": "key"}], {"key": "key"}, **changed))
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    "name", ["x-amz-signature", "x-amz-date", "x-amz-credential", "x-amz-algorithm", "policy", "key"]
)
def test_fields_that_must_be_there(poster: Poster, name: str) -> None:
    fields = poster.signed([{"key": "key"}], {"key": "key"})
    del fields[name]
    answer = poster.post(fields)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    message = answer.element("Message").lower()
    assert message.startswith(f"bucket post must contain a field named '{name}'.")


def test_version_2_signatures_and_tokens_are_refused(poster: Poster) -> None:
    old = {"key": "key", "AWSAccessKeyId": "a", "policy": "e30=", "signature": "a"}
    assert poster.post(old).code == "InvalidRequest"
    token = {"key": "key", "x-amz-security-token": "a"}
    assert poster.post(poster.signed([{"key": "key"}], token)).code == "InvalidToken"


def test_sizes(s3: "S3Client", poster: Poster) -> None:
    fields = poster.signed([{"key": "key"}, ["content-length-range", 2, 4]], {"key": "key"})
    assert poster.post(fields, b"1").code == "EntityTooSmall"
    assert poster.post(fields, b"12345").code == "EntityTooLarge"
    assert poster.post(fields, b"x" * MIB).code == "EntityTooLarge"
    with pytest.raises(ClientError):
        s3.head_object(Bucket=poster.bucket, Key="key")
    for text in (b"12", b"1234"):
        assert poster.post(fields, text).status == 204
        assert content(s3, poster.bucket, "key") == text


def test_checksums(s3: "S3Client", poster: Poster) -> None:
    conditions = [{"key": "key"}, ["starts-with", "$x-amz-checksum-crc32", ""], ["starts-with", "$content-md5", ""]]
    wrong = base64.b64encode(bytes(4)).decode()
    answer = poster.post(poster.signed(conditions, {"key": "key", "x-amz-checksum-crc32": wrong}))
    assert (answer.status, answer.code) == (400, "BadDigest")
    answer = poster.post(poster.signed(conditions, {"key": "key", "x-amz-checksum-crc32": "sailor"}))
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    assert poster.post(poster.signed(conditions, {"key": "key", "Content-MD5": md5})).code == "BadDigest"
    with pytest.raises(ClientError):
        s3.head_object(Bucket=poster.bucket, Key="key")


def test_fields_that_are_refused(poster: Poster) -> None:
    twice = field("key", "one") + form({"key": "two"}, b"text")
    assert poster.send(twice).code == "InvalidArgument"
    assert poster.post({"key": "k", "x-amz-meta-a": "x" * (20 << 10)}).code == "MaxPostPreDataLengthExceededError"
    assert poster.send(field("key", b"\xff") + form({}, b"")).code == "InvalidArgument"
    allow = [["starts-with", "$key", ""], ["starts-with", "$tagging", ""]]
    assert poster.post(poster.signed(allow, {"key": ""})).code == "InvalidArgument"
    assert poster.post(poster.signed(allow, {"key": "k" * 1025})).code == "KeyTooLongError"
    assert poster.post(poster.signed(allow, {"key": "k", "tagging": "<Tagging>"})).code == "MalformedXML"
    closed = field("key", "k") + f"--{BOUNDARY}--\r\n".encode()
    assert poster.send(closed).element("Message") == "POST requires exactly one file upload per request."


def test_bodies_that_are_no_forms(s3: "S3Client", poster: Poster) -> None:
    whole = form(poster.signed([{"key": "key"}], {"key": "key"}), b"text")
    end = f"--{BOUNDARY}--\r\n".encode()
    cut = whole.removesuffix(end)
    two = cut + field("file", "more", "b.txt") + end
    endless = cut + field("rest", b"x" * MIB) + end
    for body in (
        cut,
        cut.removesuffix(b"\r\n"),
        two,
        endless,
        b"",
        b"text",
        whole.replace(b"form-data", b"attachment"),
    ):
        answer = poster.send(body)
        assert (answer.status, answer.code) == (400, "MalformedPOSTRequest")
    assert poster.send(whole, "other").code == "MalformedPOSTRequest"
    assert poster.send(whole, "").code == "MalformedPOSTRequest"
    with pytest.raises(ClientError):
        s3.head_object(Bucket=poster.bucket, Key="key")
    assert poster.send(cut + field("submit", "Upload") + end + b"epilogue").status == 204
    assert content(s3, poster.bucket, "key") == b"text"


def test_a_file_that_looks_like_a_form(s3: "S3Client", poster: Poster) -> None:
    text = f"\r\n--{BOUNDARY[:-1]}\r\n--\r\n\r\r\n-".encode() * 50_000
    assert poster.post(poster.signed([{"key": "key"}], {"key": "key"}), text).status == 204
    assert content(s3, poster.bucket, "key") == text


def test_a_bucket_that_is_not_there(s3_node: Node, raw: Raw) -> None:
    poster = Poster(s3_node, raw, "no-such-bucket")
    answer = poster.post(poster.signed([{"key": "key"}], {"key": "key"}))
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def peak(node: Node) -> int:
    """The most memory that the node has held, in bytes."""
    status = Path(f"/proc/{node.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def stream(node: Node, bucket: str, fields: Mapping[str, str], size: int) -> bytes:
    """Send a form with a file of that size piece by piece, and answer with what came back, perhaps before its end."""
    head, tail = form(fields, b"\0").split(b"\0")
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    length = f"Content-Length: {len(head) + size + len(tail)}"
    with socket.create_connection(node.address(), timeout=60) as connection:
        lines = f"POST /{bucket} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}\r\n{length}\r\n\r\n"
        try:
            connection.sendall(lines.encode() + head)
            for _ in range(size // MIB):
                connection.sendall(b"\r" * MIB)
            connection.sendall(tail)
        except ConnectionError:
            pass
        return connection.recv(1 << 16)


def test_a_large_form_takes_no_memory(s3_node: Node, s3: "S3Client", poster: Poster, bucket: str) -> None:
    fields = poster.signed([{"key": "key"}], {"key": "key"})
    assert stream(s3_node, bucket, fields, 16 * MIB).startswith(b"HTTP/1.1 204")
    before = peak(s3_node)
    assert stream(s3_node, bucket, fields, 600 * MIB).startswith(b"HTTP/1.1 204")
    assert s3.head_object(Bucket=bucket, Key="key")["ContentLength"] == 600 * MIB
    assert peak(s3_node) - before < 64 * MIB
    s3.delete_object(Bucket=bucket, Key="key")


def test_a_large_anonymous_form_is_refused_before_its_file(s3_node: Node, bucket: str) -> None:
    before = peak(s3_node)
    assert b"403 Forbidden" in stream(s3_node, bucket, {"key": "key"}, 600 * MIB)
    assert peak(s3_node) - before < 16 * MIB


def test_policies_tell_forms_apart(s3: "S3Client", poster: Poster, bucket: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:authType": "POST"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with pytest.raises(ClientError, match="explicit deny"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"text")
    assert poster.post(poster.signed([{"key": "key"}], {"key": "key"})).status == 204


def test_a_form_that_anybody_may_send(s3: "S3Client", poster: Poster, bucket: str) -> None:
    assert poster.post({"key": "open/a"}).code == "AccessDenied"
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:PutObjectTagging"],
        "Resource": f"arn:aws:s3:::{bucket}/open/*",
        "Condition": {"StringEquals": {"s3:RequestObjectTag/a": "b c"}, "StringLike": {"aws:UserAgent": "page*"}},
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    tagged = {"key": "open/${filename}", "tagging": TAGGING}
    assert poster.post(tagged).code == "AccessDenied"
    assert poster.post(tagged, agent="page 1").status == 204
    assert content(s3, bucket, "open/a.txt") == b"text"
    assert poster.post({**tagged, "key": "shut/a"}, agent="page 1").code == "AccessDenied"
    assert poster.post({"key": "open/b"}, agent="page 1").code == "AccessDenied"

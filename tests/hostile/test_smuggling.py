"""Requests that two readers would take for two things: each is refused, or is what its signature says, to the byte."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from tests.hostile.socket_client import converse, status
from tests.served import Node
from tests.signing import UNSIGNED, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TARGET: Final = "/target/smuggled"
BODY: Final = b"abc"


@pytest.fixture
def s3(hostile: Node) -> Iterator["S3Client"]:
    """Whatever a test leaves is taken away."""
    client = hostile.client()
    yield client
    for bucket in [entry["Name"] for entry in client.list_buckets()["Buckets"]]:
        for entry in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])


def signed(node: Node, method: str, target: str, headers: dict[str, str]) -> list[str]:
    host, port = node.address()
    fields = Raw(node).sign(method, target, headers, UNSIGNED) | {"host": f"{host}:{port}"}
    return [f"{name}: {value}" for name, value in fields.items()]


def send(node: Node, method: str, target: str, lines: list[str], body: bytes = b"") -> bytes:
    text = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "connection: close", "", ""])
    return converse(node, text.encode("latin-1") + body)


def put(node: Node, headers: dict[str, str], extra: list[str], body: bytes = BODY) -> bytes:
    """A PUT of `body` with lines behind those that are signed."""
    length = [f"content-length: {len(body)}"] if not any("content-length" in line.lower() for line in extra) else []
    return send(node, "PUT", TARGET, [*signed(node, "PUT", TARGET, headers), *length, *extra], body)


def code(answer: bytes) -> str:
    return answer.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def keys(s3: "S3Client", bucket: str = "target") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_as_it_should_be(hostile: Node, s3: "S3Client") -> None:
    assert status(put(hostile, {"x-amz-meta-a": "1"}, [])) == 200
    assert keys(s3) == ["smuggled"]


@pytest.mark.parametrize(
    "lines",
    [
        ["content-length: 3", "content-length: 4"],
        ["content-length: 4", "content-length: 3"],
        ["content-length: 3, 4"],
        ["content-length: 3", "transfer-encoding: chunked"],
        ["transfer-encoding: chunked", "content-length: 3"],
        ["content-length: 3", "transfer-encoding: identity"],
        ["content-length: 3", "transfer-encoding: chunked, identity"],
        ["content-length: 3", "transfer-encoding:\x0bchunked"],
        ["content-length : 3"],
        ["content-length\t: 3"],
        ["content-length: 3", "x-amz-acl : public-read"],
        ["content-length: 3", "x-amz-meta-a: 1", " folded"],
        ["content-length: 3", "x-amz-meta-a: 1\r\n\tfolded"],
        ["content-length: 3", "x-\x00: 1"],
        ["content-length: 3", "x-a: \x00"],
        ["content-length: 3", ": nameless"],
        ["content-length: 3", "without a colon"],
        ["content-length: +3"],
    ],
)
def test_lengths_and_lines_of_two_readings(hostile: Node, s3: "S3Client", lines: list[str]) -> None:
    for body in (BODY, b"3\r\nabc\r\n0\r\n\r\n"):
        answer = put(hostile, {}, lines, body)
        assert status(answer) in {0, 400, 411}, answer[:400]
        assert answer.count(b"HTTP/1.1 ") <= 1, "what stood behind was taken for a request"
    assert keys(s3) == []


def test_a_request_behind_a_body_is_none_where_the_length_is_disputed(hostile: Node, s3: "S3Client") -> None:
    inner = "\r\n".join(["PUT /target/inner HTTP/1.1", *signed(hostile, "PUT", "/target/inner", {}), "", ""])
    both = ["content-length: 0", "transfer-encoding: chunked"]
    for lines in (both, both[::-1]):
        head = [*signed(hostile, "PUT", TARGET, {}), *lines]
        text = "\r\n".join([f"PUT {TARGET} HTTP/1.1", *head, "", ""]) + "0\r\n\r\n" + inner
        answer = converse(hostile, text.encode())
        assert status(answer) in {400, 411}
        assert answer.count(b"HTTP/1.1 ") == 1
    assert keys(s3) == []


@pytest.mark.parametrize(
    "line",
    [
        "host: target.s3.test",
        "authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host",
        "authorization: Bearer x",
        "x-amz-date: 20260101T000000Z",
        "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        "content-md5: kAFQmDzST7DWlj99KOF/cg==",
        "content-type: text/html",
        "if-match: *",
    ],
)
def test_a_header_that_is_there_twice(hostile: Node, s3: "S3Client", line: str) -> None:
    """What is signed alone, and what any header says, has one value."""
    name, _, value = line.partition(": ")
    lines = signed(hostile, "PUT", TARGET, {} if name.startswith(("auth", "host", "x-amz")) else {name: value})
    for both in ([*lines, line], [line, *lines]):
        answer = send(hostile, "PUT", TARGET, [*both, "content-length: 3"], BODY)
        assert (status(answer), code(answer)) == (400, "InvalidRequest")
    assert keys(s3) == []


@pytest.mark.parametrize(
    "name",
    ["x-amz-acl", "x-amz-tagging", "x-amz-storage-class", "x-amz-copy-source", "x-amz-security-token", "range"],
)
def test_one_signed_value_is_not_taken_apart(hostile: Node, s3: "S3Client", name: str) -> None:
    """`a,b` and the two headers `a` and `b` are signed alike; they aren't the same request."""
    lines = signed(hostile, "PUT", TARGET, {name: "one,two"})
    apart = [line for line in lines if not line.lower().startswith(name)] + [f"{name}: one", f"{name}: two"]
    answer = send(hostile, "PUT", TARGET, [*apart, "content-length: 3"], BODY)
    assert (status(answer), code(answer)) == (400, "InvalidRequest")
    assert keys(s3) == []


def test_metadata_of_several_lines_is_one_value(hostile: Node, s3: "S3Client") -> None:
    """As on AWS, which joins them; they are signed so, too."""
    lines = signed(hostile, "PUT", TARGET, {"x-amz-meta-a": "one,two"})
    apart = [line for line in lines if "x-amz-meta-a:" not in line] + ["x-amz-meta-a: one", "x-amz-meta-a: two"]
    assert status(send(hostile, "PUT", TARGET, [*apart, "content-length: 3"], BODY)) == 200
    assert s3.head_object(Bucket="target", Key="smuggled")["Metadata"] == {"a": "one,two"}


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "list-type=2&prefix=mine/&prefix=yours/"),
        ("GET", "list-type=2&list-type=1"),
        ("GET", "prefix=a&%70refix=b"),
        ("GET", "versions&versions"),
        ("PUT", "tagging&tagging="),
        ("DELETE", "policy&policy"),
    ],
)
def test_a_parameter_that_is_there_twice(hostile: Node, method: str, query: str) -> None:
    target = f"/target?{query}"
    answer = send(hostile, method, target, signed(hostile, method, target, {}))
    assert (status(answer), code(answer)) == (400, "InvalidArgument")


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
def test_two_versions_are_none(hostile: Node, s3: "S3Client", method: str) -> None:
    s3.put_object(Bucket="target", Key="k", Body=b"kept")
    target = "/target/k?versionId=null&versionId=zz"
    assert status(send(hostile, method, target, signed(hostile, method, target, {}))) == 400
    assert s3.get_object(Bucket="target", Key="k")["Body"].read() == b"kept"


def test_the_query_of_a_presigned_request_twice(hostile: Node, s3: "S3Client") -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "target", "Key": "k"}, ExpiresIn=60)
    target = url.removeprefix(hostile.endpoint)
    host, port = hostile.address()
    for name in ("X-Amz-Signature", "X-Amz-Expires", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Date"):
        value = target.partition(f"{name}=")[2].partition("&")[0]
        answer = send(hostile, "PUT", f"{target}&{name}={value}", [f"host: {host}:{port}", "content-length: 0"])
        assert (status(answer), code(answer)) == (400, "InvalidArgument"), name
    assert keys(s3) == []


LITERAL: Final = [
    ("/target/../other/k", "../other/k"),
    ("/target/%2e%2e/other/k", "../other/k"),
    ("/target/a/./b", "a/./b"),
    ("/target//k", "/k"),
    ("/target///", "//"),
    ("/target/a//b", "a//b"),
    ("/target/a%2Fb", "a/b"),
    ("/target/%2F%2e%2e%2F", "/../"),
    ("/target/..", ".."),
    ("/target/a\\..\\b", "a\\..\\b"),
    ("/target/%252e%252e/k", "%2e%2e/k"),
    ("/target/a;b=c", "a;b=c"),
    ("/target/a%3Fversions", "a?versions"),
    ("/target/a%23b", "a#b"),
    ("/target/a+b", "a+b"),
]
"""Paths, and the key that each names: nothing in a path is more than its text."""


@pytest.mark.parametrize(("target", "key"), LITERAL)
def test_a_path_is_taken_as_it_is(hostile: Node, s3: "S3Client", target: str, key: str) -> None:
    s3.create_bucket(Bucket="other")
    s3.put_object(Bucket="other", Key="k", Body=b"kept")
    answer = send(hostile, "PUT", target, [*signed(hostile, "PUT", target, {}), "content-length: 3"], BODY)
    assert status(answer) in {200, 403}, answer
    # The tests' client signs some paths in a form of its own, which is no path that was sent.
    if status(answer) == 403:
        assert code(answer) == "SignatureDoesNotMatch"
        s3.put_object(Bucket="target", Key=key, Body=BODY)
    assert keys(s3) == [key]
    assert s3.get_object(Bucket="target", Key=key)["Body"].read() == BODY
    assert s3.get_object(Bucket="other", Key="k")["Body"].read() == b"kept"
    s3.delete_object(Bucket="other", Key="k")


@pytest.mark.parametrize(
    ("target", "codes"),
    [
        ("/../target/k", {"InvalidBucketName"}),
        ("/%2e%2e/target/k", {"InvalidBucketName"}),
        ("/./target/k", {"InvalidBucketName"}),
        ("//target/k", {"InvalidBucketName", "InvalidURI", "SignatureDoesNotMatch"}),
        ("/%00/k", {"InvalidBucketName"}),
        ("/target%00/k", {"InvalidBucketName"}),
        ("/Target/k", {"InvalidBucketName", "NoSuchBucket"}),
        ("/target%20/k", {"InvalidBucketName"}),
        ("/target/%ff", {"InvalidURI"}),
        ("/target/%c0%ae%c0%ae/k", {"InvalidURI"}),
        ("/target/%ed%a0%80", {"InvalidURI"}),
    ],
)
def test_a_path_that_names_nothing(hostile: Node, s3: "S3Client", target: str, codes: set[str]) -> None:
    answer = send(hostile, "PUT", target, [*signed(hostile, "PUT", target, {}), "content-length: 3"], BODY)
    assert status(answer) in {400, 403, 404}
    assert code(answer) in codes, answer
    assert keys(s3) == []


@pytest.mark.parametrize("target", ["/target/\x00", "/target/a b", "/target/\x7f", "target/k", "/target/k\x0bx", "*"])
def test_a_target_that_is_none(hostile: Node, s3: "S3Client", target: str) -> None:
    answer = send(hostile, "PUT", target, [*signed(hostile, "PUT", TARGET, {}), "content-length: 3"], BODY)
    assert status(answer) in {0, 400, 403, 501}, answer[:300]
    assert keys(s3) == []


def test_a_uri_with_a_host_of_its_own(hostile: Node, s3: "S3Client") -> None:
    """A proxy's form of a request is what its `Host` and its signature say, or nothing."""
    host, port = hostile.address()
    lines = [*signed(hostile, "PUT", TARGET, {}), "content-length: 3"]
    assert status(send(hostile, "PUT", f"http://{host}:{port}{TARGET}", lines, BODY)) == 200
    s3.delete_object(Bucket="target", Key="smuggled")
    for other in ("other.example", f"{host}:1", f"user@{host}:{port}"):
        answer = send(hostile, "PUT", f"http://{other}{TARGET}", lines, BODY)
        assert status(answer) == 400, (other, answer[:300])
    assert keys(s3) == []


def test_a_key_that_holds_a_nul_is_a_key(hostile: Node, s3: "S3Client") -> None:
    target = "/target/a%00b"
    answer = send(hostile, "PUT", target, [*signed(hostile, "PUT", target, {}), "content-length: 3"], BODY)
    assert status(answer) == 200
    assert status(send(hostile, "GET", "/target/a", signed(hostile, "GET", "/target/a", {}))) == 404
    assert BODY in send(hostile, "GET", target, signed(hostile, "GET", target, {}))
    assert status(send(hostile, "DELETE", target, signed(hostile, "DELETE", target, {}))) == 204

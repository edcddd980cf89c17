"""What isn't served says so, in words that clients read; and the two styles of naming a bucket."""

from typing import TYPE_CHECKING, Final

import pytest

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET_PARTS: Final = [
    "acl",
    "policy",
    "policyStatus",
    "website",
    "abac",
    "metadataTable",
    "metadataConfiguration",
    "session",
]
OBJECT_PARTS: Final = [
    "acl",
    "restore",
    "select",
    "torrent",
    "renameObject",
    "annotation",
]

SERVED: Final = {
    ("GET", "acl"),
    ("PUT", "acl"),
    ("GET", "policy"),
    ("PUT", "policy"),
    ("DELETE", "policy"),
    ("GET", "policyStatus"),
    ("PUT", "renameObject"),
}
"""What the tests of these parts are for."""


def unserved(parts: list[str]) -> list[tuple[str, str]]:
    methods = ("GET", "PUT", "DELETE", "POST", "HEAD")
    return [(method, part) for part in parts for method in methods if (method, part) not in SERVED]


@pytest.mark.parametrize(("method", "part"), unserved(BUCKET_PARTS))
def test_parts_of_a_bucket(raw: Raw, s3: "S3Client", bucket: str, part: str, method: str) -> None:
    answer = raw.send(method, f"/{bucket}?{part}", {}, b"")
    assert answer.status == 501
    assert method == "HEAD" or answer.code == "NotImplemented"
    s3.head_bucket(Bucket=bucket)


@pytest.mark.parametrize(("method", "part"), unserved(OBJECT_PARTS))
def test_parts_of_an_object(raw: Raw, s3: "S3Client", bucket: str, part: str, method: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    answer = raw.send(method, f"/{bucket}/k?{part}", {}, b"")
    assert answer.status == 501
    assert method == "HEAD" or answer.code == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "?uploads"),
        ("DELETE", "?location"),
        ("PUT", "?delete"),
        ("DELETE", "?list-type=2"),
        ("DELETE", "?versioning"),
        ("DELETE", "?object-lock"),
        ("DELETE", "?versions"),
        ("PUT", "?versions"),
        ("DELETE", "?logging"),
        ("DELETE", "?notification"),
        ("DELETE", "?accelerate"),
        ("DELETE", "?requestPayment"),
        ("DELETE", "?cors&versioning"),
        ("DELETE", "?retention"),
        ("POST", "?cors"),
        ("DELETE", "/k?retention"),
        ("DELETE", "/k?legal-hold"),
        ("DELETE", "/k?cors"),
        ("POST", "/k?tagging"),
        ("PUT", "/k?tagging&retention"),
        ("PUT", "?uploads"),
        ("DELETE", "/k?uploads"),
        ("DELETE", "/k?attributes"),
        ("PUT", "/k?uploads"),
        ("PUT", "/k?delete"),
        ("POST", "/k"),
    ],
)
def test_a_part_where_it_has_no_verb_runs_no_other(
    raw: Raw, s3: "S3Client", bucket: str, method: str, target: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    answer = raw.send(method, f"/{bucket}{target}", {}, b"")
    assert answer.status in {400, 405, 501}
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_a_form_for_an_object_is_refused(raw: Raw, bucket: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b--\r\n'
    answer = raw.plain("POST", f"/{bucket}/key", {"content-type": "multipart/form-data; boundary=b"}, body)
    assert answer.status in {403, 501}


def test_an_error_names_its_request(raw: Raw, bucket: str) -> None:
    answer = raw.send("GET", f"/{bucket}/a%20%3Cb%3E")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/xml"
    assert answer.code == "NoSuchKey"
    assert answer.element("Message") == "The specified key does not exist."
    assert answer.element("RequestId") == answer.headers["x-amz-request-id"]
    assert answer.element("HostId") == answer.headers["x-amz-id-2"]
    assert (
        answer.element("Resource") == f"/{bucket}/a%20%3Cb%3E" or answer.element("Resource") == f"/{bucket}/a &lt;b&gt;"
    )
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error>')


def test_a_head_has_no_document(raw: Raw, bucket: str) -> None:
    answer = raw.send("HEAD", f"/{bucket}/absent")
    assert (answer.status, answer.body) == (404, b"")


def test_every_answer_has_an_id_of_its_own(raw: Raw, bucket: str) -> None:
    ids = {raw.send("GET", f"/{bucket}").headers["x-amz-request-id"] for _ in range(20)}
    ids |= {raw.plain("GET", "/").headers["x-amz-request-id"] for _ in range(20)}
    assert len(ids) == 40


def test_the_host_may_name_the_bucket(raw: Raw, s3: "S3Client", bucket: str) -> None:
    host = {"host": f"{bucket}.s3.test"}
    assert raw.send("PUT", "/a/k", host, b"1").status == 200
    assert s3.get_object(Bucket=bucket, Key="a/k")["Body"].read() == b"1"
    assert raw.send("GET", "/a/k", host).body == b"1"
    assert raw.send("GET", "/a/k", {"host": f"{bucket}.s3.test:9000"}).body == b"1"
    assert raw.send("GET", "/a/k", {"host": f"{bucket.upper()}.S3.TEST"}).status in {200, 404}
    assert raw.send("GET", "/?list-type=2", host).element("Key") == "a/k"
    assert raw.send("GET", f"/{bucket}/a/k", {"host": "s3.test"}).body == b"1"
    assert raw.send("GET", f"/{bucket}/a/k", {"host": "unknown.example"}).body == b"1"
    assert raw.send("PUT", "/", {"host": "hosted.s3.test"}, b"").status == 200
    assert "hosted" in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]


def test_health_and_metrics_shadow_no_bucket(raw: Raw) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert raw.plain("GET", path).status == 404


@pytest.mark.parametrize("size", [300, 300_000])
def test_a_refused_body_ends_its_connection(raw: Raw, bucket: str, size: int) -> None:
    """By the front or by the verb: else the client's next request would go into a socket that closes."""
    by_the_front = raw.send("PUT", f"/{bucket}/k", {"x-amz-write-offset-bytes": "no number"}, bytes(size))
    by_the_verb = raw.send("PUT", "/absent-bucket/k", {}, bytes(size))
    for answer in (by_the_front, by_the_verb):
        assert answer.status >= 400
        assert answer.headers["connection"] == "close"
    assert "connection" not in raw.send("GET", "/absent-bucket/k").headers
    assert "connection" not in raw.send("PUT", f"/{bucket}/k", {}, bytes(size)).headers

"""What error documents say beside code and message: what isn't there, what was too large, what was signed."""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import pytest

from tests.served import REGION, Node
from tests.signing import UNSIGNED, Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB: Final = 1 << 20


def details(answer: Answer, *names: str) -> tuple[str, ...]:
    assert not any(name.startswith("packstone-") for name in answer.headers), answer.headers
    return (answer.code, *(answer.element(name) for name in names))


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "", "NoSuchBucket"),
        ("PUT", "/k", "NoSuchBucket"),
        ("DELETE", "", "NoSuchBucket"),
        ("GET", "?tagging", "NoSuchBucket"),
    ],
)
def test_a_bucket_that_is_not_there(raw: Raw, method: str, target: str, code: str) -> None:
    assert details(raw.send(method, f"/no-such-bucket{target}"), "BucketName") == (code, "no-such-bucket")


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("tagging", "NoSuchTagSet"),
        ("cors", "NoSuchCORSConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ],
)
def test_what_a_bucket_does_not_have(raw: Raw, bucket: str, part: str, code: str) -> None:
    assert details(raw.send("GET", f"/{bucket}?{part}"), "BucketName") == (code, bucket)


def test_a_bucket_that_is_there(raw: Raw, bucket: str) -> None:
    raw.send("PUT", f"/{bucket}/k", {}, b"1")
    assert details(raw.send("DELETE", f"/{bucket}"), "BucketName") == ("BucketNotEmpty", bucket)
    locked = raw.send("PUT", f"/{bucket}", {"x-amz-bucket-object-lock-enabled": "true"})
    assert details(locked, "BucketName") == ("BucketAlreadyOwnedByYou", bucket)


def test_what_is_missing_of_a_bucket_that_the_host_names(raw: Raw, bucket: str) -> None:
    answer = raw.send("GET", "/a%20key", {"host": f"{bucket}.s3.test"})
    assert details(answer, "Key", "Resource") == ("NoSuchKey", "a key", "/a%20key")


def test_a_key_and_a_version(raw: Raw, s3: "S3Client", bucket: str) -> None:
    assert details(raw.send("GET", f"/{bucket}/a%26b/%C3%BC"), "Key") == ("NoSuchKey", "a&amp;b/ü")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = s3.put_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=made)
    answer = raw.send("GET", f"/{bucket}/k?versionId={made}")
    assert details(answer, "Key", "VersionId") == ("NoSuchVersion", "k", made)
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    answer = raw.send("GET", f"/{bucket}/k?versionId={marker}")
    assert details(answer, "Method", "ResourceType") == ("MethodNotAllowed", "GET", "DeleteMarker")
    answer = raw.send("GET", f"/{bucket}/k?versionId=rubbish")
    assert details(answer, "ArgumentName", "ArgumentValue") == ("InvalidArgument", "versionId", "rubbish")


def test_the_source_of_a_copy_is_what_is_missing(raw: Raw, bucket: str) -> None:
    source = {"x-amz-copy-source": f"{bucket}/gone"}
    assert details(raw.send("PUT", f"/{bucket}/target", source), "Key") == ("NoSuchKey", "gone")
    source = {"x-amz-copy-source": "no-such-bucket/k"}
    assert details(raw.send("PUT", f"/{bucket}/target", source), "BucketName") == ("NoSuchBucket", "no-such-bucket")


def test_an_upload_and_its_parts(raw: Raw, s3: "S3Client", bucket: str) -> None:
    target = f"/{bucket}/k?uploadId={'0' * 32}"
    assert details(raw.send("GET", target), "UploadId") == ("NoSuchUpload", "0" * 32)

    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    tags = [s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]

    def complete(*parts: tuple[int, str]) -> Answer:
        entries = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in parts)
        document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
        return raw.send("POST", f"/{bucket}/k?uploadId={upload}", {}, document)

    small = details(complete((1, tags[0]), (2, tags[1])), "ProposedSize", "MinSizeAllowed", "PartNumber")
    assert small == ("EntityTooSmall", "1", str(5 * MIB), "1")
    wrong = details(complete((3, "beef")), "UploadId", "PartNumber", "ETag")
    assert wrong == ("InvalidPart", upload, "3", "beef")


def test_conditions(raw: Raw, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    past = "Thu, 01 Jan 2015 00:00:00 GMT"
    for method, header, value, condition in [
        ("GET", "if-match", '"beef"', "If-Match"),
        ("GET", "if-unmodified-since", past, "If-Unmodified-Since"),
        ("PUT", "if-none-match", "*", "If-None-Match"),
        ("PUT", "if-match", '"beef"', "If-Match"),
        ("DELETE", "if-match", '"beef"', "If-Match"),
    ]:
        answer = raw.send(method, f"/{bucket}/k", {header: value})
        assert details(answer, "Condition") == ("PreconditionFailed", condition)
    source = {"x-amz-copy-source": f"{bucket}/k", "x-amz-copy-source-if-none-match": "*"}
    copied = raw.send("PUT", f"/{bucket}/copy", source)
    assert details(copied, "Condition") == ("PreconditionFailed", "x-amz-copy-source-If-None-Match")


def test_ranges(raw: Raw, bucket: str) -> None:
    raw.send("PUT", f"/{bucket}/k", {}, b"12345")
    answer = raw.send("GET", f"/{bucket}/k", {"range": "bytes=9-"})
    assert details(answer, "RangeRequested", "ActualObjectSize") == ("InvalidRange", "bytes=9-", "5")
    assert answer.headers["content-range"] == "bytes */5"
    assert answer.headers["content-type"] == "application/xml"
    answer = raw.send("GET", f"/{bucket}/k?partNumber=7")
    assert details(answer, "PartNumberRequested", "ActualPartCount") == ("InvalidPartNumber", "7", "1")


@pytest.mark.parametrize(
    ("method", "target", "headers", "name", "value"),
    [
        ("GET", "?max-keys=-1", {}, "maxKeys", "-1"),
        ("GET", "?list-type=2&continuation-token=%3F", {}, "continuation-token", "?"),
        ("GET", "?versions&version-id-marker=x", {}, "version-id-marker", "x"),
        ("GET", "?list-type=3", {}, "list-type", "3"),
        ("GET", "?encoding-type=morse", {}, "encoding-type", "morse"),
        ("PUT", "/k", {"x-amz-acl": "odd"}, "x-amz-acl", "odd"),
        ("PUT", "/k", {"x-amz-copy-source": "nothing"}, "x-amz-copy-source", "nothing"),
        ("PUT", "/k", {"x-amz-tagging": "a=1&a=2"}, "x-amz-tagging", "a=1&amp;a=2"),
    ],
)
def test_arguments(
    raw: Raw, bucket: str, method: str, target: str, headers: dict[str, str], name: str, value: str
) -> None:
    answer = raw.send(method, f"/{bucket}{target}", headers)
    assert details(answer, "ArgumentName", "ArgumentValue") == ("InvalidArgument", name, value)


def test_digests(raw: Raw, bucket: str) -> None:
    wrong, right = (
        base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() for body in (b"2", b"1")
    )
    answer = raw.send("PUT", f"/{bucket}/k", {"content-md5": wrong}, b"1")
    assert details(answer, "ExpectedDigest", "CalculatedDigest") == ("BadDigest", wrong, right)
    answer = raw.send("PUT", f"/{bucket}/k", {"content-md5": "short"}, b"1")
    assert details(answer, "Content-MD5") == ("InvalidDigest", "short")
    announced = hashlib.sha256(b"2").hexdigest()
    answer = raw.send("PUT", f"/{bucket}/k", {}, b"1", announced)
    assert details(answer, "ClientComputedContentSHA256") == ("XAmzContentSHA256Mismatch", announced)
    answer = raw.send("PUT", f"/{bucket}?tagging", {}, b"<Tagging/>", announced)
    computed = hashlib.sha256(b"<Tagging/>").hexdigest()
    assert details(answer, "S3ComputedContentSHA256") == ("XAmzContentSHA256Mismatch", computed)


def test_sizes(raw: Raw, bucket: str) -> None:
    answer = raw.send("PUT", f"/{bucket}/{'k' * 1025}", {}, b"1")
    assert details(answer, "Size", "MaxSizeAllowed") == ("KeyTooLongError", "1025", "1024")
    answer = raw.send("PUT", f"/{bucket}/k", {"x-amz-meta-m": "v" * 3000})
    assert details(answer, "Size", "MaxSizeAllowed") == ("MetadataTooLarge", "3001", "2048")
    answer = raw.send("PUT", f"/{bucket}/k", {"x-amz-storage-class": "ATTIC"})
    assert details(answer, "StorageClassRequested") == ("InvalidStorageClass", "ATTIC")
    answer = raw.send("DELETE", f"/{bucket}/k", {"x-amz-mfa": "1 2"})
    assert details(answer, "Header") == ("NotImplemented", "x-amz-mfa")


def signature(secret: str, text: str, date: str) -> str:
    key = f"AWS4{secret}".encode()
    for step in (date, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize("target", ["/k", "/a%20b/%C3%BC?tagging&versionId=null", "/k?x=%2F&b=2&a=1&empty"])
def test_a_wrong_signature_is_told_what_it_was_compared_with(raw: Raw, s3_node: Node, bucket: str, target: str) -> None:
    """Signed with another secret, what the node says it compared is exactly what that secret signed."""
    secret = "not the secret"
    headers = raw.sign("GET", f"/{bucket}{target}", {"x-amz-meta-spaces": "a   b"}, UNSIGNED, secret)
    answer = raw.plain("GET", f"/{bucket}{target}", headers)
    user, to_sign, provided = (answer.element(name) for name in ("AWSAccessKeyId", "StringToSign", "SignatureProvided"))
    assert (answer.code, user) == ("SignatureDoesNotMatch", s3_node.user)
    assert signature(secret, to_sign, headers["X-Amz-Date"][:8]) == provided
    canonical = answer.element("CanonicalRequest").replace("&amp;", "&")
    assert hashlib.sha256(canonical.encode()).hexdigest() == to_sign.rpartition("\n")[2]
    assert bytes.fromhex(answer.element("StringToSignBytes")).decode() == to_sign
    assert bytes.fromhex(answer.element("CanonicalRequestBytes")).decode() == canonical
    assert s3_node.password not in answer.body.decode()


def test_who_is_not_known(raw: Raw, s3_node: Node, bucket: str) -> None:
    headers = raw.sign("GET", f"/{bucket}/k", {}, UNSIGNED)
    changed = headers | {"Authorization": headers["Authorization"].replace(s3_node.user, "AKIANOBODY")}
    answer = raw.plain("GET", f"/{bucket}/k", changed)
    assert details(answer, "AWSAccessKeyId") == ("InvalidAccessKeyId", "AKIANOBODY")
    assert not answer.element("StringToSign")
    headers = raw.sign("GET", f"/{bucket}/k", {"x-amz-security-token": "forged"}, UNSIGNED)
    assert details(raw.plain("GET", f"/{bucket}/k", headers), "Token-0") == ("InvalidToken", "forged")


def test_what_was_not_signed_is_named(raw: Raw, bucket: str) -> None:
    headers = raw.sign("PUT", f"/{bucket}/k", {}, UNSIGNED) | {"x-amz-acl": "private", "x-amz-meta-a": "1"}
    answer = raw.plain("PUT", f"/{bucket}/k", headers)
    assert details(answer, "HeadersNotSigned") == ("AccessDenied", "x-amz-acl, x-amz-meta-a")


def test_a_clock_that_is_wrong(raw: Raw, bucket: str) -> None:
    headers = raw.sign("GET", f"/{bucket}/k", {}, UNSIGNED)
    old = {"X-Amz-Date": "20150101T000000Z"}
    scope = headers["Authorization"].replace(headers["X-Amz-Date"][:8], "20150101")
    answer = raw.plain("GET", f"/{bucket}/k", headers | old | {"Authorization": scope})
    assert details(answer, "RequestTime", "MaxAllowedSkewMilliseconds") == (
        "RequestTimeTooSkewed",
        "20150101T000000Z",
        "900000",
    )
    assert answer.element("ServerTime").endswith("Z")

"""RenameObject: what AWS documents of it for directory buckets, in buckets that never kept versions."""

import datetime as dt
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.signing import Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20
PAST, FUTURE = "Thu, 01 Jan 1970 00:00:01 GMT", "Fri, 31 Dec 9999 00:00:00 GMT"


def rename(raw: Raw, bucket: str, source: str, target: str, headers: dict[str, str] | None = None) -> Answer:
    named = {"x-amz-rename-source": quote(source)}
    return raw.send("PUT", f"/{bucket}/{quote(target)}?renameObject", named | (headers or {}))


def keys(s3: "S3Client", bucket: str) -> list[str]:
    return [held["Key"] for held in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("body", [b"", b"small", b"packed" * 1000, bytes(range(256)) * (MIB // 64)])
def test_everything_goes_along_but_the_key(s3: "S3Client", raw: Raw, bucket: str, body: bytes) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="a/b",
        Body=body,
        Metadata={"desk": "fx"},
        Tagging="book=x",
        ContentType="text/csv",
        ChecksumAlgorithm="SHA256",
    )
    before = s3.head_object(Bucket=bucket, Key="a/b", ChecksumMode="ENABLED")
    answer = rename(raw, bucket, "a/b", "c d/é")
    assert (answer.status, answer.body) == (200, b"")
    assert keys(s3, bucket) == ["c d/é"]
    after = s3.get_object(Bucket=bucket, Key="c d/é", ChecksumMode="ENABLED")
    assert after["Body"].read() == body
    for said in ("ETag", "LastModified", "ContentLength", "ContentType", "Metadata", "ChecksumSHA256"):
        assert after[said] == before[said], said
    assert s3.get_object_tagging(Bucket=bucket, Key="c d/é")["TagSet"] == [{"Key": "book", "Value": "x"}]


def test_an_upload_in_parts_keeps_its_parts(s3: "S3Client", raw: Raw, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    parts: Any = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in [(1, b"x" * 5 * MIB), (4, b"tail")]
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    assert rename(raw, bucket, "a", "b").status == 200
    assert s3.get_object(Bucket=bucket, Key="b", PartNumber=2)["Body"].read() == b"tail"
    assert s3.head_object(Bucket=bucket, Key="b")["ETag"].endswith('-2"')


def test_the_ways_to_name_a_source(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="0", Body=b"x")
    for number, form in enumerate(["/{bucket}/{key}", "{key}", "%2F{bucket}/{key}", "/{key}"]):
        headers = {"x-amz-rename-source": form.format(bucket=bucket, key=number)}
        assert raw.send("PUT", f"/{bucket}/{number + 1}?renameObject", headers).status == 200, form
    for form, status in [("/another/{key}", 404), ("/", 400), ("", 400)]:
        headers = {"x-amz-rename-source": form.format(key=4)}
        assert raw.send("PUT", f"/{bucket}/5?renameObject", headers).status == status, form
    assert keys(s3, bucket) == ["4"]


def test_a_key_may_begin_with_the_buckets_name(s3: "S3Client", raw: Raw, bucket: str) -> None:
    for key in ("a", f"{bucket}/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert rename(raw, bucket, f"{bucket}/a", "b").status == 200
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == f"{bucket}/a".encode()
    answer = rename(raw, bucket, f"{bucket}/a", "c")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert keys(s3, bucket) == ["a", "b"]


def test_boto3_renames(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.rename_object(Bucket=bucket, Key="b", RenameSource="a", ClientToken="once")
    s3.rename_object(Bucket=bucket, Key="b", RenameSource="a", ClientToken="once")
    assert keys(s3, bucket) == ["b"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.rename_object(Bucket=bucket, Key="b", RenameSource="a", ClientToken="twice")


def test_a_destination_is_replaced_unless_it_must_be_absent(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"first")
    s3.put_object(Bucket=bucket, Key="b", Body=b"second")
    refused = rename(raw, bucket, "a", "b", {"if-none-match": "*"})
    assert (refused.status, refused.code) == (412, "PreconditionFailed")
    assert keys(s3, bucket) == ["a", "b"]
    assert rename(raw, bucket, "a", "b").status == 200
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"first"
    assert rename(raw, bucket, "b", "b", {"if-match": "*"}).status == 200
    assert rename(raw, bucket, "b", "c", {"if-none-match": "*"}).status == 200
    assert keys(s3, bucket) == ["c"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-amz-rename-source-if-match": '"{tag}"'}, 200),
        ({"x-amz-rename-source-if-match": "{tag}"}, 200),
        ({"x-amz-rename-source-if-match": '"0123456789abcdef0123456789abcdef"'}, 412),
        ({"x-amz-rename-source-if-none-match": '"{tag}"'}, 412),
        ({"x-amz-rename-source-if-none-match": "*"}, 412),
        ({"x-amz-rename-source-if-modified-since": PAST}, 200),
        ({"x-amz-rename-source-if-modified-since": FUTURE}, 412),
        ({"x-amz-rename-source-if-unmodified-since": PAST}, 412),
        ({"x-amz-rename-source-if-unmodified-since": FUTURE}, 200),
        ({"x-amz-rename-source-if-unmodified-since": "soon"}, 400),
        ({"if-match": "*"}, 412),
        ({"if-modified-since": PAST}, 412),
        ({"if-unmodified-since": PAST}, 200),
        ({"x-amz-client-token": "a b"}, 400),
        ({"x-amz-client-token": "x" * 65}, 400),
    ],
)
def test_conditions(s3: "S3Client", raw: Raw, bucket: str, headers: dict[str, str], status: int) -> None:
    tag = s3.put_object(Bucket=bucket, Key="a", Body=b"x")["ETag"].strip('"')
    sent = {name: value.format(tag=tag) for name, value in headers.items()}
    assert rename(raw, bucket, "a", "b", sent).status == status
    assert keys(s3, bucket) == (["b"] if status == 200 else ["a"])


def test_a_token_of_another_request_is_refused(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"first")
    token = {"x-amz-client-token": "token"}
    assert rename(raw, bucket, "a", "b", token).status == 200
    s3.put_object(Bucket=bucket, Key="a", Body=b"second")
    assert rename(raw, bucket, "a", "b", token).status == 200
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"first"
    refused = rename(raw, bucket, "a", "b", token | {"if-match": "*"})
    assert (refused.status, refused.code) == (400, "IdempotencyParameterMismatch")


@pytest.mark.parametrize(("source", "target"), [("a/", "b"), ("a", "b/")])
def test_keys_that_end_with_a_slash_are_refused(
    s3: "S3Client", raw: Raw, bucket: str, source: str, target: str
) -> None:
    s3.put_object(Bucket=bucket, Key=source, Body=b"")
    refused = rename(raw, bucket, source, target)
    assert (refused.status, refused.code) == (400, "InvalidRequest")


def test_what_is_no_rename_is_refused(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    source = {"x-amz-rename-source": "a"}
    assert raw.send("PUT", f"/{bucket}/b", source).status == 501
    assert raw.send("PUT", f"/{bucket}/b?renameObject").status == 400
    copies = {"x-amz-copy-source": f"{bucket}/a"}
    assert raw.send("PUT", f"/{bucket}/b?renameObject", source | copies).status == 501
    assert rename(raw, bucket, "none", "b").code == "NoSuchKey"
    assert rename(raw, f"{bucket}-none", "a", "b").code == "NoSuchBucket"
    assert rename(raw, bucket, "a", "x" * 1025).code == "KeyTooLongError"
    assert keys(s3, bucket) == ["a"]


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_where_versions_are_kept_nothing_is_renamed(s3: "S3Client", raw: Raw, bucket: str, status: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item]
    refused = rename(raw, bucket, "a", "b")
    assert (refused.status, refused.code) == (409, "InvalidBucketState")
    assert keys(s3, bucket) == ["a"]


def test_last_modified_is_that_of_the_content(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    made = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
    assert rename(raw, bucket, "a", "b").status == 200
    assert s3.head_object(Bucket=bucket, Key="b")["LastModified"] == made
    assert dt.datetime.now(dt.UTC) - made < dt.timedelta(hours=1)

"""PutObject with a write offset: AWS documents appends for directory buckets; here, where versions were never kept."""

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20


def append(s3: "S3Client", bucket: str, key: str, offset: int, body: bytes, **more: Any) -> Any:
    return s3.put_object(Bucket=bucket, Key=key, Body=body, WriteOffsetBytes=offset, **more)


def read(s3: "S3Client", bucket: str, key: str, **more: Any) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


@pytest.mark.parametrize("sizes", [[0, 5, 7], [100, 1, 2 * MIB], [3 * MIB, 10, 10], [70_000, MIB, 1, 1, 1]])
def test_a_body_becomes_the_end_of_the_object(s3: "S3Client", bucket: str, sizes: list[int]) -> None:
    bodies = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    whole, answer = b"", {}
    for body in bodies:
        answer = append(s3, bucket, "log", len(whole), body)
        whole += body
        assert answer["Size"] == len(whole)
        assert read(s3, bucket, "log") == whole
    head = s3.head_object(Bucket=bucket, Key="log")
    assert (head["ContentLength"], head["ETag"]) == (len(whole), answer["ETag"])
    pieces = [body for body in bodies if body]
    assert head["ETag"].endswith(f'-{len(pieces)}"')
    for number, body in enumerate(pieces, 1):
        part = s3.get_object(Bucket=bucket, Key="log", PartNumber=number)
        assert (part["Body"].read(), part["PartsCount"]) == (body, len(pieces))
    cut = len(pieces[0])
    assert read(s3, bucket, "log", Range=f"bytes={cut - 1}-{cut}") == whole[cut - 1 : cut + 1]
    told = s3.get_object_attributes(Bucket=bucket, Key="log", ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert told["ObjectSize"] == len(whole)
    assert [part["Size"] for part in told["ObjectParts"]["Parts"]] == [len(body) for body in pieces]
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == len(whole)


def test_the_tag_of_two_pieces_is_that_of_an_upload(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one")
    tag = append(s3, bucket, "log", 3, b"two")["ETag"]
    both = hashlib.md5(b"one").digest() + hashlib.md5(b"two").digest()  # noqa: S324 - what S3 calls a tag
    assert tag == f'"{hashlib.md5(both).hexdigest()}-2"'  # noqa: S324


@pytest.mark.parametrize("offset", [0, 2, 4, 2**40])
def test_an_offset_elsewhere_is_refused(s3: "S3Client", bucket: str, offset: int) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one")
    with pytest.raises(ClientError, match="InvalidWriteOffset") as refused:
        append(s3, bucket, "log", offset, b"two")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert read(s3, bucket, "log") == b"one"


def test_an_offset_that_is_none_is_refused(raw: Raw, bucket: str) -> None:
    for offset in ("-1", "x", "1.5"):
        assert raw.send("PUT", f"/{bucket}/log", {"x-amz-write-offset-bytes": offset}, b"x").status == 400, offset
    headers = {"x-amz-write-offset-bytes": "0"}
    assert raw.send("PUT", f"/{bucket}/log", headers | {"x-amz-copy-source": f"{bucket}/a"}).status == 501
    assert raw.send("PUT", f"/{bucket}/log?partNumber=1&uploadId=x", headers, b"x").status == 501


def test_an_object_that_is_not_there_begins_at_nothing(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(ClientError, match="InvalidWriteOffset"):
        append(s3, bucket, "log", 1, b"x")
    answer = append(s3, bucket, "log", 0, b"one", Metadata={"desk": "fx"}, ContentType="text/plain", Tagging="book=x")
    assert (answer["Size"], answer["ETag"]) == (3, f'"{hashlib.md5(b"one").hexdigest()}"')  # noqa: S324
    append(s3, bucket, "log", 3, b"two", Metadata={"desk": "rates"}, ContentType="text/csv")
    held = s3.head_object(Bucket=bucket, Key="log")
    assert (held["Metadata"], held["ContentType"]) == ({"desk": "fx"}, "text/plain")
    assert s3.get_object_tagging(Bucket=bucket, Key="log")["TagSet"] == [{"Key": "book", "Value": "x"}]


def test_a_crc_is_kept_of_the_whole(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one", ChecksumAlgorithm="CRC32")
    append(s3, bucket, "log", 3, b"two", ChecksumAlgorithm="CRC32")
    held = s3.get_object(Bucket=bucket, Key="log", ChecksumMode="ENABLED")
    assert held["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"onetwo").to_bytes(4, "big")).decode()
    assert held["ChecksumType"] == "FULL_OBJECT"
    assert held["Body"].read() == b"onetwo"


def test_a_crc_is_kept_though_none_is_sent(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one", ChecksumAlgorithm="CRC32")
    answer = raw.send("PUT", f"/{bucket}/log", {"x-amz-write-offset-bytes": "3"}, b"two")
    assert (answer.status, answer.headers["x-amz-object-size"]) == (200, "6")
    held = s3.head_object(Bucket=bucket, Key="log", ChecksumMode="ENABLED")
    assert held["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"onetwo").to_bytes(4, "big")).decode()


@pytest.mark.parametrize(("first", "second"), [("SHA256", "SHA256"), ("SHA1", "CRC32"), ("CRC32", "SHA256")])
def test_another_checksum_is_verified_and_not_kept(s3: "S3Client", bucket: str, first: Any, second: Any) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one", ChecksumAlgorithm=first)
    append(s3, bucket, "log", 3, b"two", ChecksumAlgorithm=second)
    held = s3.get_object(Bucket=bucket, Key="log", ChecksumMode="ENABLED")
    assert held["Body"].read() == b"onetwo"
    assert not [name for name in held if name.startswith("Checksum")]


def test_a_wrong_checksum_appends_nothing(s3: "S3Client", raw: Raw, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one")
    headers = {"x-amz-write-offset-bytes": "3", "x-amz-checksum-crc32": "AAAAAA=="}
    assert raw.send("PUT", f"/{bucket}/log", headers, b"two").code == "BadDigest"
    assert read(s3, bucket, "log") == b"one"


def test_conditions(s3: "S3Client", bucket: str) -> None:
    tag = append(s3, bucket, "log", 0, b"one", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123456789abcdef0123456789abcdef"'}):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            append(s3, bucket, "log", 3, b"two", **condition)
    append(s3, bucket, "log", 3, b"two", IfMatch=tag)
    assert read(s3, bucket, "log") == b"onetwo"


def test_a_copy_has_one_piece(s3: "S3Client", bucket: str) -> None:
    append(s3, bucket, "log", 0, b"one")
    append(s3, bucket, "log", 3, b"two")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/log")
    assert s3.head_object(Bucket=bucket, Key="copy")["ETag"] == f'"{hashlib.md5(b"onetwo").hexdigest()}"'  # noqa: S324


def test_what_an_upload_made_grows_behind_its_parts(s3: "S3Client", bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="log")["UploadId"]
    parts: Any = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="log", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in [(7, b"x" * 5 * MIB), (10_000, b"tail")]
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="log", UploadId=upload, MultipartUpload={"Parts": parts})
    answer = append(s3, bucket, "log", 5 * MIB + 4, b"more")
    assert answer["ETag"].endswith('-3"')
    assert read(s3, bucket, "log", PartNumber=3) == b"more"
    assert read(s3, bucket, "log", Range="bytes=-9") == b"xtailmore"


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_where_versions_are_kept_nothing_is_appended(s3: "S3Client", raw: Raw, bucket: str, status: Any) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    refused = raw.send("PUT", f"/{bucket}/log", {"x-amz-write-offset-bytes": "0"}, b"x")
    assert (refused.status, refused.code) == (409, "InvalidBucketState")

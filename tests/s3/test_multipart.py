"""Multipart uploads: parts in any order, replaced, missing, wrong; completed, aborted, listed."""

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pytest

from tests.refusal import refused
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB: Final = 1 << 20
LEAST: Final = 5 * MIB
KEY: Final = "an/upload"


def md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


class Upload:
    """One upload under way."""

    def __init__(self, s3: "S3Client", bucket: str, key: str = KEY) -> None:
        self.s3, self.bucket, self.key = s3, bucket, key
        self.id = s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata={"m": "1"}, ContentType="a/b")["UploadId"]

    def part(self, number: int, body: bytes) -> str:
        """Upload a part; return its tag."""
        answer = self.s3.upload_part(Bucket=self.bucket, Key=self.key, UploadId=self.id, PartNumber=number, Body=body)
        assert answer["ETag"] == f'"{md5(body).hex()}"'
        return answer["ETag"]

    def complete(self, parts: Sequence[tuple[int, str]]) -> str:
        """Complete it; return the object's tag."""
        named = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        answer = self.s3.complete_multipart_upload(
            Bucket=self.bucket,
            Key=self.key,
            UploadId=self.id,
            MultipartUpload={"Parts": named},  # type: ignore[typeddict-item]
        )
        return answer["ETag"]

    def abort(self) -> None:
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=self.id)


@pytest.fixture
def upload(s3: "S3Client", bucket: str) -> Upload:
    return Upload(s3, bucket)


def test_parts_in_any_order_with_gaps(s3: "S3Client", bucket: str, upload: Upload) -> None:
    bodies = {10_000: os.urandom(9), 1: os.urandom(LEAST), 7: os.urandom(LEAST + 1), 300: os.urandom(6 * MIB + 5)}
    tags = {number: upload.part(number, body) for number, body in bodies.items()}
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key=KEY)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    tag = upload.complete(sorted(tags.items()))
    whole = b"".join(body for _, body in sorted(bodies.items()))
    sums = b"".join(md5(body) for _, body in sorted(bodies.items()))
    assert tag == f'"{md5(sums).hex()}-4"'
    answer = s3.get_object(Bucket=bucket, Key=KEY)
    assert answer["Body"].read() == whole
    assert (answer["ETag"], answer["Metadata"], answer["ContentType"]) == (tag, {"m": "1"}, "a/b")
    (entry,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert (entry["ETag"], entry["Size"]) == (tag, len(whole))
    for number, (_, body) in enumerate(sorted(bodies.items()), 1):
        part = s3.get_object(Bucket=bucket, Key=KEY, PartNumber=number)
        assert part["Body"].read() == body
        assert part["PartsCount"] == 4
        assert s3.head_object(Bucket=bucket, Key=KEY, PartNumber=number)["ContentLength"] == len(body)
    with refused("InvalidPartNumber", 416):
        s3.get_object(Bucket=bucket, Key=KEY, PartNumber=5)
    first = LEAST - 10
    ranged = s3.get_object(Bucket=bucket, Key=KEY, Range=f"bytes={first}-{first + 19}")
    assert ranged["Body"].read() == whole[first : first + 20]


def test_a_part_uploaded_again_replaces(s3: "S3Client", bucket: str, upload: Upload) -> None:
    old = upload.part(1, b"old")
    new = upload.part(1, b"newer")
    with refused("InvalidPart", 400):
        upload.complete([(1, old)])
    upload.complete([(1, new)])
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"newer"


def test_parts_not_named_are_left_out(s3: "S3Client", bucket: str, upload: Upload) -> None:
    upload.part(1, b"unused")
    tag = upload.part(2, b"used")
    upload.complete([(2, tag)])
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"used"


def test_wrong_completions(upload: Upload) -> None:
    first, second = upload.part(1, b"short"), upload.part(2, b"last")
    with refused("EntityTooSmall", 400):
        upload.complete([(1, first), (2, second)])
    with refused("InvalidPart", 400):
        upload.complete([(1, second)])
    with refused("InvalidPart", 400):
        upload.complete([(3, first)])
    with refused("InvalidPartOrder", 400):
        upload.complete([(2, second), (1, first)])
    with refused("InvalidPartOrder", 400):
        upload.complete([(1, first), (1, first)])
    with refused("MalformedXML", 400):
        upload.complete([])
    assert upload.complete([(1, first)]).endswith('-1"')


def test_completed_it_is_gone(s3: "S3Client", bucket: str, upload: Upload) -> None:
    tag = upload.part(1, b"1")
    upload.complete([(1, tag)])
    with refused("NoSuchUpload", 404):
        upload.part(2, b"2")
    with refused("NoSuchUpload", 404):
        s3.list_parts(Bucket=bucket, Key=KEY, UploadId=upload.id)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_completed_twice_with_the_same_parts(s3: "S3Client", bucket: str, upload: Upload) -> None:
    # A client that lost the answer asks again.
    tag, other = upload.part(1, bytes(LEAST)), upload.part(2, b"2")
    completed = upload.complete([(1, tag), (2, other)])
    assert upload.complete([(1, tag), (2, other)]) == completed
    for parts in ([(1, tag)], [(1, tag), (2, tag)], [(2, other), (1, tag)], []):
        with refused("NoSuchUpload", 404):
            upload.complete(parts)
    s3.copy_object(Bucket=bucket, Key=KEY, CopySource=f"{bucket}/{KEY}", MetadataDirective="REPLACE")
    with refused("NoSuchUpload", 404):
        upload.complete([(1, tag), (2, other)])


def test_completed_twice_under_a_condition_that_it_met(s3: "S3Client", bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    asked = s3.create_multipart_upload(Bucket=bucket, Key=KEY, ChecksumAlgorithm="SHA256")
    part = s3.upload_part(
        Bucket=bucket, Key=KEY, UploadId=asked["UploadId"], PartNumber=1, Body=b"1", ChecksumAlgorithm="SHA256"
    )

    def complete() -> tuple[str, str, str]:
        answer = s3.complete_multipart_upload(
            Bucket=bucket,
            Key=KEY,
            UploadId=asked["UploadId"],
            MultipartUpload={
                "Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
            },
            IfNoneMatch="*",
        )
        return answer["ETag"], answer["VersionId"], answer["ChecksumSHA256"]

    completed = complete()
    s3.put_object_tagging(Bucket=bucket, Key=KEY, Tagging={"TagSet": [{"Key": "desk", "Value": "fx"}]})
    assert complete() == completed
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_the_checksum_of_an_empty_part(s3: "S3Client", bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=KEY, ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=KEY, UploadId=upload, PartNumber=1, Body=b"", ChecksumAlgorithm="SHA256")
    parts: list[CompletedPartTypeDef] = [
        {"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}
    ]
    done = s3.complete_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == done["ChecksumSHA256"]
    assert done["ChecksumSHA256"].endswith("-1")


def test_aborted_it_is_gone(s3: "S3Client", bucket: str, upload: Upload) -> None:
    tag = upload.part(1, bytes(LEAST))
    upload.abort()
    for use in (lambda: upload.part(1, b""), lambda: upload.complete([(1, tag)]), upload.abort):
        with refused("NoSuchUpload", 404):
            use()
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key=KEY)
    s3.delete_bucket(Bucket=bucket)


def test_an_upload_belongs_to_its_key(s3: "S3Client", bucket: str, upload: Upload) -> None:
    tag = upload.part(1, b"1")
    with refused("NoSuchUpload", 404):
        s3.upload_part(Bucket=bucket, Key="another", UploadId=upload.id, PartNumber=1, Body=b"")
    with refused("NoSuchUpload", 404):
        s3.abort_multipart_upload(Bucket=bucket, Key="another", UploadId=upload.id)
    with refused("NoSuchUpload", 404):
        s3.list_parts(Bucket=bucket, Key="another", UploadId=upload.id)
    with refused("NoSuchUpload", 404):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="another",
            UploadId=upload.id,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]},
        )
    for made_up in ("x", "0" * 32, "../../etc", "ü"):
        with refused("NoSuchUpload", 404):
            s3.upload_part(Bucket=bucket, Key=KEY, UploadId=made_up, PartNumber=1, Body=b"")


@pytest.mark.parametrize("number", [0, -1, 10_001, 2**31 - 1])
def test_a_part_number_out_of_bounds(s3: "S3Client", bucket: str, upload: Upload, number: int) -> None:
    with refused("InvalidArgument", 400):
        s3.upload_part(Bucket=bucket, Key=KEY, UploadId=upload.id, PartNumber=number, Body=b"")


def test_two_uploads_of_one_key(s3: "S3Client", bucket: str) -> None:
    one, two = Upload(s3, bucket), Upload(s3, bucket)
    assert one.id != two.id
    tags = one.part(1, b"one"), two.part(1, b"two")
    two.complete([(1, tags[1])])
    one.complete([(1, tags[0])])
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"one"


def test_parts_are_listed_by_pages(s3: "S3Client", bucket: str, upload: Upload) -> None:
    for number in (5, 1, 9, 3, 7):
        upload.part(number, b"x" * number)
    whole = s3.list_parts(Bucket=bucket, Key=KEY, UploadId=upload.id)
    assert [(part["PartNumber"], part["Size"]) for part in whole["Parts"]] == [(n, n) for n in (1, 3, 5, 7, 9)]
    assert not whole["IsTruncated"]
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key=KEY, UploadId=upload.id, PaginationConfig={"PageSize": 2}
    )
    assert [[part["PartNumber"] for part in page["Parts"]] for page in pages] == [[1, 3], [5, 7], [9]]


def test_uploads_are_listed_by_pages(s3: "S3Client", bucket: str) -> None:
    keys = ["a", "a", "b/1", "b/2", "c", "ü x"]
    made = sorted((key, Upload(s3, bucket, key).id) for key in keys)
    whole = s3.list_multipart_uploads(Bucket=bucket)
    assert sorted((entry["Key"], entry["UploadId"]) for entry in whole["Uploads"]) == made
    for size in (1, 2, 3):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        told = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page["Uploads"]]
        assert sorted(told) == made
        assert [key for key, _ in told] == keys
    delimited = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [prefix["Prefix"] for prefix in delimited["CommonPrefixes"]] == ["b/"]
    assert [entry["Key"] for entry in delimited["Uploads"]] == ["a", "a", "c", "ü x"]
    prefixed = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    assert [entry["Key"] for entry in prefixed["Uploads"]] == ["b/1", "b/2"]


def test_parts_by_copy(s3: "S3Client", bucket: str, upload: Upload) -> None:
    body = os.urandom(11 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=body)
    source = {"Bucket": bucket, "Key": "from"}
    tags = []
    for number, (first, last) in enumerate([(0, LEAST - 1), (LEAST, 10 * MIB + 2), (11 * MIB - 1, 11 * MIB - 1)], 1):
        answer = s3.upload_part_copy(
            Bucket=bucket,
            Key=KEY,
            UploadId=upload.id,
            PartNumber=number,
            CopySource=source,  # type: ignore[arg-type]
            CopySourceRange=f"bytes={first}-{last}",
        )
        tags.append((number, answer["CopyPartResult"]["ETag"]))
    upload.complete(tags)
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == body[: 10 * MIB + 3] + body[-1:]


@pytest.mark.parametrize(
    "asked", ["bytes=0-11", "bytes=11-", "bytes=-3", "bytes=5-2", "0-3", "bytes=a-b", "bytes=0-1,2-3"]
)
def test_a_range_of_a_copy_must_lie_in_it(raw: Raw, s3: "S3Client", bucket: str, upload: Upload, asked: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"0123456789")
    target = f"/{bucket}/{KEY}?partNumber=1&uploadId={upload.id}"
    answer = raw.send("PUT", target, {"x-amz-copy-source": f"/{bucket}/from", "x-amz-copy-source-range": asked})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_bucket_with_an_upload_goes_like_on_aws(s3: "S3Client", bucket: str, upload: Upload) -> None:
    # AWS removes a bucket that has no objects, whatever uploads are under way; they go with it.
    upload.part(1, b"1")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    with refused("NoSuchUpload", 404):
        upload.part(2, b"2")

"""Checksums of the single parts of an upload: given back with the object that they make, part by part."""

import base64
import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.refusal import refused
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEAST: Final = 5 << 20
KEY: Final = "an/upload"
SUMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
KINDS: Final = pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA256", "COMPOSITE"), ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT")]
)


def text(algorithm: str, body: bytes) -> str:
    return base64.b64encode(SUMS[algorithm](body)).decode()


def uploaded(s3: "S3Client", bucket: str, bodies: Sequence[bytes], **announced: Any) -> dict[str, Any]:
    """Complete an upload of these parts; return the answer."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=KEY, **announced)["UploadId"]
    algorithm = announced.get("ChecksumAlgorithm")
    brought: dict[str, Any] = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    parts: list[Any] = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(Bucket=bucket, Key=KEY, UploadId=upload, PartNumber=number, Body=body, **brought)
        sums = {name: value for name, value in part.items() if algorithm and name == f"Checksum{algorithm}"}
        parts.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    named: Any = {"Parts": parts}
    done = s3.complete_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload, MultipartUpload=named)
    return dict(done)


def listed(s3: "S3Client", bucket: str, **page: Any) -> dict[str, Any]:
    answer = s3.get_object_attributes(Bucket=bucket, Key=KEY, ObjectAttributes=["ObjectParts"], **page)
    return dict(answer["ObjectParts"])


@KINDS
def test_of_an_object_that_an_upload_made(s3: "S3Client", raw: Raw, bucket: str, algorithm: str, kind: str) -> None:
    bodies = [os.urandom(LEAST), os.urandom(LEAST + 1), os.urandom(9)]
    name, header = f"Checksum{algorithm}", f"x-amz-checksum-{algorithm.lower()}"
    done = uploaded(s3, bucket, bodies, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    expected = [
        {"PartNumber": number, "Size": len(body), name: text(algorithm, body)} for number, body in enumerate(bodies, 1)
    ]
    told = listed(s3, bucket)
    assert (told["Parts"], told["TotalPartsCount"], told["IsTruncated"]) == (expected, 3, False)
    for number, body in enumerate(bodies, 1):
        # botocore compares what it reads with the checksum that it is told.
        part: Any = s3.get_object(Bucket=bucket, Key=KEY, PartNumber=number, ChecksumMode="ENABLED")
        assert part["Body"].read() == body
        head: Any = s3.head_object(Bucket=bucket, Key=KEY, PartNumber=number, ChecksumMode="ENABLED")
        for answer in (part, head):
            assert (answer[name], answer["ChecksumType"]) == (text(algorithm, body), kind)
            assert answer["PartsCount"] == 3
    unasked = raw.send("HEAD", f"/{bucket}/{KEY}?partNumber=1")
    ranged = raw.send("GET", f"/{bucket}/{KEY}", {"x-amz-checksum-mode": "ENABLED", "range": f"bytes=0-{LEAST - 1}"})
    assert (header in unasked.headers, header in ranged.headers, ranged.status) == (False, False, 206)
    whole: Any = s3.head_object(Bucket=bucket, Key=KEY, ChecksumMode="ENABLED")
    assert whole[name] == done[name]
    assert whole[name].endswith("-3") == (kind == "COMPOSITE")


def test_page_by_page(s3: "S3Client", bucket: str) -> None:
    bodies = [os.urandom(LEAST) for _ in range(5)] + [b"last"]
    uploaded(s3, bucket, bodies, ChecksumAlgorithm="SHA256")
    found: list[dict[str, Any]] = []
    while True:
        page = listed(s3, bucket, MaxParts=4, PartNumberMarker=len(found))
        assert (page["MaxParts"], page["PartNumberMarker"], page["TotalPartsCount"]) == (4, len(found), 6)
        found += page["Parts"]
        assert page["NextPartNumberMarker"] == len(found)
        if not page["IsTruncated"]:
            break
    assert [part["ChecksumSHA256"] for part in found] == [text("SHA256", body) for body in bodies]
    assert [part["PartNumber"] for part in found] == list(range(1, 7))


@pytest.mark.parametrize("bodies", [[bytes(LEAST), b""], [b""]], ids=["the last", "the only"])
def test_of_a_part_without_bytes(s3: "S3Client", bucket: str, bodies: list[bytes]) -> None:
    uploaded(s3, bucket, bodies, ChecksumAlgorithm="SHA256")
    number, sums = len(bodies), text("SHA256", b"")
    told = listed(s3, bucket)
    assert told["TotalPartsCount"] == number
    assert told["Parts"][-1] == {"PartNumber": number, "Size": 0, "ChecksumSHA256": sums}
    part = s3.get_object(Bucket=bucket, Key=KEY, PartNumber=number, ChecksumMode="ENABLED")
    assert (part["Body"].read(), part["ChecksumSHA256"], part["PartsCount"]) == (b"", sums, number)
    with refused("InvalidPartNumber", 416):
        s3.get_object(Bucket=bucket, Key=KEY, PartNumber=number + 1)


def test_without_one_announced_there_is_none(s3: "S3Client", bucket: str) -> None:
    # botocore brings CRC32 with each part all the same.
    uploaded(s3, bucket, [bytes(LEAST), b"last"])
    assert listed(s3, bucket)["Parts"] == [{"PartNumber": 1, "Size": LEAST}, {"PartNumber": 2, "Size": 4}]
    part = s3.head_object(Bucket=bucket, Key=KEY, PartNumber=2, ChecksumMode="ENABLED")
    assert not any(name.startswith("Checksum") for name in part)


def test_of_parts_that_are_copied(s3: "S3Client", bucket: str) -> None:
    body = os.urandom(LEAST + 3)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload = s3.create_multipart_upload(Bucket=bucket, Key=KEY, ChecksumAlgorithm="SHA256")["UploadId"]
    parts: list[Any] = []
    for number, ends in enumerate((f"bytes=0-{LEAST - 1}", f"bytes={LEAST}-{LEAST + 2}"), 1):
        copied = s3.upload_part_copy(
            Bucket=bucket,
            Key=KEY,
            UploadId=upload,
            PartNumber=number,
            CopySource=f"{bucket}/source",
            CopySourceRange=ends,
        )["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": copied["ETag"], "ChecksumSHA256": copied["ChecksumSHA256"]})
    s3.complete_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload, MultipartUpload={"Parts": parts})
    told = [part["ChecksumSHA256"] for part in listed(s3, bucket)["Parts"]]
    assert told == [text("SHA256", body[:LEAST]), text("SHA256", body[LEAST:])]


def test_versions_keep_theirs(s3: "S3Client", bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    bodies = [[os.urandom(LEAST), b"first"], [os.urandom(LEAST), b"second"]]
    made = [uploaded(s3, bucket, parts, ChecksumAlgorithm="SHA256")["VersionId"] for parts in bodies]
    s3.put_object_tagging(
        Bucket=bucket, Key=KEY, VersionId=made[0], Tagging={"TagSet": [{"Key": "desk", "Value": "fx"}]}
    )
    for version, parts in zip(made, bodies, strict=True):
        told = [part["ChecksumSHA256"] for part in listed(s3, bucket, VersionId=version)["Parts"]]
        assert told == [text("SHA256", body) for body in parts]
    s3.delete_object(Bucket=bucket, Key=KEY, VersionId=made[1])
    told = [part["ChecksumSHA256"] for part in listed(s3, bucket)["Parts"]]
    assert told == [text("SHA256", body) for body in bodies[0]]


def test_what_is_made_of_it_otherwise_has_none(s3: "S3Client", bucket: str) -> None:
    uploaded(s3, bucket, [bytes(LEAST), b"last"], ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/{KEY}")
    copied: Any = s3.head_object(Bucket=bucket, Key="copy", PartNumber=1)
    assert "PartsCount" not in copied
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"more", WriteOffsetBytes=LEAST + 4)
    sizes = [{"PartNumber": number, "Size": size} for number, size in enumerate((LEAST, 4, 4), 1)]
    assert listed(s3, bucket)["Parts"] == sizes
    part = s3.head_object(Bucket=bucket, Key=KEY, PartNumber=1, ChecksumMode="ENABLED")
    assert "ChecksumCRC32" not in part


def test_an_object_is_its_own_first_part(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"body", ChecksumAlgorithm="SHA256")
    part = s3.get_object(Bucket=bucket, Key=KEY, PartNumber=1, ChecksumMode="ENABLED")
    assert (part["Body"].read(), part["ChecksumSHA256"]) == (b"body", text("SHA256", b"body"))

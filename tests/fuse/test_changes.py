"""Changes in the middle of large files, and what S3 makes of these."""

import os
import sqlite3
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MIB = 1 << 20


def change(path: Path, offset: int, piece: bytes, model: bytearray) -> None:
    """Write over what is there, and have it published."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.pwrite(descriptor, piece, offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    model[offset : offset + len(piece)] = piece


def expect(s3: "S3Client", key: str, model: bytes | bytearray) -> None:
    """Whole, by ranges over the ends of pieces, and by parts, as the tag counts them."""
    whole = s3.get_object(Bucket=BUCKET, Key=key)
    assert whole["Body"].read() == model
    random = Random(3)
    for _ in range(20):
        begin = random.randrange(len(model))
        end = min(begin + random.choice([1, 5000, 700_000]), len(model))
        part = s3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={begin}-{end - 1}")
        assert part["Body"].read() == model[begin:end]
    attributes = s3.get_object_attributes(
        Bucket=BUCKET, Key=key, ObjectAttributes=["ETag", "ObjectParts", "ObjectSize"]
    )
    count = attributes["ObjectParts"]["TotalPartsCount"]
    assert attributes["ETag"].endswith(f"-{count}")
    assert whole["ETag"] == f'"{attributes["ETag"]}"'
    assert attributes["ObjectSize"] == len(model)
    pieces = [s3.get_object(Bucket=BUCKET, Key=key, PartNumber=number + 1) for number in range(count)]
    assert b"".join(piece["Body"].read() for piece in pieces) == model


def test_s3_reads_copies_and_appends_to_what_was_changed(folder: Path, s3: "S3Client") -> None:
    model = bytearray(Random(1).randbytes(11 * MIB))
    (folder / "file").write_bytes(model)
    key = f"{folder.name}/file"
    for number in range(4):
        change(folder / "file", 5 * MIB + number * 300_000, f"change {number}".encode(), model)
        expect(s3, key, model)
    copied = f"{folder.name}/copied"
    s3.copy_object(Bucket=BUCKET, Key=copied, CopySource={"Bucket": BUCKET, "Key": key})
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"appended", WriteOffsetBytes=len(model))
    model += b"appended"
    expect(s3, key, model)
    change(folder / "file", 9 * MIB, b"changed after it", model)
    expect(s3, key, model)
    assert (folder / "file").read_bytes() == model
    assert s3.get_object(Bucket=BUCKET, Key=copied)["Body"].read()[: 5 * MIB] == model[: 5 * MIB]


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_an_upload_made_is_changed(folder: Path, s3: "S3Client", encrypted: bool) -> None:
    key = f"{folder.name}/file"
    upload = (
        s3.create_multipart_upload(Bucket=BUCKET, Key=key, ServerSideEncryption="AES256")
        if encrypted
        else s3.create_multipart_upload(Bucket=BUCKET, Key=key)
    )["UploadId"]
    bodies = [Random(number).randbytes(5 * MIB + number) for number in range(3)]
    parts: list[CompletedPartTypeDef] = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    model = bytearray(b"".join(bodies))
    change(folder / "file", 7 * MIB, b"in the second part", model)
    expect(s3, key, model)
    assert (folder / "file").read_bytes() == model


def test_what_was_synced_outlives_kills(own_mount: Mount) -> None:
    model = bytearray(Random(2).randbytes(9 * MIB))
    path = own_mount.path / BUCKET / "file"
    path.write_bytes(model)
    random = Random(4)
    for _ in range(4):
        descriptor = os.open(path, os.O_RDWR)
        for _ in range(5):
            offset, piece = random.randrange(9 * MIB - 5000), random.randbytes(5000)
            os.pwrite(descriptor, piece, offset)
            os.fsync(descriptor)
            model[offset : offset + 5000] = piece
        os.close(descriptor)
        own_mount.node.kill()
        own_mount.node.start()
        assert own_mount.node.client().get_object(Bucket=BUCKET, Key="file")["Body"].read() == model
        assert path.read_bytes() == model


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_some_size(own_mount: Mount, mode: str) -> None:
    path = own_mount.path / BUCKET / "ticks.db"
    random = Random(6)
    base = sqlite3.connect(path)
    base.execute(f"pragma journal_mode={mode}")
    base.execute("create table ticks(id integer primary key, v blob)")
    with base:
        base.executemany("insert into ticks values(?, ?)", ((n, random.randbytes(2000)) for n in range(5000)))
    for number in range(40):
        with base:
            base.execute("update ticks set v = ? where id = ?", (b"%d" % number, random.randrange(5000)))
    kept = base.execute("select id, v from ticks").fetchall()
    base.close()
    own_mount.node.kill()
    own_mount.node.start()
    base = sqlite3.connect(path)
    assert base.execute("pragma integrity_check").fetchone() == ("ok",)
    assert base.execute("select id, v from ticks").fetchall() == kept
    base.close()

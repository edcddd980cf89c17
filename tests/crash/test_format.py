"""Data that an earlier release wrote stays readable.

`tests/fixtures/format-N.tar.xz` is the data directory of a node that was killed: drives at 3+1, the index left out,
small and large objects, some sealed and some only journalled, overwritten and deleted ones, an upload under way; from
format 4 on also objects that uploads made, with the checksums of their parts, and from format 5 on files as a mount
writes them. A release that changes a format adds a
fixture of its own (`python -m tests.crash.test_format OUT.tar.xz`) and leaves the others alone.
"""

import base64
import hashlib
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import packstone_engine
import pytest

from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

FIXTURES = Path(__file__).parent.parent / "fixtures"
SETTINGS = {"PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB", "PACKSTONE_ENGINE__SPACE_RESERVE": "0"}


def content(key: str, size: int) -> bytes:
    """Bytes that follow from the key, the same in every release; every 4 KiB again, so that the archive stays small."""
    blocks = (hashlib.sha256(f"{key}:{at % 128}".encode()).digest() for at in range(size // 32 + 1))
    return b"".join(blocks)[:size]


OBJECTS = {
    "sealed/empty": 0,
    "sealed/small": 100,
    "sealed/text": 3_000,
    "sealed/large": 1_100_000,
    "journal/small": 4_096,
    "journal/over": 50,
}
# Objects of uploads, with the sizes of their parts.
UPLOADED = {"sealed/parts": [5 << 20, 700], "journal/parts": [5 << 20, 0]}
FIRST_UPLOADED = 4
# Files that a mount wrote.
WRITTEN = {"sealed/file": 5_000, "journal/file": 1_200_000}
FIRST_WRITTEN = 5


def sha256(key: str, size: int) -> str:
    return base64.b64encode(hashlib.sha256(content(key, size)).digest()).decode()


def upload(s3: "S3Client", key: str) -> None:
    opened = s3.create_multipart_upload(Bucket="ticks", Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
    parts: list[CompletedPartTypeDef] = []
    for number, size in enumerate(UPLOADED[key], 1):
        body = content(f"{key}/{number}", size)
        part = s3.upload_part(
            Bucket="ticks", Key=key, UploadId=opened, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]})
    s3.complete_multipart_upload(Bucket="ticks", Key=key, UploadId=opened, MultipartUpload={"Parts": parts})


def check_uploaded(s3: "S3Client", key: str) -> None:
    sizes = list(enumerate(UPLOADED[key], 1))
    whole = b"".join(content(f"{key}/{number}", size) for number, size in sizes)
    assert s3.get_object(Bucket="ticks", Key=key)["Body"].read() == whole, key
    told = s3.get_object_attributes(Bucket="ticks", Key=key, ObjectAttributes=["ObjectParts"])["ObjectParts"]["Parts"]
    assert told == [
        {"PartNumber": number, "Size": size, "ChecksumSHA256": sha256(f"{key}/{number}", size)}
        for number, size in sizes
    ], key


def files_of(node: Node) -> packstone_engine.Files:
    return packstone_engine.Files.connect(str(node.data / "files.sock"))


def found(files: packstone_engine.Files, key: str) -> int:
    """The inode of a key's directory, or of the key."""
    inode = 1
    for name in f"ticks/{key}".split("/"):
        inode = files.lookup(0, inode, name.encode()).wait()[0]
    return inode


def write_file(node: Node, key: str) -> None:
    """Write a file, and say something of it."""
    files = files_of(node)
    folder, name = key.split("/")
    how = (False, True, False, True)
    told, handle, _ = files.create(0, found(files, folder), name.encode(), (0o644, 7, 8, 0), how).wait()
    body = content(key, WRITTEN[key])
    for at in range(0, len(body), 1 << 20):
        files.write(handle, at, body[at : at + (1 << 20)]).wait()
    files.release(handle).wait()
    files.change(0, told[0], mode=0o4711, mtime=1_000_000_007).wait()
    files.set_extended(0, told[0], b"user.desk", b"fx", 0).wait()


def check_written(node: Node, key: str) -> None:
    files = files_of(node)
    inode = found(files, key)
    told_inode, mode, _, uid, gid, size, mtime, _, _, _ = files.attributes(inode).wait()
    assert (told_inode, mode, uid, gid, size, mtime) == (inode, 0o104711, 7, 8, WRITTEN[key], 1_000_000_007)
    assert files.extended(0, inode, b"user.desk").wait() == b"fx"
    assert node.client().get_object(Bucket="ticks", Key=key)["Body"].read() == content(key, WRITTEN[key])


def make(target: Path) -> None:
    """Write a fixture with the release at hand."""
    with tempfile.TemporaryDirectory() as scratch:
        node = Node(Path(scratch) / "data", SETTINGS)
        node.start()
        s3 = node.client()
        s3.create_bucket(Bucket="ticks")
        s3.put_object(Bucket="ticks", Key="sealed/gone", Body=b"gone")
        for key, size in OBJECTS.items():
            if key.startswith("sealed/"):
                s3.put_object(Bucket="ticks", Key=key, Body=content(key, size), Metadata={"desk": "fx"})
        upload(s3, "sealed/parts")
        write_file(node, "sealed/file")
        node.command("seal")
        s3.delete_object(Bucket="ticks", Key="sealed/gone")
        s3.put_object(Bucket="ticks", Key="journal/over", Body=b"old")
        for key, size in OBJECTS.items():
            if key.startswith("journal/"):
                s3.put_object(Bucket="ticks", Key=key, Body=content(key, size), ContentType="text/csv")
        upload(s3, "journal/parts")
        write_file(node, "journal/file")
        under_way = s3.create_multipart_upload(Bucket="ticks", Key="upload")["UploadId"]
        s3.upload_part(Bucket="ticks", Key="upload", UploadId=under_way, PartNumber=1, Body=content("part", 1_000))
        node.kill()
        shutil.rmtree(node.data / "index")
        with tarfile.open(target, "w:xz") as archive:
            archive.add(node.data / "drives", "drives")


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("format-*.tar.xz")), ids=lambda path: path.name)
def test_what_an_earlier_release_wrote_is_read(tmp_path: Path, fixture: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with tarfile.open(fixture) as archive:
        archive.extractall(data, filter="data")
    node = Node(data, SETTINGS)
    node.start()
    try:
        s3 = node.client()
        number = int(fixture.name.removeprefix("format-").removesuffix(".tar.xz"))
        uploaded = UPLOADED if number >= FIRST_UPLOADED else {}
        listed = s3.list_objects_v2(Bucket="ticks")["Contents"]
        written = WRITTEN if number >= FIRST_WRITTEN else {}
        sizes = OBJECTS | {key: sum(parts) for key, parts in uploaded.items()} | written
        assert {entry["Key"]: entry["Size"] for entry in listed} == sizes
        for key in uploaded:
            check_uploaded(s3, key)
        for key in written:
            check_written(node, key)
        for key, size in OBJECTS.items():
            assert s3.get_object(Bucket="ticks", Key=key)["Body"].read() == content(key, size), key
        assert s3.head_object(Bucket="ticks", Key="sealed/small")["Metadata"] == {"desk": "fx"}
        assert s3.head_object(Bucket="ticks", Key="journal/small")["ContentType"] == "text/csv"
        under_way = s3.list_multipart_uploads(Bucket="ticks")["Uploads"][0]["UploadId"]
        part = s3.list_parts(Bucket="ticks", Key="upload", UploadId=under_way)["Parts"][0]
        named: list[CompletedPartTypeDef] = [{"PartNumber": 1, "ETag": part["ETag"]}]
        s3.complete_multipart_upload(Bucket="ticks", Key="upload", UploadId=under_way, MultipartUpload={"Parts": named})
        assert s3.get_object(Bucket="ticks", Key="upload")["Body"].read() == content("part", 1_000)
    finally:
        node.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))

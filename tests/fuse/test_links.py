"""Files with several names, on the mount and through S3; and writers that lose a race."""

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = 3 * 1024 * 1024


def through_s3(s3: "S3Client", path: Path) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=f"{path.parent.name}/{path.name}")["Body"].read()


@pytest.mark.parametrize("size", [0, 100, LARGE])
def test_names_of_one_file_are_objects_with_one_content(folder: Path, s3: "S3Client", size: int) -> None:
    one, two = folder / "one", folder / "two"
    one.write_bytes(os.urandom(size))
    two.hardlink_to(one)
    assert one.samefile(two)
    assert (one.stat().st_nlink, {entry.inode() for entry in os.scandir(folder)}) == (2, {one.stat().st_ino})
    with two.open("r+b") as file:
        file.write(b"written through the other name")
        file.flush()
        os.fsync(file.fileno())
        assert through_s3(s3, one) == through_s3(s3, two) == one.read_bytes()
    assert one.read_bytes().startswith(b"written")
    head = [s3.head_object(Bucket=BUCKET, Key=f"{folder.name}/{name}") for name in ("one", "two")]
    assert head[0]["ETag"] == head[1]["ETag"]
    assert head[0]["LastModified"] == head[1]["LastModified"]
    one.chmod(0o600)
    assert two.stat().st_mode & 0o777 == 0o600
    one.unlink()
    assert (two.stat().st_nlink, through_s3(s3, two)) == (1, two.read_bytes())


@pytest.mark.parametrize("size", [100, LARGE])
def test_what_s3_does_to_a_name_it_does_to_that_name(folder: Path, s3: "S3Client", size: int) -> None:
    names = [folder / name for name in ("one", "two", "three")]
    content = os.urandom(size)
    names[0].write_bytes(content)
    names[1].hardlink_to(names[0])
    names[2].hardlink_to(names[0])
    s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/one", Body=b"another")
    s3.delete_object(Bucket=BUCKET, Key=f"{folder.name}/two")
    time.sleep(1.1)
    assert (names[0].read_bytes(), names[1].exists(), names[2].read_bytes()) == (b"another", False, content)
    assert (names[0].stat().st_nlink, names[2].stat().st_nlink) == (1, 1)
    assert names[0].stat().st_ino != names[2].stat().st_ino


def test_names_stay_over_a_crash_of_the_node(own_mount: Mount) -> None:
    folder = own_mount.path / BUCKET / "d"
    folder.mkdir()
    (folder / "one").write_bytes(b"1")
    (folder / "two").hardlink_to(folder / "one")
    (folder / "one").write_bytes(b"content")
    own_mount.node.kill()
    own_mount.node.start()
    time.sleep(1.1)
    assert (folder / "two").read_bytes() == b"content"
    assert (folder / "one").samefile(folder / "two")
    assert (folder / "one").stat().st_nlink == 2


def test_a_file_has_its_names_in_one_bucket(mount: Mount, folder: Path, s3: "S3Client") -> None:
    (folder / "file").write_bytes(b"x")
    s3.create_bucket(Bucket="beyond")
    with pytest.raises(OSError, match="cross-device") as refused:
        (mount.path / "beyond" / "file").hardlink_to(folder / "file")
    assert refused.value.errno == errno.EXDEV
    (mount.path / "beyond" / "file").write_bytes(b"x")
    (mount.path / "beyond" / "again").hardlink_to(mount.path / "beyond" / "file")
    with pytest.raises(s3.exceptions.ClientError) as kept:
        s3.put_bucket_versioning(Bucket="beyond", VersioningConfiguration={"Status": "Enabled"})
    assert kept.value.response["Error"]["Code"] == "InvalidBucketState"
    (mount.path / "beyond" / "again").unlink()
    s3.put_bucket_versioning(Bucket="beyond", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(OSError, match="not supported"):
        (mount.path / "beyond" / "again").hardlink_to(mount.path / "beyond" / "file")


def test_a_path_may_be_longer_than_a_key_of_s3(folder: Path, s3: "S3Client") -> None:
    deep = folder / Path(*["n" * 250] * 8)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"deep")
    key = f"{folder.name}/{deep.relative_to(folder)}/file"
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=f"{folder.name}/", PaginationConfig={"PageSize": 1}
    )
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])][-1] == key
    for ask in (lambda: s3.get_object(Bucket=BUCKET, Key=key), lambda: s3.put_object(Bucket=BUCKET, Key=key)):
        with pytest.raises(s3.exceptions.ClientError) as refused:
            ask()
        assert refused.value.response["Error"]["Code"] == "KeyTooLongError"
    (deep / "file").rename(folder / "near")
    assert through_s3(s3, folder / "near") == b"deep"
    (deep / "file").touch()
    assert "Errors" not in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}]})
    time.sleep(1.1)
    assert not (deep / "file").exists()


@pytest.mark.parametrize("way", ["put", "delete"])
def test_who_wrote_what_has_no_place_is_told_once(folder: Path, s3: "S3Client", way: str) -> None:
    file = os.open(folder / "file", os.O_RDWR | os.O_CREAT)
    os.write(file, b"mine")
    if way == "put":
        s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/file", Body=b"theirs")
    else:
        s3.delete_object(Bucket=BUCKET, Key=f"{folder.name}/file")
    with pytest.raises(OSError, match="Stale") as refused:
        os.fsync(file)
    assert refused.value.errno == errno.ESTALE
    os.fsync(file)
    os.close(file)

"""Names: made, listed, renamed, removed; and what stands with them."""

import errno
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def keys(s3: "S3Client", folder: Path) -> list[str]:
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{folder.name}/").get("Contents", [])
    return [entry["Key"].removeprefix(f"{folder.name}/") for entry in listed]


def test_directories_are_markers_and_buckets_top_directories(mount: Mount, folder: Path, s3: "S3Client") -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").touch()
    assert keys(s3, folder) == ["", "a/", "a/b/", "a/b/file"]
    with pytest.raises(OSError, match="not empty") as refused:
        (folder / "a").rmdir()
    assert refused.value.errno == errno.ENOTEMPTY
    (mount.path / "made-by-mkdir").mkdir()
    assert "made-by-mkdir" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert {BUCKET, "made-by-mkdir"} <= {path.name for path in mount.path.iterdir()}
    (mount.path / "made-by-mkdir").rmdir()
    with pytest.raises(OSError, match="Invalid argument"):
        (mount.path / "NOT_A_BUCKET").mkdir()
    with pytest.raises(PermissionError):
        (mount.path / "file").touch()


def test_ten_thousand_files_are_listed_while_others_come_and_go(folder: Path, s3: "S3Client") -> None:
    for number in range(10_000):
        if number < 9_900:
            s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/{number:05}", Body=b"")
        else:
            (folder / f"{number:05}").touch()
    seen = []
    with os.scandir(folder) as entries:
        for at, entry in enumerate(entries):
            seen.append(entry.name)
            if at % 1000 == 0:
                (folder / "0-came").touch()
                (folder / "0-came").unlink()
                s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/zzz{at}", Body=b"")
    assert [name for name in seen if name.isdigit()] == [f"{number:05}" for number in range(10_000)]
    assert len(seen) == len(set(seen))


def test_a_rename_replaces_at_once_or_not_at_all(folder: Path, s3: "S3Client") -> None:
    (folder / "one").write_bytes(b"1")
    (folder / "two").write_bytes(b"2")
    inode = (folder / "one").stat().st_ino
    with (folder / "two").open("rb") as replaced:
        (folder / "one").rename(folder / "two")
        assert replaced.read() == b"2"
    assert ((folder / "two").read_bytes(), (folder / "two").stat().st_ino) == (b"1", inode)
    assert keys(s3, folder) == ["", "two"]


def test_a_file_is_not_renamed_into_another_bucket(mount: Mount, folder: Path, s3: "S3Client") -> None:
    s3.create_bucket(Bucket="elsewhere")
    (folder / "file").touch()
    with pytest.raises(OSError, match="cross-device") as refused:
        (folder / "file").rename(mount.path / "elsewhere" / "file")
    assert refused.value.errno == errno.EXDEV


def test_what_is_said_of_a_file_is_kept(folder: Path) -> None:
    file = folder / "file"
    file.write_bytes(b"content")
    file.chmod(0o640)
    os.chown(file, 12, 34)
    os.utime(file, ns=(0, 1_234_567_890_123_456_789))
    os.setxattr(file, "user.desk", b"fx")
    told = file.stat()
    assert (stat.S_IMODE(told.st_mode), told.st_uid, told.st_gid) == (0o640, 12, 34)
    assert told.st_mtime_ns == 1_234_567_890_123_456_789
    assert (os.listxattr(file), os.getxattr(file, "user.desk")) == (["user.desk"], b"fx")
    os.removexattr(file, "user.desk")
    assert os.listxattr(file) == []


def test_what_s3_says_of_an_object_is_an_attribute(folder: Path, s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/object", Body=b"x", Metadata={"desk": "fx"}, Tagging="class=trade")
    assert os.getxattr(folder / "object", "user.s3.meta.desk") == b"fx"
    assert os.getxattr(folder / "object", "user.s3.tag.class") == b"trade"
    with pytest.raises(PermissionError):
        os.setxattr(folder / "object", "user.s3.tag.class", b"other")


def test_symbolic_links_and_pipes(folder: Path, s3: "S3Client") -> None:
    (folder / "file").write_bytes(b"content")
    (folder / "link").symlink_to("file")
    assert (folder / "link").read_bytes() == b"content"
    assert s3.get_object(Bucket=BUCKET, Key=f"{folder.name}/link")["Body"].read() == b"file"
    os.mkfifo(folder / "pipe")
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
    with pytest.raises(OSError, match="too long"):
        (folder / ("x" * 256)).touch()


def test_the_space_is_the_pools(mount: Mount) -> None:
    space = os.statvfs(mount.path)
    assert 0 < space.f_bavail <= space.f_blocks
    assert space.f_namemax == 255


def test_what_s3_deletes_goes_within_the_bound(folder: Path, s3: "S3Client") -> None:
    (folder / "file").write_bytes(b"x")
    assert (folder / "file").exists()
    s3.delete_object(Bucket=BUCKET, Key=f"{folder.name}/file")
    time.sleep(1.1)
    assert not (folder / "file").exists()

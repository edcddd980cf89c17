"""`.versions/` and `.keys/` of a bucket, as programs see them."""

import errno
import mmap
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VERSIONED = "versioned"


@pytest.fixture(scope="module")
def bucket(mount: Mount) -> Path:
    """A bucket that keeps versions, as a directory."""
    s3 = mount.node.client()
    s3.create_bucket(Bucket=VERSIONED)
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    return mount.path / VERSIONED


def put(s3: "S3Client", key: str, body: bytes) -> str:
    return s3.put_object(Bucket=VERSIONED, Key=key, Body=body)["VersionId"]


def test_older_versions_are_read_and_mapped(bucket: Path, s3: "S3Client") -> None:
    versions = {put(s3, "day/fills", body): body for body in [b"1" * 5000, b"2" * 3_000_000, b"3"]}
    s3.delete_object(Bucket=VERSIONED, Key="day/fills")
    view = bucket / ".versions" / "day" / "fills"
    assert not (bucket / "day" / "fills").exists()
    assert {path.name: path.read_bytes() for path in view.iterdir()} == versions
    for path in view.iterdir():
        content = versions[path.name]
        assert (path.stat().st_size, path.stat().st_mode & 0o777) == (len(content), 0o440)
        assert os.getxattr(path, "user.s3.version-id") == path.name.encode()
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[:] == content
    # An older version comes back by a copy. With its last key the directory went, too.
    (bucket / "day").mkdir()
    (bucket / "day" / "fills").write_bytes((view / next(iter(versions))).read_bytes())
    assert s3.get_object(Bucket=VERSIONED, Key="day/fills")["Body"].read() == b"1" * 5000


def test_nobody_walks_into_a_view_who_did_not_ask(bucket: Path, s3: "S3Client") -> None:
    put(s3, "plain", b"")
    put(s3, ".keys/strange", b"")
    found = subprocess.run(["find", bucket], check=True, capture_output=True, text=True).stdout.splitlines()
    assert str(bucket / "plain") in found
    assert not [path for path in found if ".versions" in path or ".keys" in path]
    walked = subprocess.run(["find", bucket / ".versions", "-type", "f"], check=True, capture_output=True, text=True)
    assert str(bucket / ".versions" / "plain") in walked.stdout


def test_a_key_without_a_place_is_read(bucket: Path, s3: "S3Client") -> None:
    keys = ["a//b", "..", "both", "x/../y", ".keys/strange", "n" * 300]
    for key in [*keys, "both/below"]:
        put(s3, key, key.encode())
    contents = {path.read_bytes().decode() for path in (bucket / ".keys").iterdir()}
    assert contents == set(keys)
    assert (bucket / ".keys" / "a%2F%2Fb").read_bytes() == b"a//b"
    assert (bucket / "both").is_dir()


def test_nothing_in_a_view_can_be_changed(bucket: Path, s3: "S3Client") -> None:
    version = bucket / ".versions" / "kept" / put(s3, "kept", b"kept")
    put(s3, "k//k", b"kept")
    for path in [version, bucket / ".keys" / "k%2F%2Fk"]:
        ways: list[Callable[[Path], object]] = [
            Path.unlink,
            lambda path: path.write_bytes(b""),
            lambda path: path.open("ab"),
            lambda path: os.truncate(path, 0),
            lambda path: path.chmod(0o600),
            lambda path: os.utime(path, (0, 0)),
            lambda path: os.setxattr(path, "user.x", b""),
            lambda path: path.rename(path.with_name("other")),
            lambda path: path.rename(bucket / "other"),
            (bucket / "kept").rename,
            lambda path: (path.parent / "new").touch(),
            lambda path: (path.parent / "new").mkdir(),
            (bucket / "hard").hardlink_to,
        ]
        for way in ways:
            with pytest.raises(OSError, match="Read-only file system") as refused:
                way(path)
            assert refused.value.errno == errno.EROFS
        assert path.read_bytes() == b"kept"


def test_what_was_told_is_told_again_after_a_restart(own_mount: Mount) -> None:
    s3 = own_mount.node.client()
    s3.put_object(Bucket="ticks", Key="a//b", Body=b"key")
    path = own_mount.path / "ticks" / ".keys" / "a%2F%2Fb"
    inode = path.stat().st_ino
    own_mount.node.kill()
    own_mount.node.start()
    assert (path.read_bytes(), path.stat().st_ino) == (b"key", inode)

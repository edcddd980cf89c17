"""Renaming files where versions are kept, as programs do when they save."""

import errno
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VERSIONED = "versioned"
LOCKING = "locking"
SIZES = [0, 5_000, 3_000_000]


@pytest.fixture(scope="module")
def versioned(mount: Mount) -> Path:
    """A bucket that keeps versions."""
    s3 = mount.node.client()
    s3.create_bucket(Bucket=VERSIONED)
    s3.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})
    return mount.path / VERSIONED


@pytest.fixture(scope="module")
def locking(mount: Mount) -> Path:
    """A bucket that locks by default."""
    s3 = mount.node.client()
    s3.create_bucket(Bucket=LOCKING, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=LOCKING,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    return mount.path / LOCKING


def history(s3: "S3Client", bucket: str, key: str) -> list[bytes | None]:
    """What a key's versions hold, the newest first; `None` for a delete marker."""
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)
    found = [(made["LastModified"], made["IsLatest"], made["VersionId"]) for made in listed.get("Versions", [])]
    marks = [(mark["LastModified"], mark["IsLatest"], None) for mark in listed.get("DeleteMarkers", [])]
    ordered = sorted([*found, *marks], key=lambda entry: (not entry[1], -entry[0].timestamp()))
    return [
        None if version is None else s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
        for _, _, version in ordered
    ]


def save(path: Path, content: bytes) -> None:
    """As editors do: whole, durable, and at once."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)  # noqa: PTH105 - it is what programs call
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_takes_the_place_of_another(versioned: Path, s3: "S3Client", size: int) -> None:
    content, path = os.urandom(size), versioned / f"to{size}"
    path.write_bytes(b"older")
    other = path.with_name(f"from{size}")
    other.write_bytes(content)
    os.setxattr(other, "user.desk", b"fx")
    os.utime(other, ns=(0, 1_234_567_890_123_456_789))
    other.chmod(0o600)
    told = other.stat()
    with path.open("rb") as replaced, other.open("rb") as held:
        os.replace(other, path)  # noqa: PTH105 - it is what programs call
        assert (replaced.read(), held.read()) == (b"older", content)
        assert os.fstat(held.fileno()).st_ino == told.st_ino
    after = path.stat()
    same = ["st_ino", "st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_nlink"]
    assert [getattr(after, name) for name in same] == [getattr(told, name) for name in same]
    assert (path.read_bytes(), os.getxattr(path, "user.desk"), other.exists()) == (content, b"fx", False)
    assert history(s3, VERSIONED, path.name) == [content, b"older"]
    assert history(s3, VERSIONED, other.name) == [None, content]
    # Brought back by S3, it is another file.
    marker = s3.list_object_versions(Bucket=VERSIONED, Prefix=other.name)["DeleteMarkers"][0]
    s3.delete_object(Bucket=VERSIONED, Key=other.name, VersionId=marker["VersionId"])
    # The kernel may know for a second still that it is not there.
    deadline = time.monotonic() + 60
    while not other.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (other.read_bytes(), other.stat().st_ino != after.st_ino) == (content, True)


def test_what_has_the_name_is_kept_where_that_is_asked(versioned: Path) -> None:
    (versioned / "one").write_bytes(b"1")
    (versioned / "two").write_bytes(b"2")
    moved = subprocess.run(["mv", "-n", versioned / "one", versioned / "two"], check=False)
    assert ((versioned / "two").read_bytes(), (versioned / "one").read_bytes()) == (b"2", b"1"), moved
    (versioned / "two").unlink()
    subprocess.run(["mv", "-n", versioned / "one", versioned / "two"], check=True)
    assert (versioned / "two").read_bytes() == b"1"


def test_directories(versioned: Path, s3: "S3Client") -> None:
    (versioned / "empty").mkdir()
    (versioned / "empty").rename(versioned / "moved")
    (versioned / "moved" / "file").write_bytes(b"in it")
    with pytest.raises(OSError, match="cross-device") as refused:
        (versioned / "moved").rename(versioned / "elsewhere")
    assert refused.value.errno == errno.EXDEV
    # Programs copy then.
    shutil.move(versioned / "moved", versioned / "elsewhere")
    assert (versioned / "elsewhere" / "file").read_bytes() == b"in it"
    assert history(s3, VERSIONED, "moved/file") == [None, b"in it"]


def test_saves_leave_one_version_of_what_waits_for_its_lock(locking: Path, s3: "S3Client") -> None:
    path = locking / "notes"
    for content in [b"first", os.urandom(2_000_000), b"third\n"]:
        save(path, content)
        assert history(s3, LOCKING, "notes") == [content]
    inode = path.stat().st_ino
    subprocess.run(["sed", "-i", "s/third/fourth/", path], check=True)
    assert (path.read_bytes(), path.stat().st_ino != inode) == (b"fourth\n", True)
    assert history(s3, LOCKING, "notes") == [b"fourth\n"]
    assert [held["Key"] for held in s3.list_object_versions(Bucket=LOCKING)["Versions"]] == ["notes"]
    assert "DeleteMarkers" not in s3.list_object_versions(Bucket=LOCKING)
    assert os.getxattr(path, "user.s3.lock-pending") == b"COMPLIANCE"
    path.chmod(0o444)
    version = s3.head_object(Bucket=LOCKING, Key="notes")
    assert version["ObjectLockMode"] == "COMPLIANCE"
    with pytest.raises(PermissionError):
        save(path, b"forged")
    with pytest.raises(PermissionError):
        path.rename(path.with_name("away"))
    assert path.read_bytes() == b"fourth\n"
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=LOCKING, Key="notes", VersionId=version["VersionId"])


@pytest.mark.skipif(shutil.which("rsync") is None, reason="this machine has no rsync")
def test_rsync_into_a_bucket_that_locks(locking: Path, s3: "S3Client", tmp_path: Path) -> None:
    source = tmp_path / "day"
    contents = {"a": os.urandom(10), "b": os.urandom(2_500_000), "deep/c": b"c", "empty": b""}
    for name, content in contents.items():
        (source / name).parent.mkdir(exist_ok=True, parents=True)
        (source / name).write_bytes(content)

    def synchronise(*options: str) -> bytes:
        return subprocess.run(["rsync", "-a", *options, source, locking], stderr=subprocess.PIPE, check=False).stderr

    assert synchronise() == b""
    (source / "a").write_bytes(b"changed since")
    assert synchronise() == b""
    contents["a"] = b"changed since"
    for name, content in contents.items():
        path = locking / "day" / name
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, (source / name).stat().st_mtime_ns)
        assert history(s3, LOCKING, f"day/{name}") == [content]
    listed = s3.list_object_versions(Bucket=LOCKING, Prefix="day/")
    files = [version["Key"] for version in listed["Versions"] if not version["Key"].endswith("/")]
    assert (files, "DeleteMarkers" in listed) == ([f"day/{name}" for name in sorted(contents)], False)
    # It takes leave to write before it renames, which would lock a file under its temporary name.
    (source / "b").chmod(0o444)
    assert synchronise("--inplace") == b""
    assert s3.head_object(Bucket=LOCKING, Key="day/b")["ObjectLockMode"] == "COMPLIANCE"
    (source / "b").chmod(0o644)
    (source / "b").write_bytes(b"forged")
    assert b"Operation not permitted" in synchronise()
    assert (locking / "day" / "b").read_bytes() == contents["b"]

"""What is locked is read through a mount, and nothing else."""

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import SETTINGS
from tests.fuse.mounted import Mount
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT = "default-locked"

TRIES: dict[str, Callable[[Path], object]] = {
    "unlink": Path.unlink,
    "rename": lambda path: path.rename(path.with_name("away")),
    "link": lambda path: path.with_name("again").hardlink_to(path),
    "write": lambda path: path.write_bytes(b"over"),
    "append": lambda path: path.open("ab"),
    "truncate": lambda path: os.truncate(path, 1),
    "replace": lambda path: path.with_name("other").rename(path),
    "chmod": lambda path: path.chmod(0o600),
    "chown": lambda path: os.chown(path, 1, 1),
    "touch": lambda path: os.utime(path, (0, 0)),
    "setxattr": lambda path: os.setxattr(path, "user.x", b""),
}


@pytest.fixture(scope="module")
def locked(mount: Mount) -> Path:
    """A file that is locked."""
    s3 = mount.node.client()
    s3.create_bucket(Bucket="worm", ObjectLockEnabledForBucket=True)
    s3.put_object(
        Bucket="worm",
        Key="record",
        Body=b"kept",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(minutes=30),
        ChecksumAlgorithm="SHA256",
    )
    (mount.path / "worm" / "other").write_bytes(b"other")
    return mount.path / "worm" / "record"


@pytest.mark.parametrize("way", TRIES)
def test_no_way_changes_it(locked: Path, way: str) -> None:
    with pytest.raises(PermissionError) as refused:
        TRIES[way](locked)
    assert refused.value.errno == 1
    assert locked.read_bytes() == b"kept"


def test_it_says_until_when(locked: Path) -> None:
    assert os.getxattr(locked, "user.s3.lock-mode") == b"COMPLIANCE"
    until = datetime.fromtimestamp(int(os.getxattr(locked, "user.s3.retain-until")), UTC)
    assert until > datetime.now(UTC)


def default_locked(mount: Mount) -> Path:
    """A bucket that locks by default, as a directory."""
    s3 = mount.node.client()
    s3.create_bucket(Bucket=DEFAULT, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket=DEFAULT,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    return mount.path / DEFAULT


@pytest.fixture(scope="module")
def folder_of_records(mount: Mount) -> Path:
    """The bucket that locks by default, of the mount that all share."""
    return default_locked(mount)


def retention(s3: "S3Client", key: str) -> datetime | None:
    """Until when S3 says that an object is held."""
    try:
        held = s3.get_object_retention(Bucket=DEFAULT, Key=key)["Retention"]
    except s3.exceptions.ClientError as fault:
        assert fault.response["Error"]["Code"] == "NoSuchObjectLockConfiguration"
        return None
    assert held["Mode"] == "COMPLIANCE"
    return held["RetainUntilDate"]


def versions(s3: "S3Client", key: str) -> int:
    listed = s3.list_object_versions(Bucket=DEFAULT, Prefix=key)
    return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))


def test_a_file_is_locked_when_nobody_may_write_it(folder_of_records: Path, s3: "S3Client") -> None:
    path = folder_of_records / "fills"
    for content in [b"first", b"second", b"third"]:
        path.write_bytes(content)
    path.chmod(0o600)
    assert (retention(s3, "fills"), versions(s3, "fills")) == (None, 1)
    assert os.getxattr(path, "user.s3.lock-pending") == b"COMPLIANCE"
    s3.copy_object(
        Bucket=DEFAULT, Key="copy", CopySource={"Bucket": DEFAULT, "Key": "fills"}, ChecksumAlgorithm="SHA256"
    )
    assert retention(s3, "copy") is not None
    path.chmod(0o444)
    until = retention(s3, "fills")
    assert until is not None
    assert abs(until - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=5)
    assert int(os.getxattr(path, "user.s3.retain-until")) == int(until.timestamp())
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(path, "user.s3.lock-pending")
    version = s3.head_object(Bucket=DEFAULT, Key="fills")["VersionId"]
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=DEFAULT, Key="fills", VersionId=version)
    ways: list[Callable[[], object]] = [path.unlink, lambda: path.write_bytes(b""), lambda: path.chmod(0o644)]
    for way in ways:
        with pytest.raises(PermissionError):
            way()
    assert (path.read_bytes(), versions(s3, "fills")) == (b"third", 1)


def test_what_programs_do_on_the_way_leaves_nothing_behind(folder_of_records: Path, s3: "S3Client") -> None:
    (folder_of_records / "day").mkdir()
    temporary = folder_of_records / "day" / ".fills.tmp"
    temporary.write_bytes(b"temporary")
    shutil.move(temporary, folder_of_records / "day" / "fills")
    assert versions(s3, "day/.fills.tmp") == 0
    assert (folder_of_records / "day" / "fills").read_bytes() == b"temporary"
    (folder_of_records / "day" / "fills").unlink()
    (folder_of_records / "day").rmdir()
    assert "Contents" not in s3.list_objects_v2(Bucket=DEFAULT, Prefix="day")


def test_what_nobody_writes_is_locked_also_after_a_crash(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", SETTINGS)
    node.start()
    mount = Mount(node, tmp_path / "mount")
    try:
        mount.start()
        folder = default_locked(mount)
        (folder / "before").write_bytes(b"before")
        node.kill()
        node.settings["PACKSTONE_FILES__LOCK_AFTER"] = "1 s"
        node.start()
        s3 = node.client()
        comes(lambda: retention(s3, "before") is not None)
        with (folder / "busy").open("wb") as busy:
            busy.write(b"busy")
            busy.flush()
            (folder / "idle").write_bytes(b"idle")
            comes(lambda: retention(s3, "idle") is not None)
            assert retention(s3, "busy") is None
        comes(lambda: retention(s3, "busy") is not None)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            name: name.encode() for name in ["before", "busy", "idle"]
        }
    finally:
        mount.close()
        node.close()


def comes(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)

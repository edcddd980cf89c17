"""What is locked is read through a mount, and nothing else."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fuse.mounted import Mount

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


def test_a_bucket_that_locks_by_default_is_read_alone(mount: Mount) -> None:
    s3 = mount.node.client()
    s3.create_bucket(Bucket="default-locked", ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(
        Bucket="default-locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    s3.put_object(Bucket="default-locked", Key="record", Body=b"kept", ChecksumAlgorithm="SHA256")
    folder = mount.path / "default-locked"
    assert (folder / "record").read_bytes() == b"kept"
    ways: list[Callable[[], object]] = [(folder / "new").touch, (folder / "new").mkdir]
    for way in ways:
        with pytest.raises(OSError, match="Read-only file system"):
            way()

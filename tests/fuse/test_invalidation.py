"""A mount whose kernel believes names for an hour forgets what S3 and other mounts change: the node says so."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def believing(mount: Mount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A second mount of the node."""
    other = Mount(mount.node, tmp_path_factory.mktemp("believing") / "mount", "--believe", "3600")
    try:
        other.start()
        yield other
    finally:
        other.close()


@pytest.fixture
def there(believing: Mount, folder: Path) -> Path:
    """The test's directory on that mount."""
    return believing.path / BUCKET / folder.name


def until(seen: Callable[[], bool]) -> None:
    """Wait for the kernel to have forgotten; without being told it would take an hour."""
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline, "the kernel believes what it was told"
        time.sleep(0.005)


def is_gone(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    return False


def test_what_s3_puts_over_a_file(there: Path, s3: "S3Client") -> None:
    key = f"{there.name}/file"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    for size in range(1, 60):
        assert (there / "file").stat().st_size == size - 1
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"t" * size)
        until(lambda size=size: (there / "file").stat().st_size == size)  # type: ignore[misc]
        assert (there / "file").read_bytes() == b"t" * size


def test_what_s3_deletes(there: Path, s3: "S3Client") -> None:
    for number in range(30):
        key = f"{there.name}/{number}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"tick")
        assert (there / f"{number}").stat().st_size == 4
        s3.delete_object(Bucket=BUCKET, Key=key)
        until(lambda number=number: is_gone(there / f"{number}"))  # type: ignore[misc]


def test_what_was_listed(there: Path, s3: "S3Client") -> None:
    for number in range(200):
        s3.put_object(Bucket=BUCKET, Key=f"{there.name}/{number}", Body=b"")
    with os.scandir(there) as entries:
        assert sum(entry.stat().st_size for entry in entries) == 0
    for number in range(200):
        s3.put_object(Bucket=BUCKET, Key=f"{there.name}/{number}", Body=b"tick")
    until(lambda: all((there / f"{number}").stat().st_size == 4 for number in range(200)))


def test_what_another_mount_changes(folder: Path, there: Path) -> None:
    (folder / "file").touch()
    for number in range(1, 40):
        assert (there / "file").stat().st_size == number - 1
        with (folder / "file").open("ab") as file:
            file.write(b"t")
        until(lambda number=number: (there / "file").stat().st_size == number)  # type: ignore[misc]
    for mode in (0o600, 0o640, 0o644):
        (folder / "file").chmod(mode)
        until(lambda mode=mode: (there / "file").stat().st_mode & 0o777 == mode)  # type: ignore[misc]
    (folder / "file").rename(folder / "renamed")
    until(lambda: is_gone(there / "file"))
    assert (there / "renamed").stat().st_size == 39


def test_what_another_mount_adds_to_a_file_that_is_open(folder: Path, there: Path) -> None:
    (folder / "file").write_bytes(b"t")
    until((there / "file").exists)
    with (there / "file").open("rb") as held:
        for size in range(2, 40):
            with (folder / "file").open("ab") as file:
                file.write(b"t")
            until(lambda size=size: (there / "file").read_bytes() == b"t" * size)  # type: ignore[misc]
        assert os.pread(held.fileno(), 100, 0) == b"t" * 39


def test_what_the_mount_changes_itself(there: Path) -> None:
    """It knows that without being told."""
    for number in range(40):
        (there / "file").write_bytes(b"t" * number)
        assert (there / "file").stat().st_size == number
        (there / "file").rename(there / f"{number}")
        assert is_gone(there / "file")
        assert (there / f"{number}").stat().st_size == number


def test_it_is_told_again_after_the_node_was_away(own_mount: Mount, tmp_path: Path) -> None:
    other = Mount(own_mount.node, tmp_path / "other", "--believe", "3600")
    try:
        other.start()
        own_mount.node.kill()
        own_mount.node.start()
        s3 = own_mount.node.client()
        s3.put_object(Bucket=BUCKET, Key="file", Body=b"")
        # The mount finds the node within a second.
        for size in range(1, 4000):
            held = (other.path / BUCKET / "file").stat().st_size
            s3.put_object(Bucket=BUCKET, Key="file", Body=b"t" * size)
            if 0 < held == size - 1:
                return
            time.sleep(0.02)
        raise AssertionError("the kernel was told nothing")
    finally:
        other.close()

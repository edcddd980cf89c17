"""When names in directories changed, over ends of the node: clean ones, and others."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

LONG = 15
"""Seconds in which what is noted is written, which is done every five, with time for a machine that is busy."""


def synced(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def told(directories: list[Path]) -> list[os.stat_result]:
    """What is said of directories, of which the kernel may believe something for a second."""
    time.sleep(1.1)
    return [directory.stat() for directory in directories]


def after(mount: Mount, directories: list[Path], end: Callable[[], object]) -> list[tuple[int, int]]:
    """By how much modification times went back, and change times went on, where the node ended and started again."""
    before = told(directories)
    end()
    mount.node.start()
    pairs = zip(before, told(directories), strict=True)
    return [(old.st_mtime_ns - new.st_mtime_ns, new.st_ctime_ns - old.st_ctime_ns) for old, new in pairs]


def worked_in(mount: Mount) -> list[Path]:
    """Directories in which names came and went, last of all the bucket's."""
    bucket = mount.path / BUCKET
    names = ["made", "unlinked", "renamed", "copied", "set", "mode", "idle"]
    made, unlinked, renamed, copied, given, mode, idle = directories = [bucket / name for name in names]
    for directory in directories:
        directory.mkdir()
        (directory / "first").write_bytes(b"tick")
    (made / "second").write_bytes(b"tick")
    (unlinked / "first").unlink()
    renamed = renamed.rename(bucket / "renamed again")
    (renamed / "first").rename(idle.parent / "moved")
    shutil.copytree(made, copied / "tree")
    os.utime(given, ns=(5, 1_234_567_890_123_456_789))
    mode.chmod(0o2750)
    return [made, unlinked, renamed, copied, copied / "tree", given, mode, idle, bucket]


def test_times_outlive_a_clean_end_of_the_node(own_mount: Mount) -> None:
    directories = worked_in(own_mount)
    for _ in range(2):
        went = after(own_mount, directories, own_mount.node.stop)
        assert all(back == 0 and on >= 0 for back, on in went), went
    assert (own_mount.path / BUCKET / "set").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (own_mount.path / BUCKET / "mode").stat().st_mode & 0o7777 == 0o2750


def test_a_kill_takes_the_last_seconds_and_nothing_that_was_synced(own_mount: Mount) -> None:
    directories = worked_in(own_mount)
    # That of a bucket is written once a minute, and lost here.
    busy, *others, _ = directories
    begun = busy.stat().st_mtime_ns
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        # What is written is never the last change.
        (busy / "again").touch()
        (busy / "again").unlink()
    went = after(own_mount, directories, own_mount.node.kill)
    assert all(on >= 0 for _, on in went), went
    assert [back for back, _ in went[1:-1]] == [0] * len(others), went
    assert busy.stat().st_mtime_ns > begun
    for directory in directories:
        (directory / "last").write_bytes(b"tick")
        synced(directory)
    went = after(own_mount, directories, own_mount.node.kill)
    assert all(back == 0 and on >= 0 for back, on in went), went
    # The names are there, too, though no file was synced.
    assert all((directory / "last").exists() for directory in directories)


def test_who_syncs_a_directory_is_told_that_the_node_ended_meanwhile(own_mount: Mount) -> None:
    bucket = own_mount.path / BUCKET
    descriptor = os.open(bucket, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
        (bucket / "file").write_bytes(b"tick")
        own_mount.node.kill()
        own_mount.node.start()
        with pytest.raises(OSError, match="Input/output error"):
            os.fsync(descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    synced(bucket)


def test_what_is_removed_and_renamed_meanwhile_is_where_it_was_left(own_mount: Mount) -> None:
    bucket, s3 = own_mount.path / BUCKET, own_mount.node.client()
    for number in range(30):
        directory = bucket / f"{number}"
        directory.mkdir()
        (directory / "file").touch()
        (directory / "file").unlink()
        if number % 3 == 0:
            directory.rmdir()
        elif number % 3 == 1:
            directory.rename(bucket / f"renamed {number}")
        else:
            s3.delete_object(Bucket=BUCKET, Key=f"{number}/")
    own_mount.node.stop()
    own_mount.node.start()
    time.sleep(LONG / 2)
    kept = sorted(f"renamed {number}" for number in range(1, 30, 3))
    assert s3_keys(own_mount) == [f"{name}/" for name in kept]
    assert sorted(entry.name for entry in bucket.iterdir()) == kept


def s3_keys(mount: Mount) -> list[str]:
    held = mount.node.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [entry["Key"] for entry in held]


def test_trees_that_were_copied_with_their_times_keep_them(own_mount: Mount, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(20):
        directory = source / f"{number}" / "below"
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(b"tick")
    for place in [*source.glob("*"), *source.glob("*/*")]:
        os.utime(place, ns=(0, 10**18 + place.stat().st_ino))
    copy = own_mount.path / BUCKET / "copy"
    subprocess.run(["cp", "-a", source, copy], check=True)

    def times(root: Path) -> dict[str, int]:
        return {str(place.relative_to(root)): place.stat().st_mtime_ns for place in sorted(root.rglob("*"))}

    assert times(copy) == times(source)
    own_mount.node.stop()
    own_mount.node.start()
    time.sleep(LONG / 2)
    assert times(copy) == times(source)

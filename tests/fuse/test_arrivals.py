"""A file is there on every face when its making or its `close` is answered, and on the disk a moment later."""

import errno
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANY = 300


def keys(s3: "S3Client", prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"].removeprefix(prefix) for page in pages for entry in page.get("Contents", [])]


def body(s3: "S3Client", key: str) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_s3_sees_what_was_closed(folder: Path, s3: "S3Client") -> None:
    for number in range(MANY):
        content = os.urandom(number)
        (folder / f"{number:04}").write_bytes(content)
        assert body(s3, f"{folder.name}/{number:04}") == content


def test_s3_lists_what_was_closed_and_what_is_open(folder: Path, s3: "S3Client") -> None:
    for number in range(MANY):
        (folder / f"{number:04}").write_bytes(b"tick")
    with (folder / "open").open("wb") as file:
        assert keys(s3, f"{folder.name}/") == ["", *(f"{number:04}" for number in range(MANY)), "open"]
        file.write(b"later")
    assert body(s3, f"{folder.name}/open") == b"later"


def test_s3_deletes_what_was_just_made(folder: Path, s3: "S3Client") -> None:
    for number in range(50):
        (folder / "file").write_bytes(b"tick")
        if number % 2:
            s3.delete_object(Bucket=BUCKET, Key=f"{folder.name}/file")
        else:
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"{folder.name}/file"}]})
        with pytest.raises(ClientError):
            body(s3, f"{folder.name}/file")
        assert keys(s3, f"{folder.name}/") == [""]


def test_s3_copies_and_renames_what_was_just_made(folder: Path, s3: "S3Client") -> None:
    for number in range(20):
        (folder / f"{number}").write_bytes(b"%d" % number)
        source = f"{BUCKET}/{folder.name}/{number}"
        s3.copy_object(Bucket=BUCKET, Key=f"{folder.name}/copy", CopySource=source)
        assert (folder / "copy").read_bytes() == b"%d" % number
        (folder / "copy").unlink()
        renamed = {"Bucket": BUCKET, "Key": f"{folder.name}/renamed-{number}"}
        s3.rename_object(**renamed, RenameSource=f"/{BUCKET}/{folder.name}/{number}")
        assert body(s3, f"{folder.name}/renamed-{number}") == b"%d" % number


def test_an_exclusive_put_is_refused_by_what_was_just_made(folder: Path, s3: "S3Client") -> None:
    for number in range(50):
        (folder / f"{number}").touch()
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=BUCKET, Key=f"{folder.name}/{number}", Body=b"", IfNoneMatch="*")
        assert refused.value.response["Error"]["Code"] == "PreconditionFailed"


def test_the_mount_sees_what_it_has_made(folder: Path) -> None:
    """Each verb on what is on its way, by name and by number."""
    for number in range(30):
        path = folder / f"{number}"
        path.write_bytes(b"tick" * number)
        assert path.stat().st_size == 4 * number
        assert path.read_bytes() == b"tick" * number
        inode = path.stat().st_ino
        path.chmod(0o600)
        os.setxattr(path, "user.kind", b"csv")
        assert os.getxattr(path, "user.kind") == b"csv"
        path.rename(folder / "renamed")
        assert (folder / "renamed").stat().st_ino == inode
        (folder / "renamed").replace(folder / "again")
        assert [entry.name for entry in folder.iterdir()] == ["again"]
        os.link(folder / "again", folder / "link")
        (folder / "again").unlink()
        (folder / "link").unlink()


def test_names_are_taken_once(folder: Path) -> None:
    for number in range(50):
        path = folder / f"{number}"
        with path.open("xb"):
            with pytest.raises(FileExistsError):
                path.mkdir()
            with pytest.raises(FileExistsError):
                path.symlink_to("elsewhere")
            with pytest.raises(FileExistsError):
                os.open(path, os.O_CREAT | os.O_EXCL)


def test_a_directory_with_what_was_just_made_is_not_empty(folder: Path) -> None:
    for number in range(50):
        (folder / "below").mkdir()
        (folder / "below" / "file").touch()
        with pytest.raises(OSError, match="not empty") as refused:
            (folder / "below").rmdir()
        assert refused.value.errno == errno.ENOTEMPTY
        (folder / "below").rename(folder / f"moved-{number}")
        assert (folder / f"moved-{number}" / "file").exists()


def test_another_mount_sees_what_was_closed(mount: Mount, folder: Path, tmp_path: Path) -> None:
    other = Mount(mount.node, tmp_path / "other")
    try:
        other.start()
        there = other.path / BUCKET / folder.name
        for number in range(50):
            (folder / f"{number}").write_bytes(b"%d" % number)
            assert (there / f"{number}").read_bytes() == b"%d" % number
    finally:
        other.close()


def test_writers_and_readers_at_once(folder: Path, s3: "S3Client") -> None:
    """Several processes make files in one directory while S3 lists it: names never go, and content is whole."""
    script = f"for i in $(seq {MANY}); do echo -n $0-$i > $0-$i; done"
    writers = [subprocess.Popen(["sh", "-c", script, name], cwd=folder) for name in "abc"]
    seen: set[str] = set()
    while any(writer.poll() is None for writer in writers):
        listed = set(keys(s3, f"{folder.name}/"))
        assert seen <= listed
        seen = listed
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(keys(s3, f"{folder.name}/")) == 3 * MANY + 1
    for name in "abc":
        assert body(s3, f"{folder.name}/{name}-{MANY}") == b"%s-%d" % (name.encode(), MANY)


def test_what_was_synced_is_there_after_the_node_was_killed(own_mount: Mount) -> None:
    folder = own_mount.path / BUCKET
    for number in range(40):
        with (folder / f"{number}").open("wb", buffering=0) as file:
            file.write(b"%d" % number)
            os.fsync(file.fileno())
    own_mount.node.kill()
    own_mount.node.start()
    for number in range(40):
        assert body(own_mount.node.client(), f"{number}") == b"%d" % number


def test_what_was_closed_is_there_whole_or_not_at_all(own_mount: Mount) -> None:
    """The node is killed in the midst: each file has its content, or is not there; all that S3 had seen are there."""
    folder = own_mount.path / BUCKET
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            try:
                (folder / f"{number:06}").write_bytes(b"%06d" % number * 100)
            except OSError:
                return
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    client = own_mount.node.client()
    while len(seen := client.list_objects_v2(Bucket=BUCKET).get("Contents", [])) < MANY:
        pass
    own_mount.node.kill()
    over.set()
    own_mount.node.start()
    writer.join(60)
    s3 = own_mount.node.client()
    listed = {entry["Key"]: entry["Size"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert {entry["Key"] for entry in seen} <= set(listed)
    for key, size in listed.items():
        assert size == 600 or key == max(listed), "the last one may have been open"
        assert body(s3, key) == (b"%06d" % int(key) * 100)[:size]


def test_what_was_closed_is_there_after_a_clean_end(own_mount: Mount) -> None:
    for number in range(MANY):
        (own_mount.path / BUCKET / f"{number}").write_bytes(b"%d" % number)
    own_mount.node.stop()
    own_mount.node.start()
    assert len(own_mount.node.client().list_objects_v2(Bucket=BUCKET)["Contents"]) == MANY


def test_a_synchronous_mount_has_kept_what_was_closed(own_mount: Mount, tmp_path: Path) -> None:
    other = Mount(own_mount.node, tmp_path / "sync", "--sync")
    try:
        other.start()
        for number in range(20):
            (other.path / BUCKET / f"{number}").write_bytes(b"%d" % number)
            if number % 10 == 9:
                own_mount.node.kill()
                own_mount.node.start()
        for number in range(20):
            assert body(own_mount.node.client(), f"{number}") == b"%d" % number
    finally:
        other.close()

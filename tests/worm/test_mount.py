"""Routes through a mount, with the rights of root on its machine: POSIX calls that change, replace or remove a file."""

import ctypes
import errno
import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuse.mounted import Mount
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record, later

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXCHANGE = 2
AT_FDCWD = -100


def file_of(mounted: Mount, record: Record) -> Path:
    """Where a record is a file."""
    return mounted.path / record.bucket / record.key


def refused(way: Callable[[], object], *numbers: int) -> None:
    """That a call answers one of these errors, EPERM if none is named."""
    try:
        way()
    except OSError as fault:
        assert fault.errno in (numbers or (errno.EPERM,)), fault
    else:
        raise AssertionError("it was not refused")


def _lock_by_default(s3: "S3Client", bucket: str, days: int) -> None:
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}},
        },
    )


def retain(s3: "S3Client", bucket: str, key: str) -> Record:
    """Lock what is there as a record is locked."""
    version, until = s3.head_object(Bucket=bucket, Key=key)["VersionId"], later(days=30)
    s3.put_object_retention(
        Bucket=bucket, Key=key, VersionId=version, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until}
    )
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return Record(bucket, key, version, until, body=body)


@protects(Clause.WORM, Clause.DURATION)
def test_unlink(mounted: Mount, record: Record) -> None:
    """unlink(2) of the file, and `rm -r` of the directory above."""
    path = file_of(mounted, record)
    refused(path.unlink)
    refused(lambda: shutil.rmtree(path.parent))
    assert path.read_bytes() == record.body


@protects(Clause.WORM)
def test_remove_what_is_above(mounted: Mount, record: Record) -> None:
    """rmdir(2) of the directory above it, and of its bucket."""
    path = file_of(mounted, record)
    refused(path.parent.rmdir, errno.ENOTEMPTY)
    refused((mounted.path / record.bucket).rmdir, errno.ENOTEMPTY)


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_rename(mounted: Mount, record: Record) -> None:
    """rename(2) of the file: beside it, out of its directory, and into another bucket."""
    path = file_of(mounted, record)
    refused(lambda: path.rename(path.with_name("away")))
    refused(lambda: path.rename(mounted.path / record.bucket / "away"))
    (mounted.path / "elsewhere").mkdir(exist_ok=True)
    refused(lambda: path.rename(mounted.path / "elsewhere" / "away"), errno.EPERM, errno.EXDEV)


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_rename_over_it_on_a_mount(mounted: Mount, record: Record) -> None:
    """rename(2) of another file over it, and an exchange of the two (`RENAME_EXCHANGE`)."""
    path = file_of(mounted, record)
    forged = path.with_name("forged")
    forged.write_bytes(b"forged")
    refused(lambda: forged.rename(path))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(AT_FDCWD, bytes(forged), AT_FDCWD, bytes(path), EXCHANGE) == -1
    assert ctypes.get_errno() in (errno.EINVAL, errno.EPERM)
    assert path.read_bytes() == record.body


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_rename_what_is_above(mounted: Mount, record: Record) -> None:
    """rename(2) of the directory above it, and of another directory over that."""
    path = file_of(mounted, record)
    refused(lambda: path.parent.rename(mounted.path / record.bucket / "away"))
    other = mounted.path / record.bucket / "other"
    other.mkdir()
    refused(lambda: other.rename(path.parent), errno.ENOTEMPTY, errno.EPERM, errno.EXDEV)
    assert path.read_bytes() == record.body


@protects(Clause.WORM, Clause.DURATION)
def test_rename_while_it_waits(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """A file renamed while it waits for its lock, the default taken away: locked by the rule it was written under."""
    _lock_by_default(s3, bucket, days=30)
    path = mounted.path / bucket / "fills"
    path.write_bytes(records.BODY)
    _lock_by_default(s3, bucket, days=1)
    path.rename(path.with_name("renamed"))
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    path.with_name("renamed").rename(path)
    path.chmod(0o444)
    version = s3.head_object(Bucket=bucket, Key="fills")["VersionId"]
    Record(bucket, "fills", version, later(days=30, minutes=-5)).assert_locked(s3)
    refused(lambda: path.rename(path.with_name("away")))


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_rename_where_it_was_deleted(mounted: Mount, s3: "S3Client", record: Record) -> None:
    """Files renamed to and from the record's name after an S3 DELETE: versions of their own beside it."""
    path = file_of(mounted, record)
    s3.delete_object(**record.here)
    # The kernel may know the name for a second still.
    records.comes(lambda: not path.exists())
    path.parent.mkdir()
    for content in [b"forged", bytes(3_000_000)]:
        path.with_name("other").write_bytes(content)
        path.with_name("other").rename(path)
        record.assert_kept(s3)
        path.rename(path.with_name("away"))
        record.assert_kept(s3)
    # Brought back, it is nobody's but its own, whatever is done to what had the name meanwhile.
    markers = s3.list_object_versions(Bucket=record.bucket, Prefix=record.key)["DeleteMarkers"]
    forged = s3.list_object_versions(Bucket=record.bucket, Prefix=record.key)["Versions"]
    for entry in [*markers, *forged]:
        if entry["VersionId"] != record.version:
            s3.delete_object(Bucket=record.bucket, Key=record.key, VersionId=entry["VersionId"])
    path.with_name("away").write_bytes(b"forged")
    records.comes(lambda: path.exists() and path.read_bytes() == record.body)
    refused(lambda: path.rename(path.with_name("away")))
    refused(lambda: path.with_name("away").rename(path))


@protects(Clause.WORM, Clause.DURATION)
def test_rename_what_is_locked_no_more(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """What was put without a lock, renamed in a bucket that locks by default: it is locked under its new name."""
    s3.put_object(Bucket=bucket, Key="fills", Body=records.BODY)
    _lock_by_default(s3, bucket, days=30)
    path = mounted.path / bucket / "fills"
    path.rename(path.with_name("renamed"))
    version = s3.head_object(Bucket=bucket, Key="renamed")["VersionId"]
    Record(bucket, "renamed", version, later(days=30, minutes=-5)).assert_locked(s3)
    refused(lambda: path.with_name("renamed").rename(path))
    refused(path.with_name("renamed").unlink)


@protects(Clause.WORM, Clause.MEDIA)
def test_open_to_write(mounted: Mount, record: Record) -> None:
    """open(2) to write, to append, and with O_TRUNC, also for reading alone."""
    path = file_of(mounted, record)
    for flags in [
        os.O_WRONLY,
        os.O_RDWR,
        os.O_WRONLY | os.O_APPEND,
        os.O_RDWR | os.O_TRUNC,
        os.O_TRUNC,
        os.O_CREAT | os.O_WRONLY,
    ]:
        refused(lambda flags=flags: os.open(path, flags))  # type: ignore[misc]
    assert path.read_bytes() == record.body


@protects(Clause.WORM)
def test_truncate(mounted: Mount, record: Record) -> None:
    """truncate(2) to nothing, to less, and to more."""
    for size in [0, 5, len(record.body) + 1]:
        refused(lambda size=size: os.truncate(file_of(mounted, record), size))  # type: ignore[misc]


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_change_attributes(mounted: Mount, record: Record) -> None:
    """chmod(2), chown(2), utimensat(2), setxattr(2) and removexattr(2), also of what says until when it is locked."""
    path = file_of(mounted, record)
    ways: list[Callable[[], object]] = [
        lambda: path.chmod(0o666),
        lambda: os.chown(path, 1000, 1000),
        lambda: os.utime(path, (0, 0)),
        lambda: os.setxattr(path, "user.desk", b"another"),
        lambda: os.setxattr(path, "user.s3.retain-until", b"0"),
        lambda: os.setxattr(path, "user.s3.legal-hold", b"OFF"),
        lambda: os.removexattr(path, "user.s3.lock-mode"),
    ]
    for way in ways:
        refused(way)


@protects(Clause.WORM)
def test_link(mounted: Mount, record: Record) -> None:
    """link(2): another name through which it might be changed, and another file linked over it."""
    path = file_of(mounted, record)
    refused(lambda: path.with_name("again").hardlink_to(path))
    path.with_name("other").write_bytes(b"forged")
    refused(lambda: path.hardlink_to(path.with_name("other")), errno.EEXIST)
    refused(lambda: path.symlink_to("other"), errno.EEXIST)
    assert path.read_bytes() == record.body


@protects(Clause.WORM)
def test_map_to_write(mounted: Mount, record: Record) -> None:
    """mmap(2): a shared map can't be made writable; a private one changes its own memory alone."""
    path = file_of(mounted, record)
    with path.open("rb") as file:
        refused(lambda: mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), errno.EACCES)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as private:
            private[:6] = b"forged"
    assert path.read_bytes() == record.body


@protects(Clause.WORM, Clause.MEDIA, Clause.AUTHENTIC)
def test_handles_from_before_the_lock(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """Two handles and a shared map that were opened to write before the lock was set: nothing of them is kept."""
    path = mounted.path / bucket / "fills"
    path.write_bytes(records.BODY)
    first, second = os.open(path, os.O_RDWR), os.open(path, os.O_WRONLY)
    with mmap.mmap(first, 0) as mapped:
        record = retain(s3, bucket, "fills")
        mapped[:6] = b"forged"
        os.pwrite(second, b"FORGED", 0)
        refused(lambda: os.ftruncate(first, 0))
        refused(lambda: os.fsync(second))
        refused(lambda: os.close(second))
        refused(mapped.flush)
    refused(lambda: os.close(first))
    record.assert_locked(s3)
    # What was refused goes when the kernel has told the mount of the last close.
    records.comes(lambda: path.read_bytes() == record.body)


@protects(Clause.WORM, Clause.DURATION)
def test_a_file_that_was_locked_by_its_mode(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """In a bucket with default retention, a file locked by `chmod a-w`: made writable again, rewritten, and removed."""
    _lock_by_default(s3, bucket, days=30)
    path = mounted.path / bucket / "fills"
    path.write_bytes(records.BODY)
    before = os.open(path, os.O_RDWR)
    path.chmod(0o444)
    head = s3.head_object(Bucket=bucket, Key="fills")
    record = Record(bucket, "fills", head["VersionId"], head["ObjectLockRetainUntilDate"])
    os.pwrite(before, b"forged", 0)
    refused(lambda: os.close(before))
    ways: list[Callable[[], object]] = [path.unlink, lambda: path.chmod(0o644), lambda: path.write_bytes(b"forged")]
    for way in ways:
        refused(way)
    # The default taken away loosens nothing.
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    refused(path.unlink)
    record.assert_locked(s3)


@protects(Clause.WORM, Clause.DURATION)
def test_the_default_taken_away_before_the_lock(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """The default taken away while a file waits for its lock: it is locked by the rule that it was written under."""
    _lock_by_default(s3, bucket, days=30)
    path = mounted.path / bucket / "fills"
    path.write_bytes(records.BODY)
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    path.chmod(0o400)
    version = s3.head_object(Bucket=bucket, Key="fills")["VersionId"]
    Record(bucket, "fills", version, later(days=30, minutes=-5)).assert_locked(s3)


@protects(Clause.WORM, Clause.DOWNLOAD)
def test_through_the_view_of_versions(mounted: Mount, s3: "S3Client", record: Record) -> None:
    """`.versions/`: unlink, rename, write, truncate, chmod, link and setxattr of the version's file, below a marker."""
    s3.delete_object(**record.here)
    path = mounted.path / record.bucket / ".versions" / record.key / record.version
    assert path.read_bytes() == record.body
    _every_change_is_refused(path, mounted.path / record.bucket)
    refused(path.parent.rmdir, errno.EROFS)
    refused((mounted.path / record.bucket / ".versions").rmdir, errno.EROFS)
    refused((mounted.path / record.bucket).rmdir, errno.ENOTEMPTY)


@protects(Clause.WORM, Clause.DOWNLOAD)
def test_through_the_view_of_keys(mounted: Mount, s3: "S3Client", bucket: str) -> None:
    """`.keys/`: the same of a record whose key is no path; and keys below its own, which would hide it."""
    record = records.store(s3, bucket, "fills//7731")
    path = mounted.path / bucket / ".keys" / "fills%2F%2F7731"
    assert path.read_bytes() == record.body
    _every_change_is_refused(path, mounted.path / bucket)
    record.assert_locked(s3)
    hidden = records.store(s3, bucket, "day")
    s3.put_object(Bucket=bucket, Key="day/other", Body=b"")
    assert (mounted.path / bucket / ".keys" / "day").read_bytes() == hidden.body
    shutil.rmtree(mounted.path / bucket / "day")
    hidden.assert_locked(s3)


def _every_change_is_refused(path: Path, bucket: Path) -> None:
    (bucket / "forged").write_bytes(b"forged")
    ways: list[Callable[[], object]] = [
        path.unlink,
        lambda: path.rename(path.with_name("away")),
        lambda: path.rename(bucket / "away"),
        lambda: (bucket / "forged").rename(path),
        lambda: path.write_bytes(b"forged"),
        lambda: os.truncate(path, 0),
        lambda: path.chmod(0o666),
        lambda: os.chown(path, 1, 1),
        lambda: os.utime(path, (0, 0)),
        lambda: (bucket / "again").hardlink_to(path),
        lambda: os.setxattr(path, "user.s3.retain-until", b"0"),
    ]
    for way in ways:
        refused(way, errno.EROFS, errno.EPERM)


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_write_where_it_was_deleted(mounted: Mount, s3: "S3Client", record: Record) -> None:
    """A file made, written and removed under the record's name after an S3 DELETE: versions of its own beside it."""
    path = file_of(mounted, record)
    s3.delete_object(**record.here)
    # The kernel may know the name for a second still.
    records.comes(lambda: not path.exists())
    path.parent.mkdir()
    path.write_bytes(b"forged")
    path.unlink()
    record.assert_kept(s3)


@protects(Clause.WORM)
def test_a_legal_hold_on_a_mount(mounted: Mount, held: Record) -> None:
    """A file under a legal hold alone: unlink, write, rename and chmod."""
    path = file_of(mounted, held)
    ways: list[Callable[[], object]] = [
        path.unlink,
        lambda: path.write_bytes(b"forged"),
        lambda: path.rename(path.with_name("away")),
        lambda: path.chmod(0o444),
    ]
    for way in ways:
        refused(way)

"""A mount that has the node for itself, and whose kernel keeps for a while what is written."""

import mmap
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.fuse.conftest import BUCKET, SETTINGS
from tests.fuse.mounted import Mount, served
from tests.served import PACKSTONE


@pytest.fixture(scope="module")
def exclusive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A node, and the mount that it has."""
    with served(tmp_path_factory.mktemp("exclusive"), SETTINGS, BUCKET, "--exclusive") as mount:
        yield mount
    assert "Traceback" not in mount.log()


@pytest.fixture
def own(exclusive: Mount, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own."""
    name: str = request.node.name
    made = exclusive.path / BUCKET / name.replace("[", "-").replace("]", "")
    made.mkdir()
    return made


def stored(mount: Mount, path: Path) -> bytes:
    key = str(path.relative_to(mount.path / BUCKET))
    return mount.node.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_what_was_written_in_small_pieces_is_there_when_it_is_closed_or_synced(exclusive: Mount, own: Path) -> None:
    random = Random(5)
    model = bytearray(300_000)
    with (own / "file").open("wb", buffering=0) as file:
        file.truncate(len(model))
        for turn in range(2_000):
            piece = random.randbytes(random.randrange(1, 300))
            at = random.randrange(len(model) - len(piece))
            model[at : at + len(piece)] = piece
            os.pwrite(file.fileno(), piece, at)
            if turn % 500 == 499:
                os.fsync(file.fileno())
                assert stored(exclusive, own / "file") == model
    assert stored(exclusive, own / "file") == model
    with (own / "file").open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(b"appended")
            model += b"appended"
        # Before the node knows of it.
        assert (own / "file").stat().st_size == len(model)
        assert (own / "file").read_bytes() == model
    assert stored(exclusive, own / "file") == model
    assert (own / "file").read_bytes() == model


def test_what_is_opened_to_be_written_alone_is_written_within_pages(exclusive: Mount, own: Path) -> None:
    (own / "file").write_bytes(b"a" * 10_000)
    subprocess.run(["sh", "-c", "echo 3 > /proc/sys/vm/drop_caches"], check=True)
    file = os.open(own / "file", os.O_WRONLY)
    os.pwrite(file, b"bcd", 5_000)
    os.close(file)
    expected = b"a" * 5_000 + b"bcd" + b"a" * 4_997
    assert stored(exclusive, own / "file") == expected
    assert (own / "file").read_bytes() == expected


def test_a_time_that_was_set_stays(exclusive: Mount, own: Path) -> None:
    for deed in ("written", "closed"):
        path = own / deed
        with path.open("wb") as file:
            file.write(b"tick")
            if deed == "written":
                file.flush()
                os.utime(file.fileno(), ns=(7, 1_700_000_000_123_456_789))
        if deed == "closed":
            os.utime(path, ns=(7, 1_700_000_000_123_456_789))
    written = (own / "now").write_bytes(b"tick"), (own / "now").stat().st_mtime_ns
    exclusive.stop()
    exclusive.start()
    assert [(own / deed).stat().st_mtime_ns for deed in ("written", "closed")] == [1_700_000_000_123_456_789] * 2
    assert (own / "now").stat().st_mtime_ns == written[1]


def test_what_is_mapped_truncated_and_renamed(exclusive: Mount, own: Path) -> None:
    (own / "file").write_bytes(b"a" * 100_000)
    with (own / "file").open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        pages[50_000:50_003] = b"fxo"
        pages.flush()
    (own / "file").rename(own / "renamed")
    os.truncate(own / "renamed", 60_000)
    expected = b"a" * 50_000 + b"fxo" + b"a" * 9_997
    assert stored(exclusive, own / "renamed") == expected
    os.truncate(own / "renamed", 70_000)
    assert (own / "renamed").read_bytes() == expected + bytes(10_000)
    (own / "renamed").unlink()
    assert list(own.iterdir()) == []


def test_what_s3_puts_is_seen(exclusive: Mount, own: Path) -> None:
    (own / "file").write_bytes(b"written")
    assert (own / "file").read_bytes() == b"written"
    exclusive.node.client().put_object(Bucket=BUCKET, Key=f"{own.name}/file", Body=b"put")
    subprocess.run(["sleep", "1.1"], check=True)
    assert (own / "file").read_bytes() == b"put"


def test_a_database_is_whole_after_the_end_of_the_mount(exclusive: Mount, own: Path) -> None:
    with closing(sqlite3.connect(own / "base")) as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table tick (id integer primary key, price real)")
        for number in range(50):
            base.execute("insert into tick values (?, ?)", (number, number / 7))
            base.commit()
        exclusive.kill()
    exclusive.start()
    with closing(sqlite3.connect(own / "base")) as base:
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
        assert base.execute("select count(*) from tick").fetchone() == (50,)


def test_what_was_never_synced_is_gone_with_the_node_and_its_length_too(exclusive: Mount, own: Path) -> None:
    file = os.open(own / "file", os.O_RDWR | os.O_CREAT)
    os.write(file, b"synced")
    os.fsync(file)
    os.write(file, b"x" * 5_000)
    exclusive.node.kill()
    exclusive.node.start()
    with pytest.raises(OSError, match=r"Stale|Input/output"):
        os.close(file)
    assert (own / "file").read_bytes() == b"synced"
    with (own / "file").open("ab") as again:
        again.write(b", and more")
    assert stored(exclusive, own / "file") == b"synced, and more"


def test_a_version_that_comes_back_has_its_length(exclusive: Mount) -> None:
    s3, bucket = exclusive.node.client(), exclusive.path / "versioned"
    bucket.mkdir()
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    (bucket / "file").write_bytes(b"a" * 100)
    (bucket / "file").write_bytes(b"b" * 5)
    assert (bucket / "file").read_bytes() == b"b" * 5
    newest = s3.head_object(Bucket="versioned", Key="file")["VersionId"]
    s3.delete_object(Bucket="versioned", Key="file", VersionId=newest)
    deadline = time.monotonic() + 30
    while (bucket / "file").read_bytes() != b"a" * 100:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with (bucket / "file").open("ab") as file:
        file.write(b"c")
    assert s3.get_object(Bucket="versioned", Key="file")["Body"].read() == b"a" * 100 + b"c"


def test_there_is_no_other_mount_beside_it(exclusive: Mount, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    command: list[str | Path] = [PACKSTONE, "mount", tmp_path / "other", "--data", exclusive.node.data]
    for options, said in (
        ([], "another mount has the node for itself: end it, or mount it without --exclusive"),
        (["--exclusive"], "the node has other mounts, or serves NFS: end them, or leave --exclusive out"),
        (["--exclusive", "--endpoint", "https://127.0.0.1:1"], "--data and --endpoint name two nodes: give one"),
    ):
        done = subprocess.run(
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=exclusive.node.environment(),
        )
        assert done.returncode == 1
        assert done.stderr.strip().endswith(said), done.stderr

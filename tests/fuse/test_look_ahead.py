"""What is told ahead of look-ups in order is as true as what they would be told."""

import ctypes
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from fuse.look_ahead import VIEWS
from tests.fuse.conftest import BUCKET, SETTINGS
from tests.fuse.mounted import Mount, served
from tests.iam.conftest import Key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be several users")

libc: Final = ctypes.CDLL(None)
FILES: Final = 400
GUEST: Final = 1001


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A mount whose node has files; other mounts of it begin with a kernel that knows none."""
    with served(tmp_path_factory.mktemp("ahead"), SETTINGS, BUCKET) as mount:
        yield mount


@contextmanager
def fresh(node: Mount, point: Path, folder: str, *, believe: int = 3600) -> Iterator[tuple[Path, "Guest"]]:
    """A directory of files of which a kernel knows nothing yet, and will believe that long what isn't called back."""
    s3 = node.node.client()

    def put(number: int) -> None:
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/{number:06}", Body=b"old")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(put, range(FILES)))
    mount = Mount(node.node, point, "--allow-other", "--believe", str(believe))
    try:
        mount.start()
        there = mount.path / BUCKET / folder
        there.chmod(0o755)
        # Until the kernel is given as much to believe as it may be.
        time.sleep(1.5)
        guest = Guest(there)
        try:
            yield there, guest
        finally:
            guest.close()
    finally:
        mount.close()
    assert "Traceback" not in mount.log()


class Guest:
    """Somebody who changes nothing, in a directory: what others look up isn't what it looked up."""

    def __init__(self, there: Path) -> None:
        # Opened by root: not everybody may walk there.
        self._directory = os.open(there, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self._directory)

    def walk(self, *numbers: int) -> list[int | None]:
        """Sizes, by look-ups in order; None where nothing is there."""
        libc.setfsuid(GUEST)
        try:
            return [self._size(number) for number in numbers]
        finally:
            libc.setfsuid(0)

    def _size(self, number: int) -> int | None:
        try:
            return os.stat(f"{number:06}", dir_fd=self._directory).st_size
        except FileNotFoundError:
            return None


def test_what_this_mount_changes_behind_a_walk_is_told_at_once(node: Mount, tmp_path: Path) -> None:
    with fresh(node, tmp_path / "own", "own") as (there, guest):
        assert guest.walk(*range(30)) == [3] * 30
        for number in (40, 60, 70, 80, 130, 200):
            walk_to(guest, number)
            (there / f"{number:06}").unlink()
            assert guest.walk(number) == [None]
        walk_to(guest, 250)
        (there / "000260").rename(there / "000261")
        assert guest.walk(260, 261) == [None, 3]
        (there / "000262").rename(there / "below")
        assert guest.walk(262) == [None]
        (there / "000263").unlink()
        (there / "000263").mkdir()
        assert guest.walk(263) == [0]
        assert guest.walk(*range(264, FILES)) == [3] * (FILES - 264)


def walk_to(guest: Guest, number: int) -> None:
    """As far as the names before it."""
    for before in range(max(0, number - 30), number):
        guest.walk(before)


def test_what_is_written_through_a_handle_behind_a_walk_is_told_at_once(node: Mount, tmp_path: Path) -> None:
    with (
        fresh(node, tmp_path / "handle", "handle", believe=3) as (there, guest),
        (there / "000070").open("r+b", buffering=0) as written,
        (there / "000071").open("r+b") as truncated,
    ):
        # Until the kernel asks for the names again.
        time.sleep(3)
        assert guest.walk(*range(60)) == [3] * 60
        written.write(b"longer")
        os.truncate(truncated.fileno(), 1)
        assert guest.walk(*range(60, 73)) == [3] * 10 + [6, 1, 3]


def test_what_s3_changes_behind_the_walk_is_called_back(node: Mount, tmp_path: Path) -> None:
    s3: S3Client = node.node.client()
    with fresh(node, tmp_path / "other", "other") as (there, guest):
        assert guest.walk(*range(30)) == [3] * 30
        s3.put_object(Bucket=BUCKET, Key="other/000040", Body=b"from elsewhere")
        s3.delete_object(Bucket=BUCKET, Key="other/000041")
        # It is told a moment later.
        time.sleep(1)
        assert guest.walk(*range(30, 41)) == [3] * 10 + [len(b"from elsewhere")]
        with pytest.raises(FileNotFoundError):
            (there / "000041").stat()
        assert (there / "000040").read_bytes() == b"from elsewhere"
        assert guest.walk(*range(42, FILES)) == [3] * (FILES - 42)


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_behind_walks(node: Mount, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with fresh(node, tmp_path / "random", f"random{seed}") as (there, guest):
        known: dict[int, int] = dict.fromkeys(range(FILES), 3)
        for _ in range(3):
            at = 0
            while at < FILES:
                further = range(at, min(FILES, at + chance.randrange(1, 40)))
                assert guest.walk(*further) == [known.get(number) for number in further]
                at = further.stop
                for _ in range(chance.randrange(4)):
                    change(there, chance, known, min(FILES - 1, at + chance.randrange(40)))


def change(there: Path, chance: random.Random, known: dict[int, int], number: int) -> None:
    path, other = there / f"{number:06}", chance.randrange(FILES)
    match chance.choice(("write", "unlink", "rename", "link")):
        case "write":
            known[number] = chance.randrange(1, 5000)
            path.write_bytes(b"w" * known[number])
        case "unlink" if number in known:
            path.unlink()
            del known[number]
        case "rename" if number in known and other != number:
            path.rename(there / f"{other:06}")
            known[other] = known.pop(number)
        case "link" if number in known and other not in known:
            (there / f"{other:06}").hardlink_to(path)
            os.truncate(there / f"{other:06}", 1)
            path.unlink()
            del known[number]
            known[other] = 1
        case _:
            pass


def test_what_is_told_ahead_asks_the_node_nothing(node: Mount, tmp_path: Path) -> None:
    with fresh(node, tmp_path / "silent", "silent") as (_, guest):
        assert guest.walk(*range(30)) == [3] * 30
        time.sleep(0.2)
        process = node.node.process
        assert process is not None
        resumed = threading.Event()

        def resume() -> None:
            resumed.set()
            process.send_signal(signal.SIGCONT)

        # So that nobody hangs for ever where it does ask.
        timer = threading.Timer(20, resume)
        timer.start()
        process.send_signal(signal.SIGSTOP)
        try:
            assert guest.walk(*range(30, 45)) == [3] * 15
            assert not resumed.is_set()
        finally:
            timer.cancel()
            resume()


def test_who_may_not_list_looks_up_as_before(node: Mount, tmp_path: Path) -> None:
    desk = Key(node.node.user, node.node.password).client(node.node, "iam")
    desk.create_user(UserName="reader", Tags=[{"Key": "packstone:uid", "Value": str(GUEST)}])
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    desk.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=policy)
    try:
        with fresh(node, tmp_path / "reader", "reader") as (_, guest):
            assert guest.walk(*range(100)) == [3] * 100
    finally:
        desk.delete_user_policy(UserName="reader", PolicyName="reads")
        desk.delete_user(UserName="reader")


def test_a_node_that_was_away_has_its_files_asked_for_again(node: Mount, tmp_path: Path) -> None:
    with fresh(node, tmp_path / "away", "away") as (_, guest):
        assert guest.walk(*range(30)) == [3] * 30
        node.node.kill()
        node.node.start()
        # The node has nothing left to call back of what it told before.
        s3 = node.node.client()
        s3.put_object(Bucket=BUCKET, Key="away/000040", Body=b"since then")
        s3.delete_object(Bucket=BUCKET, Key="away/000041")
        time.sleep(2.5)
        assert guest.walk(*range(36, 44)) == [3] * 4 + [10, None, 3, 3]


def test_views_are_known_by_their_numbers(node: Mount, tmp_path: Path) -> None:
    """So that nothing is asked for ahead there: a listing of `.keys/` reads all keys, which a look-up doesn't."""
    s3: S3Client = node.node.client()
    for number in range(20):
        s3.put_object(Bucket=BUCKET, Key=f"views//{number:06}", Body=b"odd")
    mount = Mount(node.node, tmp_path / "views", "--believe", "3600")
    try:
        mount.start()
        for view in (".keys", ".versions"):
            assert (mount.path / BUCKET / view).stat().st_ino >= VIEWS
        assert (mount.path / BUCKET).stat().st_ino < VIEWS
        names = [f"views%2F%2F{number:06}" for number in range(20)]
        assert [(mount.path / BUCKET / ".keys" / name).stat().st_size for name in names] == [3] * 20
    finally:
        mount.close()
    assert "Traceback" not in mount.log()

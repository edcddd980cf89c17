"""`packstone pin`: pages are in memory, stay there, and follow what becomes of the files."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from fuse.pinning import Pinner, walk
from fuse.residence import Mapping
from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount
from tests.fuse.test_content import key
from tests.served import PACKSTONE, environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIZE = 3 << 20
PAGE = 4096
EVERY = "50 ms"


def in_memory(path: Path) -> int:
    """Bytes of a file in the page cache, of which nothing is read for it."""
    with path.open("rb") as file:
        mapping = Mapping(file.fileno(), path.stat().st_size)
    try:
        return mapping.resident()
    finally:
        mapping.close()


def give_up(path: Path) -> None:
    """Have the kernel drop what it may of a file."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def comes(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Pin:
    """A `packstone pin --json` that runs."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [PACKSTONE, "pin", "--json", "--interval", EVERY, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def told(self) -> dict[str, int]:
        """What it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=30)[1]
        told: dict[str, int] = json.loads(line)
        return told

    def locked(self) -> int:
        """Bytes that the process has locked."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmLck:"))

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=60)
        assert (self.process.returncode, complaints) == (0, "")


@pytest.fixture
def pin() -> Iterator[Callable[..., Pin]]:
    """Starts one, and sees to it that it ends."""
    made: list[Pin] = []

    def start(*arguments: str | Path) -> Pin:
        made.append(Pin(*arguments))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def test_a_tree_stays_in_memory(folder: Path, s3: "S3Client", pin: Callable[..., Pin]) -> None:
    paths = [folder / "one", folder / "below" / "two"]
    for path in [*paths, folder / "other"]:
        s3.put_object(Bucket=BUCKET, Key=str(path.relative_to(folder.parent)), Body=Random(1).randbytes(SIZE))
    assert [in_memory(path) for path in paths] == [0, 0]
    running = pin(*paths)
    assert running.told() == {"files": 2, "size": 2 * SIZE, "resident": 2 * SIZE, "left_out": 0, "faults": []}
    assert running.locked() == 2 * SIZE
    (folder / "other").read_bytes()
    for path in [*paths, folder / "other"]:
        give_up(path)
    assert [in_memory(path) for path in paths] == [SIZE, SIZE]
    assert in_memory(folder / "other") == 0
    running.end()
    for path in paths:
        give_up(path)
    assert [in_memory(path) for path in paths] == [0, 0]


def test_what_becomes_of_files_is_followed(folder: Path, s3: "S3Client", pin: Callable[..., Pin]) -> None:
    def put(name: str, size: int) -> None:
        s3.put_object(Bucket=BUCKET, Key=key(folder, name), Body=Random(size).randbytes(size))

    put("replaced", SIZE)
    put("deleted", PAGE)
    running = pin(folder)
    assert running.told()["size"] == SIZE + PAGE
    put("replaced", 2 * SIZE)
    put("new", 2 * PAGE)
    s3.delete_object(Bucket=BUCKET, Key=key(folder, "deleted"))
    comes(lambda: running.locked() == 2 * SIZE + 2 * PAGE)
    comes(lambda: in_memory(folder / "replaced") == 2 * SIZE)
    with (folder / "new").open("ab") as file:
        file.write(bytes(PAGE))
    comes(lambda: running.locked() == 2 * SIZE + 3 * PAGE)
    (folder / "new").rename(folder / "renamed")
    (folder / "again").hardlink_to(folder / "renamed")
    (folder / "link").symlink_to(folder)
    comes(lambda: len(list(folder.iterdir())) == 4)
    comes(lambda: in_memory(folder / "again") == 3 * PAGE)
    assert running.locked() == 2 * SIZE + 3 * PAGE
    running.end(signal.SIGINT)


def test_what_is_held_outlives_the_node(own_mount: Mount, pin: Callable[..., Pin]) -> None:
    path = own_mount.path / BUCKET / "file"
    own_mount.node.client().put_object(Bucket=BUCKET, Key="file", Body=bytes(SIZE))
    running = pin(path.parent)
    assert running.told()["resident"] == SIZE
    own_mount.node.kill()
    own_mount.node.start()
    assert (in_memory(path), running.locked()) == (SIZE, SIZE)
    own_mount.node.client().put_object(Bucket=BUCKET, Key="more", Body=bytes(SIZE))
    comes(lambda: running.locked() == 2 * SIZE)
    # The mount goes: what was held stays until another stands in its place.
    own_mount.kill()
    own_mount.start()
    comes(lambda: in_memory(path) == SIZE)
    assert running.process.poll() is None


def test_what_was_given_up_is_read_again_without_locks(folder: Path, pin: Callable[..., Pin]) -> None:
    (folder / "file").write_bytes(bytes(SIZE))
    give_up(folder / "file")
    assert in_memory(folder / "file") == 0
    running = pin("--touch", folder)
    assert (running.told()["resident"], running.locked()) == (SIZE, 0)
    give_up(folder / "file")
    comes(lambda: in_memory(folder / "file") == SIZE)
    running.end()


def refusal(*arguments: str | Path, before: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        [*before, PACKSTONE, "pin", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_what_can_not_be_held_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 42)
    assert "raise --share" in refusal(tmp_path)
    (tmp_path / "large").write_bytes(bytes(SIZE))
    unprivileged = ("setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "prlimit", "--memlock=65536")
    assert "ulimit -H -l" in refusal(tmp_path, before=unprivileged)


def pinner(limit: int = 1 << 30, most_files: int = 1000) -> Pinner:
    return Pinner(limit=limit, most_files=most_files, lock=True, is_ended=lambda: False)


def test_what_comes_later_keeps_to_the_limits(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(bytes(PAGE))
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for held in (pinner(limit=2 * PAGE), pinner(most_files=1)):
        assert held.apply(walk([tmp_path]), lambda _: None)[:4] == (1, PAGE, PAGE, 0)
        (tmp_path / "second").write_bytes(bytes(PAGE + 1))
        assert held.apply(walk([tmp_path]), lambda _: None)[:4] == (1, PAGE, PAGE, 1)
        (tmp_path / "first").unlink()
        assert held.apply(walk([tmp_path]), lambda _: None)[:4] == (1, 2 * PAGE, 2 * PAGE, 0)
        (tmp_path / "second").rename(tmp_path / "first")
        (tmp_path / "first").write_bytes(bytes(PAGE))
        held.apply(walk([tmp_path]), lambda _: None)


def test_nothing_is_let_go_while_a_tree_is_away(tmp_path: Path) -> None:
    tree, away = tmp_path / "tree", tmp_path / "away"
    tree.mkdir()
    (tree / "file").write_bytes(bytes(PAGE))
    held = pinner()
    held.apply(walk([tree]), lambda _: None)
    tree.rename(away)
    standing = held.apply(walk([tree]), lambda _: None)
    assert (standing.files, standing.faults) == (1, (f"{tree}: No such file or directory",))
    tree.mkdir()
    assert held.apply(walk([tree]), lambda _: None) == (0, 0, 0, 0, ())


def test_a_file_that_was_cut_is_held_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10 * PAGE))
    held, tree = pinner(), walk([tmp_path])
    held.apply(tree, lambda _: None)
    path.write_bytes(bytes(PAGE))
    # By the tree of before, as if it had been cut just after the walk.
    assert held.apply(tree, lambda _: None)[:3] == (0, 0, 0)
    assert held.apply(walk([tmp_path]), lambda _: None)[:3] == (1, PAGE, PAGE)

"""fsx, with maps, alone, while S3 reads the object, and while drives fail: no byte may differ from what it knows.

`PACKSTONE_FSX` says how many operations a seed has, of the eight seeds.
"""

import hashlib
import os
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from botocore.exceptions import ClientError

from gateway.cli.control_client import ControlClient
from gateway.control.documents import StatusDocument
from tests.drives.conftest import SETTINGS, Appliance
from tests.fuse.mounted import Mount, served
from tests.programs.conftest import BUCKET, program, run
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OPERATIONS: Final = int(os.environ.get("PACKSTONE_FSX", "100000"))
SEEDS: Final = range(1, 9)
SMALL: Final = 256 << 10
LARGE: Final = 3 << 20
"""It stands in pieces, and each change writes some of them."""
LARGER: Final = 12 << 20
"""In several whole ones, too."""
UNPLUGGINGS: Final = 25
"""Of each drive: it is left alone for twice as long each time that it fails, so there is an end to it."""
TRIED_AGAIN: Final = {"PACKSTONE_ENGINE__RETRY_FAILED": "0.000000001 s"}
"""For the 25th time after 17 ms."""
WEIGHTS: Final = {
    "close_open": 1,
    "read": 10,
    "write": 10,
    "mapread": 10,
    "mapwrite": 10,
    "invalidate": 1,
    "truncate": 2,
    "fsync": 1,
    "fdatasync": 1,
    "sendfile": 1,
    "posix_fadvise": 1,
    "copy_file_range": 1,
}


def fsx(folder: Path, scratch: Path, seed: int, length: int = SMALL, operations: int = OPERATIONS) -> Path:
    """Run it, which ends well if nothing differs; the file."""
    lines = [f"flen = {length}", "[weights]", *(f"{name} = {weight}" for name, weight in WEIGHTS.items())]
    (scratch / "fsx.toml").write_text("\n".join(lines))
    command: list[str | Path] = [
        program("fsx", "cargo install fsx --version 0.3.2"),
        "-f",
        scratch / "fsx.toml",
        "-S",
        str(seed),
    ]
    run(*command, "-N", str(operations), "-P", scratch, folder / "file")
    return folder / "file"


def stored(s3: "S3Client") -> bytes:
    """What S3 has of the file, whose tag is that of its bytes where it was written whole."""
    got = s3.get_object(Bucket=BUCKET, Key="folder/file")
    body = got["Body"].read()
    tag = got["ETag"].strip('"')
    assert len(body) == got["ContentLength"]
    assert "-" in tag or tag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    return body


@contextmanager
def meanwhile(work: "Meanwhile") -> Iterator[None]:
    """Have it go on until the end; it has met no fault."""
    work.start()
    try:
        yield
    finally:
        work.over.set()
        work.join(120)
    assert work.fault is None, repr(work.fault)
    assert work.rounds > 2, "it was too short a time"


class Meanwhile(threading.Thread, ABC):
    """Something that is done again and again beside fsx."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.fault: BaseException | None = None
        self.rounds = 0

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self.once()
                self.rounds += 1
        except BaseException as fault:  # noqa: BLE001 - whoever waits for it raises it
            self.fault = fault

    @abstractmethod
    def once(self) -> None:
        """Do it."""


class Reading(Meanwhile):
    """S3 reads the object whole: each time one version of it."""

    def __init__(self, s3: "S3Client") -> None:
        super().__init__()
        self._s3 = s3

    def once(self) -> None:
        try:
            stored(self._s3)
        except ClientError as fault:
            # Before fsx has made it.
            assert fault.response["Error"]["Code"] == "NoSuchKey"
        self.over.wait(0.05)


class Failing(Meanwhile):
    """One drive after another is unplugged for a while; the next one once all is whole."""

    def __init__(self, appliance: Appliance) -> None:
        super().__init__()
        self._appliance = appliance
        self._chance = random.Random(5)
        self._next = [number for _ in range(UNPLUGGINGS) for number in self._chance.sample(range(4), 4)]

    def once(self) -> None:
        if not self._next:
            self.over.wait()
            return
        number = self._next.pop()
        self._appliance.take_away(number)
        self.over.wait(self._chance.uniform(0.5, 4))
        self._appliance.bring_back(number)
        # What the node met while it was away may be known a moment later.
        self.over.wait(self._chance.uniform(0.5, 2))
        with ControlClient(self._appliance.node.data) as control:
            while not self._is_whole(control.status()) and not self.over.is_set():
                self.over.wait(0.2)

    @staticmethod
    def _is_whole(status: StatusDocument) -> bool:
        return all(drive.state == "online" for drive in status.drives) and not any(
            pool.degraded for pool in status.pools
        )


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_while_s3_reads(folder: Path, s3: "S3Client", tmp_path: Path, seed: int) -> None:
    with meanwhile(Reading(s3)):
        file = fsx(folder, tmp_path, seed)
    assert stored(s3) == file.read_bytes()


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_in_pieces(folder: Path, s3: "S3Client", tmp_path: Path, seed: int) -> None:
    file = fsx(folder, tmp_path, seed, LARGE, OPERATIONS // 5)
    assert stored(s3) == file.read_bytes()


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_where_the_kernel_keeps_what_is_written(tmp_path: Path, seed: int) -> None:
    with served(tmp_path, SETTINGS, BUCKET, "--exclusive") as mount:
        beside_readers(mount, tmp_path, seed, SMALL, OPERATIONS)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_while_pieces_are_merged(tmp_path: Path, seed: int) -> None:
    """Whenever there are short ones."""
    with served(tmp_path, SETTINGS | {"PACKSTONE_FILES__MERGE_FROM": "0"}, BUCKET) as mount:
        beside_readers(mount, tmp_path, seed, LARGE if seed % 2 else LARGER, OPERATIONS // 10)


def beside_readers(mount: Mount, scratch: Path, seed: int, length: int, operations: int) -> None:
    """Run it on that mount, while S3 reads."""
    s3 = mount.node.client()
    folder = mount.path / BUCKET / "folder"
    folder.mkdir()
    with meanwhile(Reading(s3)):
        file = fsx(folder, scratch, seed, length, operations)
    assert stored(s3) == file.read_bytes()
    assert "panicked" not in mount.node.log()


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_differs_while_drives_fail(tmp_path: Path, seed: int) -> None:
    """As many as the pool bears, one; afterwards each of the others may be lost."""
    appliance = Appliance(Node(tmp_path / "data", SETTINGS | TRIED_AGAIN), tmp_path)
    node = appliance.node
    node.initialise("3+1", [appliance.drive(number) for number in range(4)])
    node.start()
    mount = Mount(node, tmp_path / "mount")
    try:
        node.client().create_bucket(Bucket=BUCKET)
        mount.start()
        folder = mount.path / BUCKET / "folder"
        folder.mkdir()
        with meanwhile(Failing(appliance)):
            content = fsx(folder, tmp_path, seed).read_bytes()
        assert node.log().count("drive taken out of use") > 2
        appliance.wait_until_whole()
        for number in range(4):
            appliance.take_away(number)
            try:
                assert stored(node.client()) == content
            finally:
                appliance.bring_back(number)
                appliance.wait_until_whole()
    finally:
        mount.close()
        node.close()
    assert "panicked" not in node.log()

"""Pieces that are merged in the background while a node is killed: what was synced is there, with the tag it had."""

import os
import random
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from botocore.exceptions import ClientError

from tests.fuse.conftest import BUCKET, SETTINGS
from tests.fuse.mounted import Mount, served
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

MIB: Final = 1 << 20
SIZE: Final = 48 * MIB
ROUNDS: Final = 6
ALWAYS: Final = {"PACKSTONE_FILES__MERGE_FROM": "0"}
"""Whenever there are short pieces."""


@pytest.fixture
def merging(tmp_path: Path) -> Iterator[Mount]:
    """A mount of a node that merges all the time, with a bucket."""
    with served(tmp_path, SETTINGS | ALWAYS, BUCKET) as mount:
        yield mount
    assert "panicked" not in mount.node.log()


class File:
    """A large file of random bytes, and what should be in it."""

    def __init__(self, mount: Mount, chance: random.Random) -> None:
        """Write it."""
        self._node, self._chance = mount.node, chance
        self.path = mount.path / BUCKET / "file"
        self.model = bytearray(chance.randbytes(SIZE))
        self.path.write_bytes(self.model)
        self.inode = self.path.stat().st_ino

    def change(self, descriptor: int, times: int) -> None:
        """Change some of its bytes, each change synced."""
        for _ in range(times):
            piece, at = self._chance.randbytes(self._chance.randint(1, 5000)), self._chance.randrange(SIZE - 5000)
            os.pwrite(descriptor, piece, at)
            os.fsync(descriptor)
            self.model[at : at + len(piece)] = piece

    def head(self) -> "HeadObjectOutputTypeDef":
        """What S3 says of it."""
        return self._node.client().head_object(Bucket=BUCKET, Key="file")

    def expect(self, head: "HeadObjectOutputTypeDef") -> None:
        """Hold both faces to what it should be, with the tag and the time of before."""
        now = self.head()
        assert (now["ETag"], now["LastModified"]) == (head["ETag"], head["LastModified"])
        assert self._node.client().get_object(Bucket=BUCKET, Key="file")["Body"].read() == self.model
        assert self.path.read_bytes() == self.model
        assert self.path.stat().st_ino == self.inode


def merged(node: Node) -> int:
    """How many pieces fewer there are since the node's start, by the metric."""
    with urllib.request.urlopen(f"http://{node.control.partition('://')[2] or node.control}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(float(next(line for line in lines if line.startswith("packstone_merged_pieces_total ")).split()[1]))


def test_a_kill_in_the_middle_of_merging_loses_nothing(merging: Mount) -> None:
    chance = random.Random(11)
    file, node = File(merging, chance), merging.node
    for _ in range(ROUNDS):
        descriptor = os.open(file.path, os.O_RDWR)
        file.change(descriptor, chance.randint(5, 25))
        os.close(descriptor)
        head = file.head()
        time.sleep(chance.uniform(0, 0.6))
        node.kill()
        node.start()
        file.expect(head)


def test_no_part_is_told_under_a_tag_that_counted_others(merging: Mount) -> None:
    file, node = File(merging, random.Random(12)), merging.node
    descriptor = os.open(file.path, os.O_RDWR)
    file.change(descriptor, 3)
    head = file.head()
    deadline = time.monotonic() + 60
    while merged(node) < 3 * 15 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert merged(node) >= 3 * 15
    first = node.client().get_object(Bucket=BUCKET, Key="file", PartNumber=1, IfMatch=head["ETag"])
    assert "PartsCount" not in dict(first)
    assert first["Body"].read() == file.model
    with pytest.raises(ClientError, match="InvalidPartNumber"):
        node.client().get_object(Bucket=BUCKET, Key="file", PartNumber=2, IfMatch=head["ETag"])
    file.expect(head)
    os.close(descriptor)
    file.expect(head)

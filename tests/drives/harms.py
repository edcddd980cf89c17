"""What may happen to a drive, and how it is made good again.

A harm strikes once, while the node runs or while it is down, and is mended in either.
"""

import random
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.cli.control_client import ControlClient
from tests.served import Node

_NOTICED_SECONDS: Final = 60


def flip(path: Path, chance: random.Random) -> None:
    """Some bits flip."""
    with path.open("r+b") as file:
        for _ in range(5):
            file.seek(chance.randrange(path.stat().st_size))
            byte = file.read(1)
            if byte:
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 1 << chance.randrange(8)]))


def cut(path: Path, chance: random.Random) -> None:
    """The file ends early."""
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def remove(path: Path, _chance: random.Random) -> None:
    """The file is gone."""
    path.unlink()


_WAYS: Final[tuple[Callable[[Path, random.Random], None], ...]] = (flip, cut, remove)


class Harm(ABC):
    """Something that happens to one drive."""

    def __init__(self, drive: Path, chance: random.Random) -> None:
        """Nothing happens yet."""
        self.drive, self.chance = drive, chance
        self.mended = False

    def __str__(self) -> str:
        """Which, and to whom."""
        return f"{type(self).__name__} {self.drive.name}"

    @abstractmethod
    def strike(self, node: Node) -> None:
        """Do it, now."""

    @abstractmethod
    def mend(self, node: Node) -> None:
        """Do what an operator does about it."""


class Spoiled(Harm):
    """Files of the drive are flipped, cut or gone: shards at any time, journals while nobody writes them."""

    def mend(self, node: Node) -> None:
        """Nothing: it is the engine's to find and heal."""

    def strike(self, node: Node) -> None:
        places = ["segments"] if node.process is not None else ["segments", "journal"]
        for path in sorted(path for place in places for path in (self.drive / place).glob("*")):
            try:
                if self.chance.random() < 0.5 and path.stat().st_size:
                    self.chance.choice(_WAYS)(path, self.chance)
            except FileNotFoundError:
                # The node had no more use for it.
                continue


class Away(Harm):
    """The drive is unplugged, and comes back as it was."""

    @property
    def elsewhere(self) -> Path:
        """Where its directory is meanwhile."""
        return self.drive.with_name(f"{self.drive.name} unplugged")

    def strike(self, node: Node) -> None:  # noqa: ARG002 - others ask whether it runs
        self.drive.rename(self.elsewhere)

    def mend(self, node: Node) -> None:  # noqa: ARG002
        self.elsewhere.rename(self.drive)


class Restored(Away):
    """The drive is unplugged, and comes back as it was rounds ago, if there is a copy of that time."""

    def mend(self, node: Node) -> None:
        copy = copy_of(self.drive)
        if copy.exists():
            await_noticed(node, self.drive)
            shutil.rmtree(self.elsewhere)
            shutil.copytree(copy, self.drive)
        else:
            super().mend(node)


class Replaced(Away):
    """The drive dies, and an empty one takes its place."""

    def mend(self, node: Node) -> None:
        await_noticed(node, self.drive)
        shutil.rmtree(self.elsewhere)
        self.drive.mkdir()
        node.command("drive", "replace", self.drive)


class Unreadable(Harm):
    """The drive's superblock is overwritten while the node is down, and an empty drive takes its place.

    One that runs doesn't read it: it would hear of it at its next start, when others may have come to harm.
    """

    def strike(self, node: Node) -> None:
        if node.process is not None:
            return
        with (self.drive / "packstone.superblock").open("r+b") as file:
            file.write(self.chance.randbytes(16384))

    def mend(self, node: Node) -> None:
        if node.process is not None and is_online(node, self.drive):
            return
        shutil.rmtree(self.drive)
        self.drive.mkdir()
        node.command("drive", "replace", self.drive)


HARMS: Final[tuple[type[Harm], ...]] = (Spoiled, Spoiled, Away, Restored, Replaced, Unreadable)


def copy_of(drive: Path) -> Path:
    """Where the copy of a drive is, if one was made."""
    return drive.with_name(f"{drive.name} copy")


def copy_drive(drive: Path) -> None:
    """Keep a drive as it is; only while the node is down, so that it is a state that the drive was in."""
    shutil.rmtree(copy_of(drive), ignore_errors=True)
    shutil.copytree(drive, copy_of(drive))


def await_noticed(node: Node, drive: Path) -> None:
    """Have a drive that is gone be asked until the node knows; a real one would fail for those who have files open."""
    deadline = time.monotonic() + _NOTICED_SECONDS
    client = node.client() if node.process is not None else None
    while client is not None and is_online(node, drive):
        assert time.monotonic() < deadline, f"nobody noticed that {drive} is gone"
        for storage_class in ("STANDARD", "GLACIER"):
            client.put_object(Bucket="touch", Key=storage_class, Body=bytes(2 << 20), StorageClass=storage_class)
        with ControlClient(node.data) as control:
            control.seal()


def is_online(node: Node, drive: Path) -> bool:
    """Whether a running node has the drive in use."""
    with ControlClient(node.data) as control:
        return any(held.path == str(drive) and held.state == "online" for held in control.status().drives)

"""What an operator does meanwhile: sealing, moving a prefix between pools, taking a drive out for another one."""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.control_client import ControlClient
from tests.crash.ledger import BUCKET
from tests.drives.harms import copy_of
from tests.drives.versions import LOCKED
from tests.served import Node


@dataclass
class Pool:
    """A pool, and the directory that waits to become one of its drives."""

    name: str
    drive_class: str
    profile: str
    drives: list[Path]
    spare: Path

    @classmethod
    def make(cls, folder: Path, name: str, drive_class: str, profile: str) -> "Pool":
        """As many drives as the profile needs, and one to spare."""
        data, parity = (int(number) for number in profile.split("+"))
        *drives, spare = (folder / f"{name}{number}" for number in range(data + parity + 1))
        for place in (*drives, spare):
            place.mkdir()
        return cls(name, drive_class, profile, drives, spare)

    @property
    def parity(self) -> int:
        """How many of its drives may come to harm."""
        return int(self.profile.split("+")[1])

    def configured(self, *more: Path) -> dict[str, object]:
        """As the configuration has it, with `more` drives."""
        drives = [str(drive) for drive in (*self.drives, *more)]
        return {"name": self.name, "class": self.drive_class, "profile": self.profile, "drives": drives}


class Errand:
    """Nothing at all."""

    def __init__(self, pools: list[Pool], chance: random.Random) -> None:
        """What it is about is drawn here."""
        self.pools = pools
        self.pool = chance.choice(pools)
        self.drive = chance.choice(self.pool.drives)
        self.prefix = f"{chance.choice([BUCKET, LOCKED])}/client{chance.randrange(2)}/"

    def begin(self, node: Node) -> None:
        """While clients are at work."""

    def end(self, node: Node) -> None:
        """When all harm is mended."""

    def configure(self, node: Node, *more: Path) -> None:
        """Have the configuration name the drives of all pools, and `more` of this one."""
        pools = [pool.configured(*(more if pool is self.pool else ())) for pool in self.pools]
        node.settings["PACKSTONE_POOLS"] = json.dumps(pools)


class Sealing(Errand):
    """The journal and the open streams are sealed."""

    def begin(self, node: Node) -> None:
        with ControlClient(node.data) as control:
            control.seal()


class Moving(Errand):
    """A prefix is to be in one pool, whatever the classes of what is there."""

    def begin(self, node: Node) -> None:
        node.command("pool", "move", self.prefix, self.pool.name, "--detach")


class MovingBack(Errand):
    """A prefix is to be where the classes say."""

    def begin(self, node: Node) -> None:
        node.command("pool", "move", self.prefix, "--by-class", "--detach")


class Exchange(Errand):
    """The spare is added, and another drive is drained and removed, to be the spare from then on."""

    def begin(self, node: Node) -> None:
        self.configure(node, self.pool.spare)
        node.command("drive", "add", self.pool.spare)
        node.command("drive", "drain", self.drive, "--detach")

    def end(self, node: Node) -> None:
        node.command("drive", "drain", self.drive)
        told = node.command("drive", "remove", self.drive)
        left = [file for file in self.drive.rglob("*") if file.is_file()]
        assert not left or "doesn't answer" in told, f"{self.drive.name} was removed and holds {left}"
        self.pool.drives.remove(self.drive)
        self.pool.drives.append(self.pool.spare)
        self.configure(node)
        # What it was is no drive of the appliance any more, and a copy of that isn't one either.
        for place in (self.drive, copy_of(self.drive)):
            shutil.rmtree(place, ignore_errors=True)
        self.drive.mkdir()
        self.pool.spare = self.drive


ERRANDS: Final[tuple[type[Errand], ...]] = (Errand, Sealing, Moving, MovingBack, Exchange)

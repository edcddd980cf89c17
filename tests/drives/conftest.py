"""A node on real directories, whose drives are taken away, emptied and brought back."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.served import Node

SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
    "PACKSTONE_ENGINE__STREAM_SIZE": "16 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
    "PACKSTONE_ENGINE__CACHE_SIZE": "0",
    "PACKSTONE_ENGINE__SCRUB_PERIOD": "never",
    "PACKSTONE_ENGINE__RETRY_FAILED": "1 s",
}
_HEALED_SECONDS: Final = 60


@dataclass
class Appliance:
    """A node at 3+1 on four directories, and what was stored on it."""

    node: Node
    folder: Path
    stored: dict[str, bytes] = field(default_factory=dict)

    def drive(self, number: int) -> Path:
        """Where a drive is mounted."""
        return self.folder / f"drive{number}"

    def store(self, prefix: str, count: int = 30) -> None:
        """Put small objects and a large one, and seal them."""
        s3 = self.node.client()
        for number in range(count):
            self.stored[f"{prefix}/{number}"] = f"{prefix} {number}\n".encode() * 1500
        self.stored[f"{prefix}/large"] = bytes((number * 7 + len(prefix)) % 251 for number in range(3_000_000))
        for key in [key for key in list(self.stored) if key.startswith(f"{prefix}/")]:
            s3.put_object(Bucket="ticks", Key=key, Body=self.stored[key])
        self.node.command("seal")

    def check(self) -> None:
        """Read everything back."""
        s3 = self.node.client()
        for key, body in list(self.stored.items()):
            assert s3.get_object(Bucket="ticks", Key=key)["Body"].read() == body, key

    def status(self) -> Any:
        """What `packstone status` says."""
        return json.loads(self.node.command("status", "--json"))

    def wait_until_whole(self) -> None:
        """Wait until no segment lacks a shard and nothing is left to be healed, and have everything verified."""
        deadline = time.monotonic() + _HEALED_SECONDS
        while True:
            status = self.status()
            if status["healing"]["open"] == 0 and all(pool["degraded"] == 0 for pool in status["pools"]):
                break
            assert time.monotonic() < deadline, (
                status["healing"],
                status["pools"],
                status["warnings"],
                status["drives"],
            )
            time.sleep(0.1)
        assert self.node.command("verify", code=0)

    def take_away(self, number: int) -> None:
        """Take a drive out; nothing is mounted in its place."""
        self.drive(number).rename(self.drive(number + 10))

    def bring_back(self, number: int) -> None:
        """Mount it again."""
        self.drive(number + 10).rename(self.drive(number))

    def empty(self, number: int) -> None:
        """Mount an empty drive in a drive's place."""
        shutil.rmtree(self.drive(number), ignore_errors=True)
        self.drive(number).mkdir()

    def replace(self, number: int) -> None:
        """Exchange a drive for an empty one, as an operator does."""
        self.empty(number)
        told = self.node.command("drive", "replace", self.drive(number))
        assert f"drive {number};" in told


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """Running, with something stored."""
    made = Appliance(Node(tmp_path / "data", SETTINGS), tmp_path)
    made.node.initialise("3+1", [made.drive(number) for number in range(4)])
    made.node.start()
    made.node.client().create_bucket(Bucket="ticks")
    made.store("before")
    yield made
    made.node.close()
    assert "panicked" not in made.node.log()

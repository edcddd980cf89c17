"""Nodes, buckets with object lock, and the records that the routes try to end."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.fuse.mounted import Mount
from tests.served import Node
from tests.signing import Raw
from tests.worm import record as records
from tests.worm import wall_clock
from tests.worm.record import Record
from tests.worm.wall_clock import WallClock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NUMBERS: Final = itertools.count()
SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
    "PACKSTONE_ENGINE__SCRUB_PERIOD": "never",
}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for the routes through S3 that leave it running."""
    node = Node(tmp_path_factory.mktemp("worm") / "data")
    node.start()
    yield node
    node.close()
    assert "panicked" not in node.log()


@pytest.fixture(scope="session")
def s3(served: Node) -> "S3Client":
    """A client with the root credentials: nobody may do more."""
    return served.client()


@pytest.fixture(scope="session")
def mounted(served: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The same node as a file system."""
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    mount = Mount(served, tmp_path_factory.mktemp("worm") / "mount")
    mount.start()
    yield mount
    mount.close()


@pytest.fixture
def raw(served: Node) -> Raw:
    """Requests that boto3 would not send."""
    return Raw(served)


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """A bucket with object lock."""
    return records.lock_bucket(s3, f"records-{next(_NUMBERS)}")


@pytest.fixture
def record(s3: "S3Client", bucket: str) -> Iterator[Record]:
    """A record under COMPLIANCE retention for 30 days; whatever a test did, it must be there and locked at the end."""
    kept = records.store(s3, bucket)
    yield kept
    kept.assert_locked(s3)


@pytest.fixture
def held(s3: "S3Client", bucket: str) -> Iterator[Record]:
    """A record under a legal hold; whatever a test did, it must be there and held at the end."""
    kept = records.hold(s3, bucket)
    yield kept
    kept.assert_locked(s3)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of its own on four drives at 3+1, running, which a test may stop, kill and damage."""
    made = Node(tmp_path / "data", SETTINGS)
    made.initialise("3+1", [tmp_path / f"drive{number}" for number in range(4)])
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What gives a process another wall clock."""
    return wall_clock.build(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(clock_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """The wall clock of `timed`."""
    return WallClock(clock_library, tmp_path / "offset", monkeypatch)


@pytest.fixture
def timed(tmp_path: Path, clock: WallClock) -> Iterator[Node]:
    """A node of its own, running, whose machine's clock a test may set."""
    made = Node(tmp_path / "timed", SETTINGS | clock.environment)
    made.initialise("3+1", [tmp_path / f"timed{number}" for number in range(4)])
    made.start()
    yield made
    made.close()

"""A node that is served and mounted, for a file of tests or for one that may kill it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounted import Mount, skip_without_fuse
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "ticks"
SETTINGS = {"PACKSTONE_ENGINE__SPACE_RESERVE": "0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the kernel's side of FUSE there is nothing to mount."""
    skip_without_fuse(items, Path(__file__).parent)


def _mounted(scratch: Path) -> Iterator[Mount]:
    node = Node(scratch / "data", SETTINGS)
    node.start()
    mount = Mount(node, scratch / "mount")
    try:
        node.client().create_bucket(Bucket=BUCKET)
        mount.start()
        yield mount
    finally:
        mount.close()
        node.close()


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The mount that a file of tests shares."""
    yield from _mounted(tmp_path_factory.mktemp("fuse"))


@pytest.fixture
def own_mount(tmp_path: Path) -> Iterator[Mount]:
    """A mount that the test may kill, with its node."""
    yield from _mounted(tmp_path)


@pytest.fixture
def folder(mount: Mount, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own in the bucket."""
    name: str = request.node.name
    made = mount.path / BUCKET / name.replace("[", "-").replace("]", "")
    made.mkdir()
    return made


@pytest.fixture
def s3(mount: Mount) -> "S3Client":
    """A client of the same node."""
    return mount.node.client()

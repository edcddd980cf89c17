"""A node that is served and mounted, for a file of tests or for one that may kill it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounted import Mount, served, skip_without_fuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "ticks"
SETTINGS = {"PACKSTONE_ENGINE__SPACE_RESERVE": "0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the kernel's side of FUSE there is nothing to mount."""
    skip_without_fuse(items, Path(__file__).parent)


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """The mount that a file of tests shares."""
    with served(tmp_path_factory.mktemp("fuse"), SETTINGS, BUCKET) as made:
        yield made


@pytest.fixture
def own_mount(tmp_path: Path) -> Iterator[Mount]:
    """A mount that the test may kill, with its node."""
    with served(tmp_path, SETTINGS, BUCKET) as made:
        yield made


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

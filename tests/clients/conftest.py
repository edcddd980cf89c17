"""A node for real clients, and a real tree: the first thousand files of the machine's Python library."""

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.served import Node, environment

FILES: Final = 1000


def debian(command: str) -> str:
    """The client from Debian; tests that need it are skipped where it isn't installed."""
    found = f"/usr/bin/{command}"
    if not Path(found).exists():
        pytest.skip(f"{command} is not installed: apt-get install {'awscli' if command == 'aws' else command}")
    return found


def copy_library(to: Path, files: int) -> int:
    """Copy the first `files` regular files of the library tree in sorted order; return how many there were."""
    library = Path(sysconfig.get_path("stdlib"))
    chosen = []
    for path in sorted(library.rglob("*")):
        if path.is_file() and not path.is_symlink():
            chosen.append(path)
            if len(chosen) == files:
                break
    for path in chosen:
        target = to / path.relative_to(library)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return len(chosen)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that is copied in and brought back."""
    folder = tmp_path_factory.mktemp("tree")
    assert copy_library(folder, FILES) == FILES
    return folder


@pytest.fixture(scope="session")
def clients_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("clients") / "data")
    node.start()
    yield node
    node.close()
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in node.log(), node.log()[-3000:]


@pytest.fixture
def client_environment(clients_node: Node, tmp_path: Path) -> dict[str, str]:
    """What command-line clients find their credentials in; no configuration of the machine reaches them."""
    return environment(
        {
            "AWS_ACCESS_KEY_ID": clients_node.user,
            "AWS_SECRET_ACCESS_KEY": clients_node.password,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(tmp_path / "no-aws-config"),
            "HOME": str(tmp_path),
        }
    )

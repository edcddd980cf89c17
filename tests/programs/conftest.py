"""A mount for programs that know nothing of it, and an ordinary directory to compare with."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fuse.mounted import Mount, served, skip_without_fuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "work"
SETTINGS = {"PACKSTONE_ENGINE__SPACE_RESERVE": "0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the kernel's side of FUSE there is nothing to mount."""
    skip_without_fuse(items, Path(__file__).parent)


def program(name: str, how: str) -> str:
    """A program of the machine; tests that need it are skipped where it isn't, saying how it comes."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: {how}")
    return found


def run(*command: str | Path, cwd: Path | None = None, timeout: float = 3600) -> str:
    """Run a program that must end well; return what it said. No configuration of the user's reaches it."""
    environment = os.environ | {
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_AUTHOR_NAME": "tester",
        "GIT_AUTHOR_EMAIL": "tester@localhost",
        "GIT_COMMITTER_NAME": "tester",
        "GIT_COMMITTER_EMAIL": "tester@localhost",
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=environment,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A mount that the test may kill, with its node."""
    with served(tmp_path, SETTINGS, BUCKET) as made:
        yield made
    log = made.node.log()
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in log, log[-3000:]


@pytest.fixture
def folder(mount: Mount) -> Path:
    """A directory of the bucket."""
    made = mount.path / BUCKET / "folder"
    made.mkdir()
    return made


@pytest.fixture
def s3(mount: Mount) -> "S3Client":
    """A client of the same node."""
    return mount.node.client()

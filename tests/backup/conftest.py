"""Two nodes: one with buckets and people, and one with nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.served import Node

PASSPHRASE: Final = "correct horse battery"
SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
    "PACKSTONE_BACKUP_PASSPHRASE": PASSPHRASE,
}


def _started(data: Path) -> Iterator[Node]:
    made = Node(data, SETTINGS)
    made.start()
    yield made
    made.close()
    assert "panicked" not in made.log()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """The node that backups are taken of."""
    yield from _started(tmp_path / "data")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Node]:
    """An empty node, with a master key of its own."""
    yield from _started(tmp_path / "other")

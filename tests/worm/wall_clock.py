"""A machine's wall clock that a test may set, for a node and for what signs requests to it."""

import datetime as dt
import json
import struct
import subprocess
from pathlib import Path
from typing import Final

import botocore.auth
import botocore.compat
import pytest

from tests.served import Node

DAY: Final = 86_400
YEAR: Final = 365 * DAY


class WallClock:
    """Shifts the wall clock of processes started with `environment`, and of this process's signatures, by seconds."""

    def __init__(self, library: Path, file: Path, patch: pytest.MonkeyPatch) -> None:
        """A clock that goes right; `library` is `clock.c`, built."""
        self._file = file
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(file)}
        patch.setattr(botocore.auth, "get_current_datetime", self._signed_at)

    def set(self, ahead: int) -> None:
        """Set it so many seconds ahead of the true time, for processes that run as well."""
        self.ahead = ahead
        if not self._file.exists():
            self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", ahead))

    def _signed_at(self, *, remove_tzinfo: bool = True) -> dt.datetime:
        true = botocore.compat.get_current_datetime(remove_tzinfo=remove_tzinfo)
        return true + dt.timedelta(seconds=self.ahead)


def build(target: Path) -> Path:
    """Build `clock.c`."""
    source = Path(__file__).with_name("clock.c")
    library = target / "clock.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def lag(node: Node) -> float:
    """Seconds by which the compliance clock is behind the machine's."""
    return float(json.loads(node.command("status", "--json"))["clock"]["lag"])

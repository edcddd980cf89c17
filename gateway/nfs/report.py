"""What `packstone nfs serve` tells the node twice a second, and what it is told in return.

Concurrency: `Watch` may be used by any thread.
"""

import threading
import time
from typing import Final

from pydantic import BaseModel, ConfigDict

from gateway.nfs.export import Export

INTERVAL: Final = 0.5
"""Seconds between two reports: the longest that a changed export waits for being carried out."""

_FORGOTTEN_AFTER: Final = 10.0
"""Seconds without a report after which nobody serves NFS."""


class Report(BaseModel):
    """How NFS is. `served` are the exports that Ganesha was given, by their numbers; `faults` say why others weren't.

    Restarts are counted since `packstone nfs serve` began, without its first start.
    """

    model_config = ConfigDict(extra="forbid")

    pid: int
    address: str
    versions: list[str]
    up: bool
    fault: str = ""
    served: list[Export] = []
    faults: dict[int, str] = {}
    connections: int = 0
    ganesha_restarts: int = 0
    mount_restarts: int = 0


class Wanted(BaseModel):
    """What is to be exported."""

    exports: list[Export]


class NfsDocument(BaseModel):
    """What `packstone nfs status` shows: all exports, and the last report; None where nobody serves NFS."""

    exports: list[Export]
    report: Report | None


class Watch:
    """The node's memory of the last report."""

    def __init__(self) -> None:
        """Nobody has reported yet."""
        self._lock = threading.Lock()
        self._last: tuple[float, Report] | None = None

    def take(self, report: Report) -> None:
        """Note a report."""
        with self._lock:
            self._last = (time.monotonic(), report)

    def report(self) -> Report | None:
        """The last report, unless it is so old that nobody can be there."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > _FORGOTTEN_AFTER:
                return None
            return self._last[1]

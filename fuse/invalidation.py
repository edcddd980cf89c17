"""Having the kernel forget what is no more as it was told, as soon as the node says so.

What the node says may overtake an answer that it gave before: of a number that was called back a moment ago, and where
the node has not listened for long, the kernel is given less to believe.

Concurrency: a thread of its own, for as long as the process lives. It waits for the node, and for the kernel, which
locks the directory of a name: so it must not be told of one while a question of its own, that it holds the lock for,
waits for this process. Both would wait for each other once that is killed, and for ever. So names are held back until
the question is answered: what is left is a kill in the very moment in which the kernel asks, or takes the answer.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import packstone_engine
import pyfuse3

from fuse.look_ahead import LookAhead

UNWATCHED: Final = 1.0
"""Seconds for which the kernel believes names and attributes that nobody would call back."""

_PAUSE: Final = 1.0
"""Seconds between two tries to reach the node."""
_OVERTAKEN: Final = 1.0
"""Seconds that an answer may be on its way."""
_REMEMBERED: Final = 10_000


class Invalidation(threading.Thread):
    """Tells the kernel what the node tells."""

    def __init__(self, files: packstone_engine.Files, believed: float, ahead: LookAhead) -> None:
        """Name the node, for how many seconds the kernel may believe what it is told, and what it may be told ahead."""
        super().__init__(name="invalidation", daemon=True)
        self._files = files
        self._wanted = believed
        self._ahead = ahead
        # How often the node has been away, as far as this was seen: it may have started anew.
        self.absences = 0
        # Since when the node listens; None while it doesn't.
        self._since: float | None = None
        self._called_back: OrderedDict[int, float] = OrderedDict()
        self._lock = threading.Lock()
        # Directories that the kernel holds for questions under way, and names in these that it is told of later.
        self._held: Counter[int] = Counter()
        self._later: dict[int, set[bytes]] = {}

    def believed(self, inode: int) -> float:
        """Seconds for which the kernel may believe what is said of a file now."""
        now, since = time.monotonic(), self._since
        if now - self._called_back.get(inode, -_OVERTAKEN) < _OVERTAKEN:
            return 0
        if since is None or now - since < _OVERTAKEN:
            return min(self._wanted, UNWATCHED)
        return self._wanted

    def run(self) -> None:
        """Follow the node; while it is away the kernel believes what it was told until the time is over."""
        while True:
            with suppress(OSError):
                watch = self._files.watch(self._wanted)
                # What was told before isn't called back on this one.
                self._ahead.forget_all()
                self._since = time.monotonic()
                while True:
                    self.forget(*watch.wait())
            self._since = None
            self._ahead.forget_all()
            self.absences += 1
            time.sleep(_PAUSE)

    def forget(self, parent: int, name: bytes, inode: int) -> None:
        """Have the kernel forget a name, and what it knows of the inode."""
        self._ahead.call_back(parent, name, inode)
        self._called_back[inode] = time.monotonic()
        self._called_back.move_to_end(inode)
        if len(self._called_back) > _REMEMBERED:
            self._called_back.popitem(last=False)
        # What the kernel has forgotten by itself it answers with an error.
        with suppress(OSError):
            pyfuse3.invalidate_inode(pyfuse3.InodeT(inode), attr_only=True)
        with self._lock:
            if parent in self._held:
                # Beyond that many it is believed until its time is over.
                if len(later := self._later.setdefault(parent, set())) < _REMEMBERED:
                    later.add(name)
                return
        _forget_name(parent, name)

    @contextmanager
    def holding(self, directories: tuple[int, ...]) -> Iterator[None]:
        """While the context lasts the kernel holds these directories; what was held back is told after it."""
        with self._lock:
            self._held.update(directories)
        try:
            yield
        finally:
            names: list[tuple[int, bytes]] = []
            with self._lock:
                self._held.subtract(directories)
                for directory in set(directories):
                    if not self._held[directory]:
                        del self._held[directory]
                        names += [(directory, name) for name in self._later.pop(directory, ())]
            for directory, name in names:
                _forget_name(directory, name)


def _forget_name(directory: int, name: bytes) -> None:
    # What the kernel has forgotten by itself it answers with an error.
    with suppress(OSError):
        pyfuse3.invalidate_entry_async(pyfuse3.InodeT(directory), pyfuse3.FileNameT(name), ignore_enoent=True)

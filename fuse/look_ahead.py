"""Names behind those that a program looks up in order, asked for many at a time.

Who goes through a directory by names that it knows (`for symbol in symbols: open(…)`) has the kernel ask for one after
another, and each question costs more than its answer. So where a few names in a row that are there were looked up in
the order in which a directory is listed, what stands behind them is asked for as a listing would be, and told when the
kernel asks for it.

| state of a walk | how it gets there, and on |
|---|---|
| begun | a name was looked up that comes before the last one |
| in order | so many in a row went on: with the next one, what stands behind it is asked for |
| asked | the answer is on its way: what is forgotten meanwhile is not taken from it |
| ahead | names are there, each to be told once; behind the last of them more are asked for |

Where half of them were of use, twice as many are asked for next; else few, once twice as many in a row went on.

What is told ahead is as old as its question, and the kernel believes it for so much less. What the node calls back, and
what this mount changes, is forgotten here as it is by the kernel. So nothing is told that the kernel would not believe,
had it asked when this was asked for; and a name that isn't here is asked for. A file with several names isn't told
ahead: by which of them it changes nobody knows here.

Concurrency: the mount's thread asks; what is called back comes on a thread of its own. A lock guards the walks.
"""

import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fuse.attributes import Told

_WALKS: Final = 16
"""At once: what is changed is looked for in each."""
_FEW: Final = 16
_MANY: Final = 256
_SHORTEST: Final = 4
_LONGEST: Final = 1024
"""Names in a row before anything is asked for ahead."""


@dataclass(slots=True)
class _Walk:
    """One user's way through a directory."""

    last: bytes = b""
    in_row: int = 0
    needed: int = _SHORTEST
    limit: int = _FEW
    ahead: dict[bytes, Told] = field(default_factory=dict)
    inodes: set[int] = field(default_factory=set)
    """All that are there, and some that were."""
    until: bytes = b""
    """The last name that was told ahead."""
    given: int = 0
    of_use: int = 0
    asked: float = 0
    """When what is there was asked for."""
    changes: int = 0
    """What `BelievedSizes.now` was then."""
    forgotten: set[int] | None = None
    """Since something was asked for that isn't there yet."""

    def judge(self) -> None:
        """Ask for more, or less readily, by what was of use; have nothing ahead."""
        if 2 * self.of_use >= self.given:
            self.limit, self.needed = min(_MANY, 2 * self.limit), _SHORTEST
        else:
            self.limit, self.needed, self.in_row = _FEW, min(_LONGEST, 2 * self.needed), 0
        self.given = self.of_use = 0
        self.clear()

    def clear(self) -> None:
        """Have nothing ahead."""
        self.ahead.clear()
        self.inodes.clear()

    def forget(self, directory: int, inode: int) -> None:
        """Have nothing ahead of this inode, which may be the directory."""
        if self.forgotten is not None:
            self.forgotten.add(inode)
        if inode == directory:
            self.clear()
        elif inode in self.inodes:
            self.ahead = {name: told for name, told in self.ahead.items() if told[0] != inode}


def _has_one_name(told: Told) -> bool:
    """Whether what changes by its names is changed by those alone which are told here."""
    return stat.S_ISDIR(told[1]) or told[2] == 1


class LookAhead:
    """The walks that are under way on a mount."""

    def __init__(self) -> None:
        """Nobody has looked anything up."""
        self._walks: OrderedDict[tuple[int, int], _Walk] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, uid: int, directory: int, name: bytes) -> tuple[Told, float, int] | None:
        """What was told ahead of a name, how many seconds ago that was asked for, and after how many changes."""
        with self._lock:
            walk = self._walks.get((uid, directory))
            if walk is None or (told := walk.ahead.pop(name, None)) is None:
                return None
            walk.last = name
            walk.of_use += 1
            return told, time.monotonic() - walk.asked, walk.changes

    def begin(self, uid: int, directory: int, name: bytes, changes: int) -> int:
        """How many names behind this one are to be asked for beside it; where there are any, `take` has to follow."""
        with self._lock:
            walk = self._walks.get((uid, directory))
            if walk is None or walk.forgotten is not None or name <= max(walk.last, walk.until):
                return 0
            if walk.given:
                walk.judge()
            if walk.in_row < walk.needed:
                return 0
            walk.asked, walk.changes, walk.forgotten = time.monotonic(), changes, set()
            return walk.limit

    def take(self, uid: int, directory: int, entries: Sequence[tuple[bytes, bytes, Told]]) -> None:
        """Take what was asked for, but what was forgotten since."""
        with self._lock:
            walk = self._walks.get((uid, directory))
            if walk is None or walk.forgotten is None:
                return
            forgotten, walk.forgotten = walk.forgotten, None
            walk.given = max(1, len(entries))
            walk.until = entries[-1][0] if entries else b""
            if directory not in forgotten:
                fresh = (entry for entry in entries if entry[2][0] not in forgotten and _has_one_name(entry[2]))
                walk.ahead = {name: told for name, _, told in fresh}
                walk.inodes = {told[0] for told in walk.ahead.values()}

    def passed(self, uid: int, directory: int, name: bytes, *, is_there: bool) -> None:
        """Note a name that the node was asked for."""
        with self._lock:
            walk = self._walks.setdefault((uid, directory), _Walk())
            self._walks.move_to_end((uid, directory))
            if name < walk.last:
                walk.in_row, walk.until = 0, b""
            elif is_there:
                walk.in_row += 1
            walk.last = name
            if len(self._walks) > _WALKS:
                self._walks.popitem(last=False)

    def forget(self, *inodes: int) -> None:
        """Tell nothing more of these files, nor of names in these directories, that was asked for before."""
        with self._lock:
            for (_, directory), walk in self._walks.items():
                for inode in inodes:
                    walk.forget(directory, inode)

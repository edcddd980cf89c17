"""Names behind those that a program looks up in order, asked for many at a time.

Who goes through a directory by names that it knows (`for symbol in symbols: open(…)`) has the kernel ask for one after
another, and each question costs more than its answer. So where a few names that are there were looked up in the order
of the directory's listing, what stands behind them is asked for as a listing would be, and told when the kernel asks.

| state of a walk | how it gets there, and on |
|---|---|
| begun | a name was looked up that comes before all of this walk, or many did that come before the last one |
| in order | enough names followed each other: the names behind the next one are asked for |
| asked | the answer is on its way, and nobody waits for it; what is forgotten meanwhile is not taken from it |
| ahead | names are there, each to be told once; when few are left, or beyond the last of them, more are asked for |

If half of a batch was told, twice as many names are asked for next. If less was, only a few are, and only after twice
as many look-ups in order as before.

What is told ahead is as old as its question, and the kernel believes it for so much less. What the node calls back, and
what this mount changes or learns, is forgotten here, and everything when the node goes away and when it is back. So a
name told ahead is never older, nor believed longer, than if the kernel had asked for it itself at that time. A file
with several names isn't told ahead: a change by one of them would not be noticed for the others.

Concurrency: the mount's thread asks; what is called back comes on a thread of its own. A lock, a leaf, guards all.
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
"""Kept at once. Few, as what changes is looked for in all of them."""
_FIRST_LIMIT: Final = 16
_MOST_NAMES: Final = 256
_LEAST_IN_ORDER: Final = 4
_MOST_IN_ORDER: Final = 128
_STRAYS: Final = 32
"""Names before the last one that several threads may come to look up late."""
VIEWS: Final = 1 << 62
"""Inode numbers from here on are of views, which are listed by something else than their names."""


@dataclass(slots=True, eq=False)
class Question:
    """Names that were asked for and aren't there yet."""

    name: bytes
    """Behind which they stand."""
    limit: int
    """How many, at most."""
    changes: int
    """`BelievedSizes.now` when they were asked for."""
    asked: float = field(default_factory=time.monotonic)
    forgotten: set[int | bytes] = field(default_factory=set)
    """Inodes, and names, since then."""
    is_void: bool = False
    """Whether names in the directory changed since then."""


@dataclass(slots=True)
class _Walk:
    """One user's way through a directory."""

    first: bytes
    last: bytes
    in_order: int = 0
    strays: int = 0
    needed: int = _LEAST_IN_ORDER
    limit: int = _FIRST_LIMIT
    question: Question | None = None
    answered: Question | None = None
    """The last one of which the answer is here."""
    ahead: dict[bytes, tuple[Told, Question]] = field(default_factory=dict)
    inodes: set[int] = field(default_factory=set)
    """Of `ahead`, and of some that were told."""
    since: bytes = b""
    until: bytes = b""
    """Behind which name `ahead` begins, and with which it ends: nothing more is asked for in between."""
    given: int = 0
    told: int = 0

    def begin_anew(self, name: bytes) -> None:
        self.first = self.last = name
        self.in_order = self.strays = 0
        self.since = self.until = b""
        # It was another way through the directory that little was of use to.
        self.needed = max(_LEAST_IN_ORDER, self.needed // 2)
        self.ahead.clear()
        self.answered = None

    def is_of_use(self) -> bool:
        return 2 * self.told >= self.given

    def judge(self) -> None:
        """Ask for more next time, or less readily, by how much of what was given was told."""
        if self.is_of_use():
            self.limit, self.needed = min(_MOST_NAMES, 2 * self.limit), _LEAST_IN_ORDER
        else:
            self.limit, self.needed, self.in_order = _FIRST_LIMIT, min(_MOST_IN_ORDER, 2 * self.needed), 0
        self.given = self.told = 0

    def take(self, question: Question, entries: Sequence[tuple[bytes, bytes, Told]]) -> None:
        kept = {name: held for name, held in self.ahead.items() if held[1] is self.answered}
        self.since = self.answered.name if self.answered is not None and kept else question.name
        # What was looked up meanwhile is known.
        self.ahead = kept | {
            name: (told, question)
            for name, _, told in entries
            if name > self.last and question.forgotten.isdisjoint((name, told[0])) and _has_one_name(told)
        }
        self.inodes = {told[0] for told, _ in self.ahead.values()}
        self.question, self.answered = None, question
        self.until = entries[-1][0] if entries else b""
        self.given, self.told = max(1, len(entries)), 0

    def drop_all(self) -> None:
        if self.question is not None:
            self.question.is_void = True
        self.ahead.clear()
        self.inodes.clear()

    def drop(self, inode: int) -> None:
        if self.question is not None:
            self.question.forgotten.add(inode)
        if inode in self.inodes:
            self.ahead = {name: held for name, held in self.ahead.items() if held[0][0] != inode}
            self.inodes.discard(inode)


def _has_one_name(told: Told) -> bool:
    """Whether forgetting its inode, or its directory, is enough where it changes."""
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
            if walk is None or (held := walk.ahead.pop(name, None)) is None:
                return None
            self._walks.move_to_end((uid, directory))
            walk.last = max(walk.last, name)
            walk.told += 1
            told, question = held
            return told, time.monotonic() - question.asked, question.changes

    def expire(self, uid: int, directory: int) -> None:
        """Tell nothing more of what was asked for with what `find` gave last: it is too old."""
        with self._lock:
            if walk := self._walks.get((uid, directory)):
                walk.told -= 1
                walk.since = walk.until = b""
                walk.ahead.clear()

    def ask(self, uid: int, directory: int, name: bytes, changes: int) -> Question | None:
        """What is to be asked for now that a name is looked up; if anything is, `take` has to follow."""
        with self._lock:
            walk = self._walks.get((uid, directory))
            if walk is None or walk.question is not None:
                return None
            if walk.since < name <= walk.until:
                # The rest of what is here is told while more is on its way.
                if 4 * len(walk.ahead) > walk.given or not walk.is_of_use():
                    return None
                name = walk.until
            elif name <= walk.last:
                return None
            if walk.given:
                walk.judge()
            if walk.in_order < walk.needed:
                return None
            walk.question = Question(name, walk.limit, changes)
            return walk.question

    def passed(self, uid: int, directory: int, name: bytes, *, is_there: bool) -> None:
        """Note a name that the node was asked for."""
        if directory >= VIEWS or name in (b".", b".."):
            return
        with self._lock:
            walk = self._walks.setdefault((uid, directory), _Walk(name, name))
            self._walks.move_to_end((uid, directory))
            walk.ahead.pop(name, None)
            if name > walk.last:
                walk.last = name
                walk.in_order += is_there
                walk.strays = 0
            elif not walk.since < name <= walk.until:
                walk.strays += 1
                if name <= walk.first or walk.strays > _STRAYS:
                    walk.begin_anew(name)
            if len(self._walks) > _WALKS:
                self._walks.popitem(last=False)

    def take(self, uid: int, directory: int, question: Question, entries: Sequence[tuple[bytes, bytes, Told]]) -> None:
        """Take what was asked for, but what was forgotten since; nothing, if the walk was."""
        with self._lock:
            walk = self._walks.get((uid, directory))
            if walk is None or walk.question is not question:
                return
            walk.take(question, () if question.is_void else entries)

    def forget(self, *inodes: int) -> None:
        """Tell nothing that was asked for before of these, nor of names in those that are directories."""
        with self._lock:
            for (_, directory), walk in self._walks.items():
                for inode in inodes:
                    walk.drop(inode)
                    if inode == directory:
                        walk.drop_all()

    def call_back(self, directory: int, name: bytes, inode: int) -> None:
        """Tell nothing that was asked for before of this inode, nor of this name, whatever stands there."""
        with self._lock:
            for (_, of), walk in self._walks.items():
                walk.drop(inode)
                if of == directory:
                    walk.ahead.pop(name, None)
                    if walk.question is not None:
                        walk.question.forgotten.add(name)

    def learn(self, inode: int) -> None:
        """Tell nothing of this inode that was asked for before now: something newer is known."""
        with self._lock:
            for walk in self._walks.values():
                walk.drop(inode)

    def forget_all(self) -> None:
        """Tell nothing that was asked for before."""
        with self._lock:
            self._walks.clear()

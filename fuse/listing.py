"""Directories as they are listed: the kernel's positions in them, which are numbers, and the node's, which are keys.

A position is a hash of the key behind which the node goes on. So it is the same for every opening of the directory, on
every mount, whatever else comes or goes, as NFS needs it, which opens the directory anew for each page. What a position
stands for is remembered of those that were given last; another one is found by a walk over the directory. Where its
entry has gone meanwhile, the listing begins anew: some names come twice then, and none is left out.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final

from fuse.attributes import Told

_PAGE: Final = 500
_FIRST_PAGE: Final = 64
"""Of a listing that is gone on with: who opens the directory anew for each page asks for few."""

_REMEMBERED: Final = 1 << 16
_POSITIONS: Final = (1 << 63) - 1
_RESERVED: Final = 8
"""NFS gives the first numbers, and the kernel 0, meanings of their own."""

_Page = Sequence[tuple[bytes, bytes, Told]]


def position_of(place: bytes) -> int:
    """The kernel's number for a place."""
    number = int.from_bytes(blake2b(place, digest_size=8).digest()) & _POSITIONS
    return max(number, _RESERVED)


class Places:
    """What the positions that were given last on a mount stand for."""

    def __init__(self) -> None:
        """None was given yet."""
        self._known: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def remember(self, inode: int, position: int, place: bytes) -> None:
        """Note what a position in a directory stands for."""
        self._known[inode, position] = place
        self._known.move_to_end((inode, position))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def find(self, inode: int, position: int) -> bytes | None:
        """The place, if it is remembered."""
        return self._known.get((inode, position))


class Listing:
    """One open directory. Used by one task at a time: the kernel has one request on it under way."""

    def __init__(
        self, list_behind: Callable[[bytes, int], Awaitable[_Page]], inode: int, places: Places, absences: int
    ) -> None:
        """Begin at the first entry; nothing is asked yet.

        `list_behind` gives up to so many entries behind a place, and raises what the kernel is told. `absences` is how
        often the node had been away by then.
        """
        self.absences = absences
        self._list_behind = list_behind
        self.inode = inode
        self._places = places
        self._position, self._place = 0, b""
        self._page: _Page = ()
        self._at = 0
        self._limit = _PAGE
        self._asked = 0.0

    @property
    def age(self) -> float:
        """Seconds since what is given now was asked for."""
        return time.monotonic() - self._asked

    async def entry(self) -> tuple[bytes, int, Told] | None:
        """The entry that comes next, with its position; None at the end."""
        if self._at == len(self._page):
            self._asked = time.monotonic()
            self._page, self._at = await self._list_behind(self._place, self._limit), 0
            self._limit = min(_PAGE, 2 * self._limit)
            if not self._page:
                return None
        name, place, told = self._page[self._at]
        number = position_of(place)
        # What isn't passed may be asked for from here, on another opening.
        self._places.remember(self.inode, number, place)
        return name, number, told

    def step(self) -> None:
        """Pass the entry that was given."""
        _, place, _ = self._page[self._at]
        self._position, self._place = position_of(place), place
        self._at += 1

    async def seek(self, position: int) -> None:
        """Go on from a position."""
        if position and position == self._position:
            return
        found = b"" if position == 0 else self._places.find(self.inode, position)
        self._limit = _PAGE if position == 0 else _FIRST_PAGE
        if found is None:
            found = await self._sought(position)
        self._position, self._place = position, found
        self._page, self._at = (), 0

    async def _sought(self, position: int) -> bytes:
        """The place that a position stands for, by a walk over the directory."""
        place = b""
        while page := await self._list_behind(place, _PAGE):
            for _, place, _ in page:
                if position_of(place) == position:
                    return place
        return b""

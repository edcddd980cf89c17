"""Directories as they are listed: the kernel's positions in them, which are numbers, and the node's, which are keys.

A position is a hash of the key behind which the node goes on. So it is the same for every opening of the directory, on
every mount, whatever else comes or goes, as NFS needs it, which opens the directory anew for each page. What a position
stands for is remembered of those that were given last; another one is found by a walk over the directory. Where its
entry has gone meanwhile, the listing begins anew: some names come twice then, and none is left out.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

import packstone_engine

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
    """What the positions that were given last on a mount stand for; any thread may ask, the mount's own notes."""

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

    def __init__(self, files: packstone_engine.Files, inode: int, places: Places, uid: int) -> None:
        """Begin at the first entry, for whoever opens it; nothing is asked yet."""
        self._files = files
        self._inode = inode
        self._uid = uid
        self._places = places
        self._position, self._place = 0, b""
        self._page: _Page = ()
        self._at = 0
        self._limit = _PAGE

    def knows(self, position: int) -> bool:
        """Whether the listing can be gone on with from there without a walk over the directory."""
        return position in {0, self._position} or self._places.find(self._inode, position) is not None

    def entries(self, position: int) -> Iterator[tuple[bytes, int, Told]]:
        """Entries behind a position, each with its own. One that is given counts when the next is asked for.

        Raises OSError.
        """
        if position == 0 or position != self._position:
            self.seek(position)
        while self._at < len(self._page) or self._turn():
            name, place, told = self._page[self._at]
            number = position_of(place)
            # What isn't asked for again may be asked for from here, on another opening.
            self._places.remember(self._inode, number, place)
            yield name, number, told
            self._position, self._place = number, place
            self._at += 1

    def _turn(self) -> bool:
        self._page, self._at = self._files.list(self._uid, self._inode, self._place, self._limit), 0
        self._limit = min(_PAGE, 2 * self._limit)
        return bool(self._page)

    def seek(self, position: int) -> None:
        """Go on from a position. Raises OSError."""
        found = b"" if position == 0 else self._places.find(self._inode, position)
        self._limit = _PAGE if position == 0 else _FIRST_PAGE
        if found is None:
            found = self._sought(position)
        self._position, self._place = position, found
        self._page, self._at = (), 0

    def _sought(self, position: int) -> bytes:
        place = b""
        while page := self._files.list(self._uid, self._inode, place, _PAGE):
            for _, place, _ in page:
                if position_of(place) == position:
                    return place
        return b""

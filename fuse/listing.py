"""An open directory: the kernel's positions in it, which are numbers, and the node's, which are keys.

A position is how many entries the kernel has been given. What comes or goes meanwhile shifts none of them: each stands
for the key that it was given with, behind which the node goes on.
"""

from collections.abc import Sequence
from typing import Final

import packstone_engine

from fuse.attributes import Told

_PAGE: Final = 500


class Listing:
    """One open directory. Used by one task at a time: the kernel has one request on it under way."""

    def __init__(self, files: packstone_engine.Files, inode: int) -> None:
        """Begin at the first entry; nothing is asked yet."""
        self._files = files
        self._inode = inode
        self._places: list[bytes] = [b""]
        self._page: Sequence[tuple[bytes, bytes, Told]] = ()
        self._page_begins = 0

    def entry(self, position: int) -> tuple[bytes, Told] | None:
        """The entry at a position that was given before or follows the last one; None at the end. Raises OSError."""
        if position == 0:
            # From the beginning: as it is at that time.
            del self._places[1:]
            self._page, self._page_begins = (), 0
        at = position - self._page_begins
        if not 0 <= at < len(self._page):
            if position >= len(self._places):
                return None
            self._page = self._files.list(self._inode, self._places[position], _PAGE)
            self._page_begins, at = position, 0
            if not self._page:
                return None
        name, place, told = self._page[at]
        if position + 1 == len(self._places):
            self._places.append(place)
        return name, told

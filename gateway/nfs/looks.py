"""Which exported directories are there.

Concurrency: all methods belong to one thread, which never waits longer than a moment; another one, made for each look,
asks the mount, and may wait with it.
"""

import stat
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from gateway.nfs.export import Export, Place


class Looks:
    """What was seen of exported directories below one mount: their inode numbers, or None where there is none."""

    def __init__(self, mountpoint: Path) -> None:
        """Nothing was looked at yet."""
        self._mountpoint = mountpoint
        self._seen: dict[Place, int | None] = {}
        self._look: _Look | None = None

    def forget(self) -> None:
        """Of a mount that is another now, nothing is known."""
        self._look, self._seen = None, {}

    def roots(self, exports: Sequence[Export], patience: float) -> dict[int, int]:
        """The inode numbers of those whose directories are there, by the exports' numbers.

        A look that takes longer than `patience`, in seconds, counts as soon as it has ended.
        """
        if self._look is None:
            self._look = _Look(self._mountpoint, {export.place for export in exports})
        self._look.thread.join(patience)
        if not self._look.thread.is_alive():
            self._seen, self._look = self._look.seen, None
        found = {export.number: self._seen.get(export.place) for export in exports}
        return {number: inode for number, inode in found.items() if inode is not None}

    def faults(self, exports: Sequence[Export]) -> dict[int, str]:
        """Why others can't be exported, by their numbers."""
        return {
            export.number: f"there is no folder {export.place}"
            for export in exports
            if self._seen.get(export.place) is None
        }


class _Look:
    """One look at some directories: `seen` is whole when the thread has ended."""

    def __init__(self, mountpoint: Path, places: Collection[Place]) -> None:
        self._mountpoint = mountpoint
        self._places = places
        self.seen: dict[Place, int | None] = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for place in self._places:
            try:
                self.seen[place] = self._inode(place)
            except OSError:
                self.seen[place] = None

    def _inode(self, place: Place) -> int | None:
        """The directory's inode number, reached by no symbolic link: one might lead out of the mount."""
        at, held = self._mountpoint, self._mountpoint.lstat()
        device = held.st_dev
        for name in place.path.strip("/").split("/"):
            at /= name
            held = at.lstat()
            if not stat.S_ISDIR(held.st_mode) or held.st_dev != device:
                return None
        return held.st_ino

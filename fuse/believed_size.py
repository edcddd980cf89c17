"""What sizes a kernel believes that keeps what is written, and how it is taught another one.

With its writeback cache the kernel takes a file's size from the mount once, when it comes to know the file, and from
then on believes what it makes of it itself. Where the node has another one, zeros would be read, or written, at the end
of the file. So the mount keeps account of what the kernel must believe, by what that has it read and write. While
nobody has a file open to be written, all of that is known here; then another size of the node's means that somebody
else changed the file, or that something could not be written. The file gets another *generation* then, and the kernel
takes it for another file, with nothing in its pages. Who has the old one open is told `EIO`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Believed:
    size: int
    generation: int = 0
    writers: int = 0
    changed: int = 0
    """When it was last changed here."""


class BelievedSizes:
    """Of each regular file that the kernel knows, by its inode number."""

    def __init__(self, *, by_itself: bool) -> None:
        """Begin with a kernel that knows none. Of one that doesn't believe itself no account is kept."""
        self._by_itself = by_itself
        self._files: dict[int, _Believed] = {}
        self.now = 0
        """How often any was changed here."""

    def generation(self, inode: int, size: int) -> int:
        """What the kernel is told with a size that it takes where it doesn't know the file."""
        held = self._known(inode, size)
        return 0 if held is None else held.generation

    def judge(self, inode: int, size: int, asked: int) -> bool:
        """Compare with what the node says, which was asked at `asked`: whether the kernel has to learn another size."""
        held = self._files.get(inode)
        if held is None or held.writers > 0 or held.changed > asked or held.size == size:
            return False
        held.size = size
        held.generation += 1
        return True

    def begin_writing(self, inode: int, size: int) -> None:
        """Note that one more handle writes a file, of that size if it is new."""
        self._known(inode, size)
        if held := self._changed(inode):
            held.writers += 1

    def end_writing(self, inode: int) -> None:
        """Note that one writes it no more."""
        if held := self._changed(inode):
            held.writers -= 1

    @contextmanager
    def writing(self, inode: int, size: int) -> Iterator[None]:
        """Note that it is written, or truncated, while the context lasts."""
        self.begin_writing(inode, size)
        try:
            yield
        finally:
            self.end_writing(inode)

    def wrote(self, inode: int, end: int) -> None:
        """Note that the kernel wrote up to there."""
        if held := self._changed(inode):
            held.size = max(held.size, end)

    def resized(self, inode: int, size: int) -> None:
        """Note that the kernel gave it that size."""
        if held := self._changed(inode):
            held.size = size

    def forget(self, inode: int) -> None:
        """Note that the kernel doesn't know it any more. One that had to be taught keeps its generation."""
        if (held := self._files.get(inode)) and held.writers == 0 and held.generation == 0:
            del self._files[inode]

    def _known(self, inode: int, size: int) -> _Believed | None:
        return self._files.setdefault(inode, _Believed(size)) if self._by_itself else None

    def _changed(self, inode: int) -> _Believed | None:
        self.now += 1
        if held := self._files.get(inode):
            held.changed = self.now
        return held

"""Keeping the files of trees in the page cache, while they come, grow, are replaced and go.

A *pass* walks the trees and brings what is held in line with what it found:

| found | done |
|---|---|
| a file that is not held | mapped, read, and locked |
| another file under the name of a held one, or it has another length | the new one as above; the old one is let go |
| a file that is held, with pages that are not in memory | read again: a file system may take pages away, locks or not |
| a file that is held and can't be read | opened and mapped anew; where that fails, let go and told of |
| nothing at the name of a file that is held | let go |
| a directory that can't be listed | nothing is let go in this pass: its files may be there |

What is held ends with the process, however it ends; nothing else is left behind.

Concurrency: a `Pinner` is one thread's.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from fuse.residence import Mapping, whole_pages

_STEP: Final = 16 << 20
"""Bytes that are read in one call of the kernel's: so often progress is told and an end is heeded."""
_GONE: Final = (errno.ENOENT, errno.ENOTDIR)


class Identity(NamedTuple):
    """A file as it is: of another of these, other pages are to be held."""

    device: int
    inode: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Identity":
        """That of a file of which the kernel says so."""
        return cls(status.st_dev, status.st_ino, status.st_size)


@dataclass
class Tree:
    """What one walk found: regular files that aren't empty, each once, whatever names it has."""

    files: dict[Identity, Path] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Why directories could not be listed, one line each."""

    @property
    def size(self) -> int:
        """What all of it takes in memory."""
        return sum(whole_pages(file.size) for file in self.files)


class Standing(NamedTuple):
    """How things are after a pass; sizes in bytes of whole pages."""

    files: int
    size: int
    resident: int
    left_out: int
    """Files for which there is no room within the limits."""
    faults: tuple[str, ...]


def walk(roots: Sequence[Path]) -> Tree:
    """Find the files at and below `roots`. Symbolic links are followed for a root alone."""
    tree = Tree()
    for root in roots:
        try:
            status = root.stat()
        except OSError as fault:
            tree.faults.append(f"{root}: {fault.strerror}")
            continue
        if stat.S_ISDIR(status.st_mode):
            for path, found in _below(root, tree):
                tree.files.setdefault(found, path)
        elif stat.S_ISREG(status.st_mode) and status.st_size:
            tree.files.setdefault(Identity.of(status), root)
    return tree


def _below(root: Path, tree: Tree) -> Iterator[tuple[Path, Identity]]:
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(folder / entry.name)
                    elif entry.is_file(follow_symlinks=False) and (found := _identity(entry)):
                        yield folder / entry.name, found
        except OSError as fault:
            if fault.errno not in _GONE or folder == root:
                tree.faults.append(f"{folder}: {fault.strerror}")


def _identity(entry: os.DirEntry[str]) -> Identity | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Identity.of(status) if status.st_size else None


class Pinner:
    """What is held."""

    def __init__(self, *, limit: int, most_files: int, lock: bool, is_ended: Callable[[], bool]) -> None:
        """Hold nothing yet; never more than `limit` bytes, nor more files than that.

        Without `lock` nothing is mapped between passes: each reads again what the kernel gave up. `is_ended` says that
        a pass is to stop where it stands.
        """
        self._limit = limit
        self._most_files = most_files
        self._lock = lock
        self._is_ended = is_ended
        self._held: dict[Identity, Mapping | None] = {}

    def apply(self, tree: Tree, advance: Callable[[int], None]) -> Standing:
        """Carry one pass out; `advance` is told of every piece of what is new. What fails is told in the standing."""
        faults = list(tree.faults)
        if not faults:
            for gone in self._held.keys() - tree.files.keys():
                self._let_go(gone)
        left_out, resident, size = 0, 0, sum(whole_pages(file.size) for file in self._held)
        for found, path in tree.files.items():
            if self._is_ended():
                break
            is_new, whole = found not in self._held, whole_pages(found.size)
            if is_new and (size + whole > self._limit or len(self._held) >= self._most_files):
                left_out += 1
                continue
            try:
                resident += self._keep(found, path, advance)
            except OSError as fault:
                if fault.errno not in _GONE:
                    faults.append(f"{path}: {fault.strerror}")
            size += whole * ((found in self._held) - (not is_new))
        return Standing(len(self._held), size, resident, left_out, tuple(faults))

    def _keep(self, file: Identity, path: Path, advance: Callable[[int], None]) -> int:
        """Hold a file, and return how many of its bytes are in memory then."""
        mapping = self._held.get(file)
        if mapping is not None:
            try:
                return self._read(mapping, None)
            except OSError:
                # What it was opened with may be gone, and the file be there.
                self._let_go(file)
        self._held.pop(file, None)
        mapping = _mapped(file, path)
        if mapping is None:
            return 0
        try:
            if self._lock:
                mapping.lock()
            resident = self._read(mapping, advance)
        except OSError:
            mapping.close()
            raise
        if not self._lock:
            mapping.close()
        self._held[file] = mapping if self._lock else None
        return resident

    def _read(self, mapping: Mapping, advance: Callable[[int], None] | None) -> int:
        """Read what is not in memory; of what is new `advance` is told."""
        whole = whole_pages(mapping.size)
        if advance is None and mapping.resident() == whole:
            return whole
        for offset in range(0, mapping.size, _STEP):
            if self._is_ended():
                break
            mapping.populate(offset, _STEP)
            if advance:
                advance(min(_STEP, whole - offset))
        return mapping.resident()

    def _let_go(self, file: Identity) -> None:
        mapping = self._held.pop(file, None)
        if mapping is not None:
            mapping.close()


def _mapped(file: Identity, path: Path) -> Mapping | None:
    """A file mapped, unless it is another one by now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return Mapping(descriptor, file.size) if Identity.of(os.fstat(descriptor)) == file else None
    finally:
        os.close(descriptor)

"""A file system that answers at once: names and sizes in memory, no content. What any mount by pyfuse3 costs.

Concurrency: all of it runs on trio's one thread.
"""

import errno
import stat
import sys
from itertools import count
from typing import TYPE_CHECKING

import pyfuse3
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyfuse3 import FileHandleT, FileNameT, FlagT, InodeT, ModeT

_ZEROS = bytes(1 << 20)


class Nothing(pyfuse3.Operations):
    """Directories and files; a write is counted and dropped, a read gives zeros."""

    supports_dot_lookup = True

    def __init__(self) -> None:
        """Begin with an empty root."""
        super().__init__()
        self._numbers = count(2)
        self._names: dict[int, dict[bytes, int]] = {pyfuse3.ROOT_INODE: {}}
        self._sizes: dict[int, int] = {}
        self._parents: dict[int, int] = {pyfuse3.ROOT_INODE: pyfuse3.ROOT_INODE}

    def _told(self, inode: int) -> pyfuse3.EntryAttributes:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.InodeT(inode)
        entry.entry_timeout = entry.attr_timeout = 1.0
        kind = stat.S_IFDIR | 0o755 if inode in self._names else stat.S_IFREG | 0o644
        entry.st_mode = pyfuse3.ModeT(kind)
        entry.st_nlink = 1
        entry.st_size = self._sizes.get(inode, 0)
        return entry

    async def lookup(
        self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Look a name up."""
        if name == b".":
            return self._told(parent_inode)
        if name == b"..":
            return self._told(self._parents[parent_inode])
        inode = self._names[parent_inode].get(name)
        if inode is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return self._told(inode)

    async def getattr(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """Say what is known."""
        return self._told(inode)

    async def setattr(
        self,
        inode: "InodeT",
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: "FileHandleT | None",
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Keep the size."""
        if fields.update_size:
            self._sizes[inode] = attr.st_size
        return self._told(inode)

    def _make(self, parent: int, name: bytes) -> int:
        inode = next(self._numbers)
        self._names[parent][name] = inode
        self._parents[inode] = parent
        return inode

    async def mkdir(
        self, parent_inode: "InodeT", name: "FileNameT", mode: "ModeT", ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Make a directory."""
        inode = self._make(parent_inode, name)
        self._names[inode] = {}
        return self._told(inode)

    async def create(
        self,
        parent_inode: "InodeT",
        name: "FileNameT",
        mode: "ModeT",
        flags: "FlagT",
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        """Make a file."""
        inode = self._make(parent_inode, name)
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(inode)), self._told(inode)

    async def open(self, inode: "InodeT", flags: "FlagT", ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Open a file: its handle is its number."""
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(inode), keep_cache=True)

    async def read(self, fh: "FileHandleT", off: int, size: int) -> bytes:
        """Give zeros."""
        return _ZEROS[: max(0, min(size, self._sizes.get(fh, 0) - off))]

    async def write(self, fh: "FileHandleT", off: int, buf: bytes) -> int:
        """Count bytes."""
        self._sizes[fh] = max(self._sizes.get(fh, 0), off + len(buf))
        return len(buf)

    async def flush(self, fh: "FileHandleT") -> None:
        """Do nothing."""

    async def fsync(self, fh: "FileHandleT", datasync: bool) -> None:
        """Do nothing."""

    async def release(self, fh: "FileHandleT") -> None:
        """Do nothing."""

    async def unlink(self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext) -> None:
        """Forget a name."""
        self._sizes.pop(self._names[parent_inode].pop(name), None)

    async def rmdir(self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext) -> None:
        """Forget a directory."""
        self._names.pop(self._names[parent_inode].pop(name), None)

    async def rename(
        self,
        parent_inode_old: "InodeT",
        name_old: "FileNameT",
        parent_inode_new: "InodeT",
        name_new: "FileNameT",
        flags: "FlagT",
        ctx: pyfuse3.RequestContext,
    ) -> None:
        """Move a name."""
        inode = self._names[parent_inode_old].pop(name_old)
        self._names[parent_inode_new][name_new] = inode
        self._parents[inode] = parent_inode_new

    async def opendir(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> "FileHandleT":
        """Open a directory: its handle is its number."""
        return pyfuse3.FileHandleT(inode)

    async def readdir(self, fh: "FileHandleT", start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """Give names, which don't change meanwhile."""
        names: Sequence[tuple[bytes, int]] = list(self._names[fh].items())
        for at, (name, inode) in enumerate(names[start_id:], start_id + 1):
            if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), self._told(inode), at):
                return

    async def releasedir(self, fh: "FileHandleT") -> None:
        """Do nothing."""


def main() -> None:
    """Mount on the directory that is named, until it is unmounted."""
    pyfuse3.init(Nothing(), sys.argv[1], {*pyfuse3.default_options, "fsname=nothing"})
    print("nothing mounted", flush=True)
    try:
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close()


if __name__ == "__main__":
    main()

"""What the kernel asks of the mount, each a question to the node and its answer.

Each question says by `ctx.uid` whose process asks, and the node decides whether it may.

Concurrency: all of it runs on trio's one thread. A question is sent there and its answer waited for, a moment at
once and then as trio waits, so that everybody else's questions go on meanwhile. What waits for a node that is away, or
on another machine, does so on another thread.
"""

import errno
import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

import packstone_engine
import pyfuse3
import trio

from fuse.attributes import Told, entry_attributes
from fuse.believed_size import BelievedSizes
from fuse.invalidation import Invalidation
from fuse.listing import Listing, Places
from fuse.look_ahead import LookAhead, Question
from fuse.open_file import OpenFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyfuse3 import FileHandleT, FileNameT, FlagT, InodeT, ModeT, XAttrNameT

_T = TypeVar("_T")

_WRITES: Final = os.O_WRONLY | os.O_RDWR
_OWN_ATTRIBUTES: Final = b"user."
_BLOCK: Final = 4096
_TOLD: Final = {
    # Of a node that was restarted: what was open there is gone.
    errno.EBADF: errno.ESTALE,
    # Whom the mount speaks for is no more.
    errno.ENOKEY: errno.EACCES,
}
_log = logging.getLogger(__name__)


def _fuse_error(fault: OSError) -> pyfuse3.FUSEError:
    number = errno.EIO if fault.errno is None else fault.errno
    return pyfuse3.FUSEError(_TOLD.get(number, number))


class Operations(pyfuse3.Operations):
    """The kernel's questions, for one mount."""

    supports_dot_lookup = True
    enable_acl = False

    def __init__(
        self,
        files: packstone_engine.Files,
        invalidation: Invalidation,
        ahead: LookAhead,
        *,
        at_once: bool,
        exclusive: bool,
    ) -> None:
        """Answer what the kernel asks by asking `files`; `invalidation` says how long it may believe that.

        What is called back is forgotten in `ahead`, too.

        With `at_once`, what is made or closed is durable when that is answered. With `exclusive`, the kernel keeps what
        is written until a file is closed or synced, or for some seconds: nobody else may change files.
        """
        super().__init__()
        self.enable_writeback_cache = exclusive
        self._sizes = BelievedSizes(by_itself=exclusive)
        self._files = files
        self._at_once = at_once
        self._invalidation = invalidation
        self._ahead = ahead
        self._listings: dict[int, Listing] = {}
        self._places = Places()
        self._numbers = count(1)
        # What the kernel's pages of a file were read of, as of its last opening here.
        self._cached: dict[int, int] = {}
        self._opened_now: Counter[int] = Counter()
        self._handles: dict[int, OpenFile] = {}
        # How often this mount has begun or ended to change a file's content.
        self._changes = 0

    async def _answered(self, answer: "packstone_engine.Answer[_T]", *directories: int) -> _T:
        """What the node says, once it does; of a question that the kernel holds directories for."""
        if directories:
            with self._invalidation.holding(directories):
                return await self._answered(answer)
        try:
            while not answer.is_here():
                if (descriptor := answer.fileno()) < 0:
                    return await trio.to_thread.run_sync(answer.wait)
                await trio.lowlevel.wait_readable(descriptor)
            return answer.wait()
        except OSError as fault:
            await self._before_telling(fault)
            raise _fuse_error(fault) from None

    async def _changed(self, answer: "packstone_engine.Answer[_T]", *inodes: int) -> _T:
        """What the node says of a change of these inodes; the kernel keeps directories locked until it is answered."""
        try:
            return await self._answered(answer, *inodes)
        finally:
            self._ahead.forget(*inodes)

    async def _before_telling(self, fault: OSError) -> None:
        """Wait for the node where it may have ended before it answered: who is told that, must look what became of it.

        So NFS has time to end in, too: its clients ask again then, and are never told.
        """
        if fault.errno == errno.EIO:
            with suppress(OSError):
                await trio.to_thread.run_sync(lambda: self._files.space().wait())

    def _entry(self, told: Told, age: float = 0) -> pyfuse3.EntryAttributes:
        """What the kernel is told, of what the node told so many seconds ago."""
        believed = max(0, self._invalidation.believed(told[0]) - age)
        inode, mode, size = told[0], told[1], told[5]
        generation = self._sizes.generation(inode, size) if stat.S_ISREG(mode) else 0
        return entry_attributes(told, believed, generation)

    # Names

    async def lookup(
        self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Look a name up."""
        asked = self._sizes.now
        found = self._ahead.find(ctx.uid, parent_inode, name)
        if found is not None and found[1] >= (believed := self._invalidation.believed(found[0][0])):
            found = None
            # Of one that was called back a moment ago nothing is believed: this says nothing of the others.
            if believed > 0:
                self._ahead.expire(ctx.uid, parent_inode)
        if question := self._ahead.ask(ctx.uid, parent_inode, name, asked):
            trio.lowlevel.spawn_system_task(self._look_ahead, ctx.uid, parent_inode, question)
        if found is not None:
            told, age, changes = found
            self._sizes.judge(told[0], told[5], changes)
            return self._entry(told, age)
        is_there = False
        try:
            told = await self._answered(self._files.lookup(ctx.uid, parent_inode, name), parent_inode)
            is_there = True
        finally:
            self._ahead.passed(ctx.uid, parent_inode, name, is_there=is_there)
        self._ahead.learn(told[0])
        self._sizes.judge(told[0], told[5], asked)
        return self._entry(told)

    async def _look_ahead(self, uid: int, directory: int, question: Question) -> None:
        entries: Sequence[tuple[bytes, bytes, Told]] = ()
        try:
            # Not everybody who may look names up may list them.
            with suppress(pyfuse3.FUSEError):
                entries = await self._answered(self._files.list(uid, directory, question.name, question.limit))
        finally:
            self._ahead.take(uid, directory, question, entries)

    async def getattr(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """Say what is known of a file."""
        told = await self._answered(self._files.attributes(inode))
        self._ahead.learn(inode)
        return self._entry(told)

    async def forget(self, inode_list: "Sequence[tuple[InodeT, int]]") -> None:
        """Drop what was kept for inodes that the kernel has no more."""
        for inode, _ in inode_list:
            # It may be told so late that the kernel knows the file again.
            if inode in self._opened_now:
                continue
            self._cached.pop(inode, None)
            self._sizes.forget(inode)

    async def setattr(
        self,
        inode: "InodeT",
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: "FileHandleT | None",
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Change size, mode, owner or time of change; times of access are not kept."""
        change: dict[str, int] = {}
        if fields.update_mode:
            change["mode"] = attr.st_mode & 0o7777
        if fields.update_uid:
            change["uid"] = attr.st_uid
        if fields.update_gid:
            change["gid"] = attr.st_gid
        if fields.update_size:
            change["size"] = attr.st_size
        if fields.update_mtime:
            change["mtime"] = attr.st_mtime_ns
        if not change:
            return await self.getattr(inode, ctx)
        self._changes += 1
        # Of a directory the kernel holds that meanwhile.
        ask = self._changed(self._files.change(ctx.uid, inode, handle=fh, **change), inode)
        try:
            if not fields.update_size:
                return self._entry(await ask)
            with self._sizes.writing(inode, attr.st_size):
                told = await ask
                self._sizes.resized(inode, attr.st_size)
                return self._entry(told)
        finally:
            self._changes += 1

    async def mkdir(
        self, parent_inode: "InodeT", name: "FileNameT", mode: "ModeT", ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Make a directory; at the top, a bucket."""
        made = (mode & ~ctx.umask, ctx.uid, ctx.gid, 0)
        return self._entry(
            await self._changed(self._files.make_directory(ctx.uid, parent_inode, name, made), parent_inode)
        )

    async def rmdir(self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext) -> None:
        """Remove an empty directory; at the top, a bucket."""
        await self._changed(self._files.remove_directory(ctx.uid, parent_inode, name), parent_inode)

    async def unlink(self, parent_inode: "InodeT", name: "FileNameT", ctx: pyfuse3.RequestContext) -> None:
        """Delete a file, as its bucket keeps versions."""
        await self._changed(self._files.unlink(ctx.uid, parent_inode, name), parent_inode)

    async def rename(
        self,
        parent_inode_old: "InodeT",
        name_old: "FileNameT",
        parent_inode_new: "InodeT",
        name_new: "FileNameT",
        flags: "FlagT",
        ctx: pyfuse3.RequestContext,
    ) -> None:
        """Rename a file, in place of what has the new name unless RENAME_NOREPLACE is asked."""
        if flags & ~pyfuse3.RENAME_NOREPLACE:
            raise pyfuse3.FUSEError(errno.EINVAL)
        keep = bool(flags & pyfuse3.RENAME_NOREPLACE)
        names = (parent_inode_old, name_old, parent_inode_new, name_new)
        await self._changed(self._files.rename(ctx.uid, *names, keep), parent_inode_old, parent_inode_new)

    async def symlink(
        self, parent_inode: "InodeT", name: "FileNameT", target: "FileNameT", ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Make a symbolic link."""
        made = (0o777, ctx.uid, ctx.gid, 0)
        told = await self._changed(self._files.link(ctx.uid, parent_inode, name, target, made), parent_inode)
        return self._entry(told)

    async def readlink(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> "FileNameT":
        """Say where a symbolic link leads."""
        target = await self._answered(self._files.read_link(ctx.uid, inode))
        return pyfuse3.FileNameT(target)

    async def link(
        self,
        inode: "InodeT",
        new_parent_inode: "InodeT",
        new_name: "FileNameT",
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Give a file one more name."""
        answer = self._files.hard_link(ctx.uid, inode, new_parent_inode, new_name)
        told = await self._changed(answer, new_parent_inode, inode)
        return self._entry(told)

    async def mknod(
        self,
        parent_inode: "InodeT",
        name: "FileNameT",
        mode: "ModeT",
        rdev: int,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Make a regular file, a named pipe, or the node of a socket or a device."""
        made = (mode & ~ctx.umask, ctx.uid, ctx.gid, rdev)
        how = (False, True, False, self._at_once)
        told, handle, _ = await self._changed(self._files.create(ctx.uid, parent_inode, name, made, how), parent_inode)
        await self._answered(self._files.release(handle), parent_inode)
        return self._entry(told)

    # Directories

    async def opendir(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> "FileHandleT":
        """Open a directory."""

        async def list_behind(place: bytes, limit: int) -> "Sequence[tuple[bytes, bytes, Told]]":
            return await self._answered(self._files.list(ctx.uid, inode, place, limit), inode)

        number = next(self._numbers)
        self._listings[number] = Listing(list_behind, inode, self._places, self._invalidation.absences)
        return pyfuse3.FileHandleT(number)

    async def readdir(self, fh: "FileHandleT", start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """Give entries from a position on, until the kernel has enough."""
        listing = self._listings[fh]
        await listing.seek(start_id)
        while (entry := await listing.entry()) is not None:
            name, position, told = entry
            shown = self._entry(told, listing.age)
            if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), shown, position):
                return
            listing.step()

    async def releasedir(self, fh: "FileHandleT") -> None:
        """Close a directory."""
        del self._listings[fh]

    # Content

    def _reads(self, flags: int) -> bool:
        # What it writes later in whole pages, the kernel reads first.
        return self.enable_writeback_cache or flags & os.O_ACCMODE != os.O_WRONLY

    async def create(
        self,
        parent_inode: "InodeT",
        name: "FileNameT",
        mode: "ModeT",
        flags: "FlagT",
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        """Make a file and open it."""
        made = (mode & ~ctx.umask, ctx.uid, ctx.gid, 0)
        how = (self._reads(flags), bool(flags & os.O_EXCL), bool(flags & os.O_TRUNC), self._at_once)
        told, handle, _ = await self._changed(self._files.create(ctx.uid, parent_inode, name, made, how), parent_inode)
        return self._opened(told, handle, writes=True), self._entry(told)

    async def open(self, inode: "InodeT", flags: "FlagT", ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Open a file that is there; the kernel leaves it to the mount to truncate it."""
        empty = bool(flags & os.O_TRUNC)
        # What empties a file writes it, though it is opened for reading.
        writes = empty or bool(flags & _WRITES)
        how = (self._reads(flags), writes, empty)
        changes = self._changes
        asked = self._sizes.now
        answer = self._files.open(ctx.uid, inode, how)
        if empty:
            with self._sizes.writing(inode, 0):
                told, handle, content = await self._changed(answer, inode)
                self._sizes.resized(inode, 0)
        else:
            told, handle, content = await self._answered(answer)
        self._ahead.learn(inode)
        if self._sizes.judge(inode, told[5], asked):
            # The kernel looks the name up again, and learns of the other size.
            await self._answered(self._files.release(handle))
            raise pyfuse3.FUSEError(errno.ESTALE)
        opened = self._opened(told, handle, writes=writes)
        if empty:
            self._changes += 1
        elif content:
            self._handles[handle].told(content, changes)
        return opened

    def _opened(self, told: Told, handle: int, *, writes: bool) -> pyfuse3.FileInfo:
        inode, version = told[0], told[-1]
        held, self._cached[inode] = self._cached.get(inode), version
        self._handles[handle] = OpenFile(inode, version, writes)
        self._opened_now[inode] += 1
        if writes:
            self._sizes.begin_writing(inode, told[5])
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(handle), keep_cache=held == version)

    # pyfuse3 takes whatever is a buffer.
    async def read(  # type: ignore[override]
        self, fh: "FileHandleT", off: int, size: int
    ) -> "bytes | packstone_engine.Content":
        """Read; fewer bytes than asked at the end alone."""
        held = self._handles[fh]
        if content := held.still_told(self._cached.get(held.inode), self._changes):
            return content[off : off + size]
        return await self._answered(self._files.read(fh, off, size))

    @contextmanager
    def _changing(self, handle: int) -> Iterator[None]:
        """What fails here leaves the kernel with pages that no content has: the next opening drops them."""
        inode = self._handles[handle].inode
        self._changes += 1
        try:
            yield
        except pyfuse3.FUSEError:
            self._cached.pop(inode, None)
            raise
        finally:
            self._changes += 1
            self._ahead.forget(inode)

    async def write(self, fh: "FileHandleT", off: int, buf: bytes) -> int:
        """Take bytes; they are durable after fsync."""
        self._handles[fh].is_changed = True
        with self._changing(fh):
            self._sizes.wrote(self._handles[fh].inode, off + len(buf))
            await self._answered(self._files.write(fh, off, buf))
        return len(buf)

    async def flush(self, fh: "FileHandleT") -> None:
        """Publish what was written, at every close of the file by a process: errors are told to it."""
        if self._handles[fh].writes:
            await self._publish(fh, self._at_once)

    async def fsync(self, fh: "FileHandleT", datasync: bool) -> None:
        """Make what was written durable, and visible on every face."""
        await self._publish(fh, True)

    async def _publish(self, fh: "FileHandleT", at_once: bool) -> None:
        held = self._handles[fh]
        # Cleared first: another thread may write while this waits.
        was_changed, held.is_changed = held.is_changed, False
        try:
            with self._changing(fh):
                await self._answered(self._files.publish(fh, at_once))
        except pyfuse3.FUSEError:
            held.is_changed = held.is_changed or was_changed
            raise

    async def fsyncdir(self, fh: "FileHandleT", datasync: bool) -> None:
        """Make names in a directory durable, and its times."""
        held = self._listings[fh]
        await self._answered(self._files.sync_directory(held.inode), held.inode)
        seen, held.absences = held.absences, self._invalidation.absences
        if held.absences != seen:
            # What was made since the directory was opened may be lost with a node that ended: this says so, once.
            raise pyfuse3.FUSEError(errno.EIO)

    async def release(self, fh: "FileHandleT") -> None:
        """Close. Nobody waits for it: a fault is logged."""
        held = self._handles[fh]
        try:
            if not held.is_changed and self._files.leave(fh):
                return
            with self._changing(fh):
                await self._answered(self._files.release(fh))
        except pyfuse3.FUSEError as fault:
            _log.warning("a file could not be closed: what was written last is lost", extra={"reason": str(fault)})
        finally:
            del self._handles[fh]
            self._opened_now[held.inode] -= 1
            if not self._opened_now[held.inode]:
                del self._opened_now[held.inode]
            if held.writes:
                self._sizes.end_writing(held.inode)

    # The whole, and what else is said of files

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        """Say what there is room for."""
        total, free, files = await self._answered(self._files.space())
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = _BLOCK
        data.f_blocks = total // _BLOCK
        data.f_bfree = data.f_bavail = free // _BLOCK
        data.f_ffree = data.f_favail = free // _BLOCK
        data.f_files = files + data.f_ffree
        data.f_namemax = 255
        return data

    async def setxattr(self, inode: "InodeT", name: "XAttrNameT", value: bytes, ctx: pyfuse3.RequestContext) -> None:
        """Set an extended attribute."""
        await self._changed(self._files.set_extended(ctx.uid, inode, name, value, 0), inode)

    async def getxattr(self, inode: "InodeT", name: "XAttrNameT", ctx: pyfuse3.RequestContext) -> bytes:
        """Read an extended attribute."""
        if not name.startswith(_OWN_ATTRIBUTES):
            # Not asked of the node: the kernel wants `security.capability` with the first write to every file.
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        return await self._answered(self._files.extended(ctx.uid, inode, name))

    async def listxattr(self, inode: "InodeT", ctx: pyfuse3.RequestContext) -> "Sequence[XAttrNameT]":
        """Name the extended attributes."""
        names = await self._answered(self._files.list_extended(ctx.uid, inode))
        return [pyfuse3.XAttrNameT(name.encode()) for name in names]

    async def removexattr(self, inode: "InodeT", name: "XAttrNameT", ctx: pyfuse3.RequestContext) -> None:
        """Take an extended attribute away."""
        await self._changed(self._files.remove_extended(ctx.uid, inode, name), inode)

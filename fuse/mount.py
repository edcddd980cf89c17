"""The life of a mount: from a stale one that is replaced, to the clean end.

Concurrency: `serve` runs trio on the calling thread until the mount ends, by a signal or by `umount`.
"""

import errno
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pyfuse3
import trio

from appliance.service_notification import notify
from fuse.connection import Connect, MountError
from fuse.device_number import next_free
from fuse.invalidation import UNWATCHED, Invalidation
from fuse.look_ahead import LookAhead
from fuse.operations import Operations

_READ_AHEAD_KIB: Final = 1024
"""How far the kernel reads ahead: then reads come as 1 MiB, not as 128 KiB."""

_LAST_WRITES: Final = 30
"""Seconds for which the end waits for what the kernel writes."""
_QUIET: Final = 5
_LOOK_EVERY: Final = 0.02
"""Seconds between two looks, of which so many in turn have to find the kernel waiting for nothing."""

_log = logging.getLogger(__name__)


def replace_stale(mountpoint: Path) -> None:
    """Take away a mount whose process has died. Raises MountError where the mount point isn't a directory."""
    try:
        is_directory = mountpoint.is_dir()
        # What the kernel knows of the directory itself it says for a while without asking anybody.
        os.statvfs(mountpoint)
    except FileNotFoundError:
        raise MountError(f"{mountpoint} does not exist: make the directory first") from None
    except OSError as fault:
        if fault.errno != errno.ENOTCONN:
            raise MountError(f"{mountpoint}: {fault.strerror}") from fault
        _unmount_lazily(mountpoint)
    else:
        if not is_directory:
            raise MountError(f"{mountpoint} is not a directory")


def _unmount_lazily(mountpoint: Path) -> None:
    ways = (("umount", "-l"), ("fusermount3", "-uz"))
    for command, *options in ways:
        if (program := shutil.which(command)) is None:
            continue
        done = subprocess.run([program, *options, str(mountpoint)], capture_output=True, check=False)  # noqa: S603
        if done.returncode == 0:
            return
    raise MountError(f"{mountpoint} is a mount whose process died, and can't be unmounted: umount -l {mountpoint}")


def _kernel_ends() -> list[int]:
    """The open files of this process that lead to the kernel's side of FUSE."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if _leads_to(number) == "/dev/fuse"]


def _leads_to(number: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{number}").readlink())
    except FileNotFoundError:
        return ""


class Mount:
    """One mount of a node's namespace."""

    def __init__(
        self,
        connect: Connect,
        mountpoint: Path,
        *,
        name: str = "packstone",
        options: Collection[str] = (),
        device: int | None = None,
        sync: bool = False,
        exclusive: bool = False,
        believed: float = UNWATCHED,
    ) -> None:
        """Say how to reach the node, the directory to mount on, and the minor number that the device shall have.

        `name` is what the mount is called in lists of mounts; `options` are libfuse's own, such as `allow_other`. With
        `sync`, what is made or closed is durable when that is answered. With `exclusive`, as the connection must be,
        the kernel keeps for a while what is written. Names and attributes it believes `believed` seconds, where it
        isn't told otherwise.
        """
        self._connect = connect
        self._mountpoint = mountpoint
        self._options = {f"fsname={name}", "subtype=packstone", "default_permissions", *options}
        self._device = device
        self._sync = sync
        self._exclusive = exclusive
        self._believed = believed

    def serve(self, ready: Callable[[], None]) -> None:
        """Mount, call `ready`, and answer the kernel until the end. Raises MountError."""
        replace_stale(self._mountpoint)
        files = self._connect()
        ahead = LookAhead()
        invalidation = Invalidation(files, self._believed, ahead)
        try:
            with nullcontext() if self._device is None else next_free(self._device):
                operations = Operations(files, invalidation, ahead, at_once=self._sync, exclusive=self._exclusive)
                pyfuse3.init(operations, str(self._mountpoint), self._options)
        except (RuntimeError, OSError) as fault:
            raise MountError(f"{self._mountpoint} can't be mounted: {fault}") from fault
        invalidation.start()
        try:
            trio.run(self._run, ready)
        finally:
            pyfuse3.close(unmount=True)

    async def _run(self, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._prepare, ready)
            nursery.start_soon(self._end_by_signal)
            # Ends when the kernel has unmounted, too.
            await pyfuse3.main()
            nursery.cancel_scope.cancel()

    async def _prepare(self, ready: Callable[[], None]) -> None:
        # The mount point is asked for its device, which is a question to this very process.
        await trio.to_thread.run_sync(self._read_ahead)
        # Whoever keeps the kernel's end open has questions wait, and not fail, where this process dies.
        notify("FDSTORE=1\nFDNAME=fuse", _kernel_ends())
        notify("READY=1")
        ready()

    def _read_ahead(self) -> None:
        device = self._mountpoint.stat().st_dev
        setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
        # Root's to set: without it the mount reads in smaller pieces.
        if os.access(setting, os.W_OK):
            setting.write_text(str(_READ_AHEAD_KIB), "ascii")

    def _write_back(self) -> None:
        pyfuse3.syncfs(str(self._mountpoint))
        # Of pages that it keeps it may only have begun to write some.
        waiting = Path(f"/sys/fs/fuse/connections/{os.minor(self._mountpoint.stat().st_dev)}/waiting")
        if not self._exclusive or not waiting.exists():
            return
        deadline = time.monotonic() + _LAST_WRITES
        quiet = 0
        while quiet < _QUIET and time.monotonic() < deadline:
            quiet = quiet + 1 if waiting.read_text("ascii").strip() == "0" else 0
            time.sleep(_LOOK_EVERY)

    async def _end_by_signal(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for _ in signals:
                # What programs wrote to mapped pages is still the kernel's.
                try:
                    await trio.to_thread.run_sync(self._write_back)
                except OSError as fault:
                    _log.warning("not everything could be written", extra={"fault": str(fault)})
                pyfuse3.terminate()

"""The mount that is exported: a `packstone mount` process of NFS' own.

A copy of the kernel's end of the mount (`/dev/fuse`) is kept here. So where the process dies, questions of Ganesha's
wait instead of failing, until `clear` lets go of it: by then Ganesha is killed, and no client is told of an error.

Concurrency: one thread.
"""

import logging
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.errors import OperatorError
from appliance.private_file import write_private

_START_SECONDS: Final = 60
_END_SECONDS: Final = 40
_MOST_DESCRIPTORS: Final = 4
_LOWEST, _CHOICE = 1500, 2000

_log = logging.getLogger(__name__)


class PrivateMount:
    """One mount point that nobody but Ganesha uses."""

    def __init__(self, arguments: Sequence[str | Path], directory: Path, number: Path) -> None:
        """`arguments` lead `packstone mount` to the node; the mount point is `mount` in the directory.

        `number` is the file that keeps the number of the mount's device.
        """
        self.path = directory / "mount"
        self._number = number
        self._arguments = [str(argument) for argument in arguments]
        self._notifications = directory / "notify.sock"
        self._kernel: list[int] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Mount, and return once it is. Raises OperatorError."""
        self.clear()
        self.starts += 1
        wanted = self._wanted()
        self._mount(wanted)
        if (got := _mounted(self.path)) != [wanted]:
            _log.error("NFS' mount has another device number: clients have to mount again", extra={"wanted": wanted})
            self._keep(got[0] if got else _draw())

    def _wanted(self) -> int:
        """The number that the device had, so that handles of before are good."""
        try:
            return int(self._number.read_text("ascii"))
        except FileNotFoundError:
            return self._keep(_draw())
        except (OSError, ValueError) as fault:
            raise OperatorError(f"{self._number}: can't be read: {fault}") from None

    def _keep(self, number: int) -> int:
        try:
            self._number.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._number, f"{number}\n")
        except OSError as fault:
            raise OperatorError(f"{self._number}: can't be written: {fault.strerror}") from None
        return number

    def _mount(self, device: int) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notifications.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notified:
            notified.bind(str(self._notifications))
            command = [sys.executable, "-m", "gateway.cli", "mount", "--allow-other", "--sync", "--device", str(device)]
            command += [*self._arguments, str(self.path)]
            self.process = subprocess.Popen(  # noqa: S603
                ["setpriv", "--pdeathsig", "TERM", "--", *command],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment() | {"NOTIFY_SOCKET": str(self._notifications)},
            )
            self._await(notified, self.process)

    def _await(self, notified: socket.socket, process: subprocess.Popen[bytes]) -> None:
        end = os.pidfd_open(process.pid)
        deadline = time.monotonic() + _START_SECONDS
        waits = select.poll()
        for descriptor in (notified.fileno(), end):
            waits.register(descriptor, select.POLLIN)
        try:
            while True:
                left = max(0.0, deadline - time.monotonic())
                # Not `select`, which takes no descriptor above 1,023.
                ready = {descriptor for descriptor, _ in waits.poll(left * 1000)}
                if notified.fileno() in ready:
                    told, descriptors, _, _ = socket.recv_fds(notified, 1024, _MOST_DESCRIPTORS)
                    self._kernel += descriptors
                    if b"READY=1" in told.split(b"\n"):
                        return
                elif end in ready:
                    self.clear()
                    raise OperatorError("the namespace can't be mounted for NFS: what `mount` wrote above says why")
                else:
                    process.kill()
                    self.clear()
                    raise OperatorError(f"the namespace isn't mounted for NFS after {_START_SECONDS} s")
        finally:
            os.close(end)

    def has_died(self) -> bool:
        """Whether its process has ended since it was started."""
        return self.process is not None and self.process.poll() is not None

    def clear(self) -> None:
        """Let go of a mount whose process has ended, and take away whatever is mounted there."""
        if self.process is not None:
            self.process.wait()
            self.process = None
        while self._kernel:
            os.close(self._kernel.pop())
        umount = shutil.which("umount") or "umount"
        while _mounted(self.path):
            done = subprocess.run([umount, "-l", self.path], capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                raise OperatorError(f"{self.path} can't be unmounted: {done.stderr.strip()}")

    def stop(self, *, cleanly: bool) -> None:
        """Unmount: cleanly, with all that was written published, unless there is no node to publish it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM if cleanly else signal.SIGKILL)
            try:
                self.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.clear()


def _draw() -> int:
    """A number far above those that are in use anyway."""
    return _LOWEST + secrets.randbelow(_CHOICE)


def _environment() -> dict[str, str]:
    """The environment, in which the same sources are found as here."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _mounted(path: Path) -> list[int]:
    """The minor device numbers of what is mounted there, by the kernel's table: a dead mount doesn't answer itself."""
    wanted = str(path).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    fields = [line.split(" ") for line in lines]
    return [int(field[2].partition(":")[2]) for field in fields if field[4] == wanted]

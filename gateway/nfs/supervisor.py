"""`packstone nfs serve`: a mount, and NFS-Ganesha over it, kept together while either or the node comes and goes.

It is a process of its own, beside the node, as every mount is: a restart of either leaves the other alone, and it may
run as root where the node doesn't. What is exported it asks the node for, twice a second, and tells it how NFS is.

States, from the ground up: no node; node and no mount; mount and no Ganesha; all of them. Each step goes
as far up as it can. What must hold:

- **Ganesha answers nobody unless node and mount are those that it was started over.** When the node ends, what was open
  there is gone, and what wasn't synced is lost: Ganesha would answer ESTALE, and confirm writes that are no more.
  When the mount's process dies it would answer SERVERFAULT for ever. So it is killed before it can answer either: an
  idle connection tells at once when the node ends, while the mount holds questions back for 30 s; and the kernel's
  end of the mount is kept open until Ganesha is dead (`private_mount`). Clients see a server that is away, wait, and
  go on: handles are inode numbers, which outlive all three, beside the number of the mount's device, which is kept.
- **Every start of Ganesha has another write verifier** (`ganesha`), so that clients send again what they wrote and
  weren't told to be durable.
- **What is exported is what the node said last.** A change is carried out by a reload (SIGHUP), at which clients of
  other exports notice nothing.

A crash of this process kills Ganesha and ends the mount (`setpriv --pdeathsig`); the next start begins with
unmounting what is left. What is kept, in `nfs` of the data directory, is Ganesha's list of NFS 4 clients and the
number of the mount's device (`private_mount`).

Concurrency: one thread. It never waits for the mount, which may wait for the node: that is `Looks`' thread's part.
"""

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.configuration import Configuration
from appliance.errors import OperatorError
from appliance.process_signals import ProcessSignals
from appliance.service_notification import notify
from gateway.nfs.export import Export
from gateway.nfs.ganesha import Ganesha
from gateway.nfs.looks import Looks
from gateway.nfs.private_mount import PrivateMount
from gateway.nfs.report import INTERVAL, Report

_LONGEST_PAUSE: Final = 30.0
_SHORT_LOOK: Final = 0.05
_LONG_LOOK: Final = 10.0
_log = logging.getLogger(__name__)

Exchange = Callable[[Report], Sequence[Export]]
"""Tells the node how NFS is, and returns what is to be exported. Raises OperatorError while it can't be asked."""


class Supervisor:
    """Serves NFS over one node whose run directory the caller has locked."""

    def __init__(
        self, configuration: Configuration, control: Path, exchange: Exchange, arguments: Sequence[str | Path]
    ) -> None:
        """`control` is the node's local socket; `arguments` lead `packstone mount` to the node."""
        self._nfs = configuration.nfs
        self._control = control
        self._exchange = exchange
        kept = configuration.nfs_state
        self._mount = PrivateMount(arguments, self._nfs.directory, kept / "device")
        self._ganesha = Ganesha(self._nfs, self._nfs.directory, kept / "recovery", self._mount.path)
        self._looks = Looks(self._mount.path)
        self._link: socket.socket | None = None
        self._wanted: Sequence[Export] | None = None
        self._served: list[Export] = []
        self._roots: dict[int, int] = {}
        self._is_behind = False
        self._fault = ""
        self._pause, self._not_before = 0.0, 0.0

    def serve(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT. Raises OperatorError for what keeps it from ever being up."""
        self._ganesha.expect_startable()
        with ProcessSignals((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)) as signals:
            told = False
            try:
                while not self._is_ending(signals):
                    self._step(fatal=not told)
                    if not told and self._is_up:
                        told = True
                        notify("READY=1")
                        ready()
                    self._await_event(signals)
            finally:
                is_served = self._link is not None and not _has_ended(self._link)
                if not is_served:
                    self._ganesha.kill()
                else:
                    self._ganesha.stop()
                self._mount.stop(cleanly=is_served)
                self._ganesha.finish()

    @property
    def _is_up(self) -> bool:
        return self._ganesha.process is not None and self._link is not None

    def _is_ending(self, signals: ProcessSignals) -> bool:
        ready, _, _ = select.select([signals], [], [], 0)
        return bool(ready) and signals.wait() is not signal.SIGHUP

    def _step(self, *, fatal: bool) -> None:
        """Go as far up as it can; a fault is told, and tried again later and later."""
        self._look_down()
        if time.monotonic() < self._not_before:
            return
        try:
            self._look_up()
        except OperatorError as fault:
            if fatal:
                raise
            self._fault = str(fault)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or INTERVAL)
            self._not_before = time.monotonic() + self._pause
            _log.error("NFS isn't served", extra={"fault": self._fault, "next_attempt_seconds": self._pause})
        else:
            if self._is_up:
                self._fault, self._pause = "", 0.0
        self._tell()

    def _look_down(self) -> None:
        """Take notice of what has ended, and take down what stands on it."""
        if self._link is not None and _has_ended(self._link):
            _log.warning("the node has ended: NFS waits for it")
            self._ganesha.kill()
            self._link.close()
            self._link = None
        if self._mount.has_died():
            _log.error("the mount has died: it is made anew")
            self._ganesha.kill()
            self._mount.clear()
        if self._ganesha.reap():
            self._served = []
            _log.warning("NFS-Ganesha has ended")

    def _look_up(self) -> None:
        if self._link is None:
            self._link = _linked(self._control)
            if self._link is None:
                return
        if self._wanted is None:
            self._wanted = self._exchange(self._report())
        if self._mount.process is None:
            if self._ganesha.process is not None:
                # It keeps the mount before from giving its device number back.
                return
            self._mount.start()
            self._looks.forget()
        # With Ganesha up it must be noticed at once when the node ends, and the mount waits for the node.
        is_up = self._ganesha.process is not None
        roots = self._looks.roots(self._wanted, _SHORT_LOOK if is_up else _LONG_LOOK)
        if not is_up:
            self._roots = roots
            self._served = [export for export in self._wanted if export.number in roots]
            self._ganesha.start(self._served)
            _log.info("NFS is served", extra={"address": str(self._nfs.address), "exports": len(self._served)})
            return
        # Ganesha holds on to the directory that was there: of another in its place it learns by an export that went and
        # came, which takes two steps.
        replaced = {number for number, inode in roots.items() if self._roots.get(number, inode) != inode}
        exported = [export for export in self._wanted if export.number in roots and export.number not in replaced]
        self._roots = {export.number: roots[export.number] for export in exported}
        if exported != self._served:
            self._ganesha.reload(exported)
            self._served = exported
            _log.info("exports have changed", extra={"exports": len(exported)})

    def _tell(self) -> None:
        if self._link is None:
            return
        try:
            wanted = self._exchange(self._report())
        except OperatorError as fault:
            # What it said last stands; that it ended, the link says.
            _log.debug("the node can't be asked", extra={"fault": str(fault)})
            return
        if wanted != self._wanted:
            self._wanted, self._is_behind = wanted, True

    def _report(self) -> Report:
        return Report(
            pid=os.getpid(),
            address=str(self._nfs.address),
            versions=list(self._nfs.versions),
            up=self._is_up,
            fault=self._fault,
            served=self._served,
            faults=self._looks.faults(self._wanted or ()),
            connections=self._ganesha.connections(),
            ganesha_restarts=max(0, self._ganesha.starts - 1),
            mount_restarts=max(0, self._mount.starts - 1),
        )

    def _await_event(self, signals: ProcessSignals) -> None:
        """Return when a signal came, the node, the mount or Ganesha ended, or it is time to tell the node again."""
        if self._is_behind:
            self._is_behind = False
            return
        ends = [
            os.pidfd_open(process.pid)
            for process in (self._mount.process, self._ganesha.process)
            if process is not None and process.poll() is None
        ]
        try:
            links = [] if self._link is None else [self._link.fileno()]
            select.select([signals.fileno(), *links, *ends], [], [], INTERVAL)
        finally:
            for end in ends:
                os.close(end)


def _linked(control: Path) -> socket.socket | None:
    """A connection to the node that nothing is sent on: it ends when the node does."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        link.connect(str(control))
    except OSError:
        link.close()
        return None
    link.setblocking(False)
    return link


def _has_ended(link: socket.socket) -> bool:
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

"""NFS-Ganesha: its configuration, and the process.

Each start has another epoch, from which Ganesha makes the verifier of writes: clients that have written what they don't
know to be durable send it again after a restart. What NFS 4 clients have open is kept in `recovery`, and they reclaim
it within the grace period; with nobody to wait for there is none.

Concurrency: one thread.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import jinja2

from appliance.configuration import NfsSection
from appliance.errors import OperatorError
from gateway.nfs.export import Export, is_writable

_START_SECONDS: Final = 20
_END_SECONDS: Final = 10
_LONGEST_LEASE: Final = 60
_LOOK_EVERY: Final = 0.02
_EPOCHS_A_SECOND: Final = 10
_SQUASH: Final = {"root": "Root_Squash", "all": "All_Squash", "none": "No_Root_Squash"}
_PORTMAPPER: Final = 111


class Ganesha:
    """One `ganesha.nfsd` over a mounted namespace."""

    def __init__(self, nfs: NfsSection, directory: Path, recovery: Path, mountpoint: Path) -> None:
        """Name what it is made of; nothing is started."""
        self._nfs = nfs
        self._configuration = directory / "ganesha.conf"
        self._pid_file = directory / "ganesha.pid"
        self._recovery = recovery
        self._mountpoint = mountpoint
        self._epoch = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def expect_startable(self) -> None:
        """Raise OperatorError for what keeps it from being started here."""
        missing = [program for program in ("ganesha.nfsd", "setpriv") if shutil.which(program) is None]
        if missing:
            raise OperatorError(
                f"NFS needs {' and '.join(missing)}: install Debian's nfs-ganesha, nfs-ganesha-vfs and util-linux"
            )
        if "3" in self._nfs.versions and not _answers("127.0.0.1", _PORTMAPPER):
            raise OperatorError(
                'NFS 3 needs rpcbind, which doesn\'t run: start it (Debian: rpcbind.service), or leave "3" out of '
                "nfs.versions"
            )
        address = self._nfs.address
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            socket.create_server(address, family=family).close()
        except OSError as fault:
            raise OperatorError(
                f"nfs.address {address} can't be used: {fault.strerror or fault}; another NFS server (Debian: "
                "nfs-kernel-server, nfs-ganesha.service) has to be stopped and disabled"
            ) from None

    def start(self, exports: Sequence[Export]) -> None:
        """Start it with these exports, and return when it answers. Raises OperatorError."""
        self.expect_startable()
        self._write(exports)
        self._recovery.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._epoch = max(self._epoch + 1, int(time.time() * _EPOCHS_A_SECOND) % 2**32)
        # It dies with whoever supervises it: nobody else would mend what is behind it.
        command = ["setpriv", "--pdeathsig", "KILL", "--", "ganesha.nfsd", "-F", "-L", "STDERR", "-N", "NIV_WARN"]
        command += ["-f", str(self._configuration), "-p", str(self._pid_file), "-E", str(self._epoch)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
        self.starts += 1
        address = self._nfs.address.reachable_host
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(*address):
            if self.process.poll() is not None:
                self.process = None
                raise OperatorError("ganesha.nfsd ended while it started: what it wrote above says why")
            if time.monotonic() > deadline:
                self.kill()
                raise OperatorError(f"ganesha.nfsd doesn't listen on {address} after {_START_SECONDS} s")
            time.sleep(_LOOK_EVERY)

    def reload(self, exports: Sequence[Export]) -> None:
        """Have it export these and nothing else; clients of those that stay notice nothing."""
        self._write(exports)
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Kill it: from here on it answers nothing. What it waits for in the kernel may delay its end."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """End it cleanly, or kill it: `finish` waits for that, once the mount that may hold it is gone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def finish(self) -> None:
        """Return when it has ended."""
        if self.process is not None:
            self.process.wait()
            self.process = None

    def reap(self) -> bool:
        """Whether it has ended since it was started."""
        if self.process is None or self.process.poll() is None:
            return False
        self.process = None
        return True

    def connections(self) -> int:
        """How many TCP connections clients have to it; 0 where the kernel doesn't tell."""
        if self.process is None:
            return 0
        wanted, established, found = f":{self._nfs.address.port:04X}", "01", 0
        for table in ("tcp", "tcp6"):
            try:
                lines = Path(f"/proc/{self.process.pid}/net/{table}").read_text("ascii").splitlines()[1:]
            except OSError:
                continue
            found += sum(line.split()[1].endswith(wanted) and line.split()[3] == established for line in lines)
        return found

    def _write(self, exports: Sequence[Export]) -> None:
        versions = self._nfs.versions
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            autoescape=False,  # noqa: S701 - no HTML; `quoted` refuses what would end a string
        )
        environment.filters["quoted"] = _quoted
        text = environment.get_template("ganesha.conf.j2").render(
            address=self._nfs.address,
            mount_port=self._nfs.mount_port,
            protocols=",".join(sorted({version[0] for version in versions})),
            minor_versions=",".join(version[2:] for version in versions if version.startswith("4.")) or "0",
            recovery=str(self._recovery),
            grace_period=int(self._nfs.grace_period),
            lease=min(_LONGEST_LEASE, int(self._nfs.grace_period)),
            mountpoint=str(self._mountpoint),
            exports=exports,
            squash=_SQUASH,
        )
        draft = self._configuration.with_suffix(".draft")
        draft.write_text(text, "utf-8")
        draft.replace(self._configuration)


def _quoted(text: str) -> str:
    """A string of Ganesha's configuration, which knows no escapes. Raises OperatorError for what would end it."""
    if not is_writable(text):
        raise OperatorError(f"{text!r} can't stand in NFS-Ganesha's configuration: use a path without quotes")
    return f'"{text}"'


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False

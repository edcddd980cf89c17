"""A `packstone nfs serve` process over a node, whose parts tests may kill.

Concurrency: one thread starts, stops and kills; clients may be used by any number of threads.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tests.nfs.client import Client
from tests.nfs.network import SERVER, Network
from tests.served import PACKSTONE, Node

_SECONDS = 60


class Nfs:
    """NFS over one node, on a network's server."""

    def __init__(self, node: Node, network: Network) -> None:
        """Nothing is started yet."""
        self.node = node
        self.network = network
        self.process: subprocess.Popen[bytes] | None = None
        self._output = node.data.with_name("nfs.out")

    def start(self, *options: str) -> None:
        """Start it with these options of the command's, and wait until it serves."""
        assert self.process is None, "it runs already"
        with self._output.open("wb") as out:
            self.process = self.spawn(out, *options)
        self.wait("ready", lambda: "packstone nfs ready" in self.log())

    def spawn(self, out: IO[bytes], *options: str) -> subprocess.Popen[bytes]:
        """Begin to run it."""
        return subprocess.Popen(
            [*self.network.within, str(PACKSTONE), "nfs", "serve", "--data", str(self.node.data), *options],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=self.node.environment(),
        )

    def wait(self, what: str, happened: Callable[[], bool]) -> None:
        """Return once something has happened."""
        deadline = time.monotonic() + _SECONDS
        while not happened():
            assert self.process is None or self.process.poll() is None, f"it has ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"not {what}:\n{self.log()}"
            time.sleep(0.05)

    def leave_grace_period(self, bucket: str) -> None:
        """Return once what is new is opened by NFS 4 again: Debian's libnfs doesn't ask a second time."""

        def opens() -> bool:
            try:
                with self.mount(bucket, 4) as client:
                    client.write("/after-a-start", b"")
                    client.do("unlink", "/after-a-start")
            except OSError as fault:
                if "GRACE" not in str(fault):
                    raise
                return False
            return True

        self.wait("out of the grace period", opens)

    def log(self) -> str:
        """What it said."""
        return self._output.read_text("utf-8")

    def child(self, name: str) -> int:
        """The process id of `ganesha.nfsd` or `packstone mount`."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        named = [pid for pid in children if name in Path(f"/proc/{pid}/cmdline").read_text("utf-8")]
        assert len(named) == 1, named
        return int(named[0])

    def kill_child(self, name: str) -> None:
        """`kill -9` Ganesha (`ganesha.nfsd`) or the mount (`gateway.cli`), and wait until all is up again."""
        before = self.status()["report"]["ganesha_restarts"]
        os.kill(self.child(name), signal.SIGKILL)
        self.wait_restarted(before)

    def wait_restarted(self, before: int) -> None:
        """Wait until Ganesha was started again since it had been `before` times."""

        def restarted() -> bool:
            report = self.status()["report"]
            return report is not None and report["up"] and report["ganesha_restarts"] > before

        self.wait("restarted", restarted)

    def device(self) -> str:
        """The number of the mount's device, which is part of each handle."""
        table = Path(f"/proc/{self.child('gateway.cli')}/mountinfo").read_text("utf-8").splitlines()
        mountpoint = self.node.data.with_name("run") / "mount"
        (number,) = (line.split()[2] for line in table if line.split()[4] == str(mountpoint))
        return number

    def status(self) -> dict[str, Any]:
        """What `packstone nfs status` says."""
        done = subprocess.run(
            [PACKSTONE, "nfs", "status", "--json", "--data", self.node.data],
            capture_output=True,
            text=True,
            check=False,
            env=self.node.environment(),
        )
        told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"report": None, "exports": []}
        return told

    def mount(self, path: str, version: int = 3, client: int = 0, uid: int = 0, gid: int = 0) -> Client:
        """Mount an export from a client's machine. Raises OSError where that is refused."""
        url = f"nfs://{SERVER[client]}/{path}?version={version}"
        return Client(self.network.clients[client], url, uid, gid)

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None

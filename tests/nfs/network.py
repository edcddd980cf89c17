"""A server's and two clients' machines: network namespaces with a wire from the server to each client.

The server's has its own /run, so that its rpcbind meets no other.
"""

import itertools
import os
import subprocess
import time
from pathlib import Path

SERVER = ("10.77.1.1", "10.77.2.1")
"""The server's addresses, on the wires to the first and the second client."""

CLIENT = ("10.77.1.2", "10.77.2.2")
_numbers = itertools.count()


class Network:
    """The namespaces, until `close`."""

    def __init__(self) -> None:
        """Make them, and start the server's rpcbind."""
        stem = f"packstone-{os.getpid()}-{next(_numbers)}"
        self.server = f"{stem}-s"
        self.clients = (f"{stem}-a", f"{stem}-b")
        self._rpcbind: subprocess.Popen[bytes] | None = None
        try:
            for name in (self.server, *self.clients):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            for number, client in enumerate(self.clients):
                _ip(
                    "link",
                    "add",
                    f"to{number}",
                    "netns",
                    self.server,
                    "type",
                    "veth",
                    "peer",
                    "name",
                    "eth",
                    "netns",
                    client,
                )
                _ip("-n", self.server, "addr", "add", f"{SERVER[number]}/24", "dev", f"to{number}")
                _ip("-n", client, "addr", "add", f"{CLIENT[number]}/24", "dev", "eth")
                _ip("-n", self.server, "link", "set", f"to{number}", "up")
                _ip("-n", client, "link", "set", "eth", "up")
            self._start_rpcbind()
        except BaseException:
            self.close()
            raise

    def _start_rpcbind(self) -> None:
        begin = "mount -t tmpfs tmpfs /run && mkdir /run/rpcbind && exec rpcbind -f -w"
        command = ["ip", "netns", "exec", self.server, "unshare", "--mount", "sh", "-c", begin]
        self._rpcbind = subprocess.Popen(command)
        deadline = time.monotonic() + 20
        while not Path(f"/proc/{self._rpcbind.pid}/root/run/rpcbind.sock").exists():
            assert self._rpcbind.poll() is None, "rpcbind has ended"
            assert time.monotonic() < deadline, "rpcbind makes no socket"
            time.sleep(0.02)

    @property
    def within(self) -> list[str]:
        """What runs a command on the server's machine."""
        assert self._rpcbind is not None
        return ["nsenter", "--target", str(self._rpcbind.pid), "--mount", "--net"]

    @property
    def run(self) -> Path:
        """The server's /run."""
        assert self._rpcbind is not None
        return Path(f"/proc/{self._rpcbind.pid}/root/run")

    def close(self) -> None:
        """Take all of it away."""
        if self._rpcbind is not None:
            self._rpcbind.kill()
            self._rpcbind.wait()
        for name in (self.server, *self.clients):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def refusal() -> str | None:
    """Why namespaces can't be made here, if they can't."""
    name = f"packstone-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return tried.stderr.strip()
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return None


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

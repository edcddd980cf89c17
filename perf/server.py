"""The servers that are measured: ones that already run, and the two that the measurement starts."""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 120.0
"""How long a started server may take until it says that it is ready."""


class NotMeasurableError(Exception):
    """Something that the measurement needs is not there, or broke. One line for the operator."""


@dataclass
class Server:
    """An S3 server that runs."""

    name: str
    url: str
    access_key: str
    secret_key: str
    pids: list[int] = field(default_factory=list)
    """Its processes; without any, its processor time and memory are not measured."""
    keys: int = 0
    """How many small objects it holds: the keys numbered from 0 to this."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Started:
    """A server that the measurement starts, kills and starts again, always at the same address."""

    def __init__(self, name: str, command: list[str], port: int, ready: str, log: Path) -> None:
        """`command` listens on `port` of 127.0.0.1 and prints a line that begins with `ready` when it can serve."""
        self.server = Server(name, f"http://127.0.0.1:{port}", "packstone-perf", secrets.token_hex(16))
        self._command = command
        self._ready = ready
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Starts the server; seconds from its start to its ready line."""
        with self._log.open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment())
        self._process = process
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() - began > READY_SECONDS:
                self.kill()
                raise NotMeasurableError(f"{self.server.name} did not become ready, see {self._log}")
            time.sleep(0.002)
        self.server.pids = [process.pid]
        return time.monotonic() - began

    def kill(self) -> None:
        """Ends the server with SIGKILL, if it runs."""
        process, self._process = self._process, None
        self.server.pids = []
        if process is not None:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        return any(line.startswith(self._ready) for line in self._log.read_text(errors="replace").splitlines())

    def _environment(self) -> Mapping[str, str]:
        credentials = {
            "PACKSTONE_ROOT_USER": self.server.access_key,
            "PACKSTONE_ROOT_PASSWORD": self.server.secret_key,
        }
        return os.environ | credentials


class Packstone(Started):
    """The server under test, on a data directory of its own."""

    def __init__(self, program: Path, data: Path, settings: Mapping[str, str] | None = None) -> None:
        """`program` is the `packstone` command; `data` is made by its first start; `settings`: environment."""
        if not program.exists():
            raise NotMeasurableError(f"{program} is not there: run `make build`")
        data.parent.mkdir(parents=True, exist_ok=True)
        port = free_port()
        control = free_port()
        addresses = ["--s3", f"127.0.0.1:{port}", "--control", f"127.0.0.1:{control}"]
        command = [str(program), "serve", "--data", str(data), *addresses]
        super().__init__("packstone", command, port, "packstone ready", data.parent / f"{data.name}.log")
        self.data = data
        self.control = f"http://127.0.0.1:{control}"
        self._program = program
        self._settings = dict(settings or {})

    def _environment(self) -> Mapping[str, str]:
        return {**super()._environment(), **self._settings}

    def seal(self) -> None:
        """Turns the open journals into segments."""
        self._run("seal", "--data", str(self.data))

    def replace_drive(self, drive: Path) -> None:
        """Puts the empty directory `drive` in the place of the one that was there, with the server down."""
        self._run("drive", "replace", str(drive), "--data", str(self.data))

    def status(self) -> object:
        """What `packstone status --json` says."""
        status: object = json.loads(self._run("status", "--data", str(self.data), "--json"))
        return status

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([str(self._program), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotMeasurableError(f"packstone {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def no_op_floor(program: Path, log: Path) -> Started | None:
    """The same S3 front over a map in memory; none when `program` is not built."""
    if not program.exists():
        return None
    port = free_port()
    return Started("floor", [str(program), "--s3", f"127.0.0.1:{port}"], port, "packstone-floor ready", log)

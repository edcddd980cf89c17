"""A `packstone serve` process that tests may configure, kill and start again, and clients that speak to it.

Concurrency: one thread starts, stops and kills a node; clients may be made and used by any number of threads.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PACKSTONE: Final = Path(os.environ.get("PACKSTONE_COMMAND", str(Path(sys.executable).with_name("packstone"))))
USER: Final = "tester"
PASSWORD: Final = "secret-of-the-tests"
REGION: Final = "us-east-1"
_READY: Final = re.compile(r"packstone ready s3=(\S+) control=(\S+) in \d+\.\d\d s")
_START_SECONDS: Final = 60


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without what would reach the node or its clients from outside, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PACKSTONE_", "AWS_"))}
    return kept | dict(extra or {})


class Node:
    """One data directory, and the process that serves it while there is one."""

    def __init__(
        self, data: Path, settings: Mapping[str, str] | None = None, user: str = USER, password: str = PASSWORD
    ) -> None:
        """Name the directory; `settings` are configuration keys by their environment variables."""
        self.data = data
        self.settings = dict(settings or {})
        self.user, self.password = user, password
        self.within: Sequence[str] = ()
        """What runs a command on the machine of the node, and the address that S3 has there."""
        self.host = "127.0.0.1"
        self.process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""
        self.control = ""
        self._starts = 0

    def initialise(self, profile: str, drives: Sequence[Path]) -> None:
        """Make the appliance on `drives`, which are made too."""
        named: list[str | Path] = []
        for drive in drives:
            drive.mkdir(parents=True)
            named += ["--drive", drive]
        self.command("init", "--confirm-time", "--profile", profile, *named)

    def environment(self) -> dict[str, str]:
        """What the process is started with."""
        root = {"PACKSTONE_ROOT_USER": self.user, "PACKSTONE_ROOT_PASSWORD": self.password}
        return environment(self.settings | root)

    def start(self) -> None:
        """Start the process on free ports, and wait until it is ready."""
        assert self.process is None, "the node runs already"
        self._starts += 1
        addresses = ("--s3", f"{self.host}:0", "--control", "127.0.0.1:0")
        with self.path("out").open("wb") as out, self.path("err").open("wb") as err:
            self.process = subprocess.Popen(
                [*self.within, PACKSTONE, "serve", "--data", self.data, *addresses],
                stdout=out,
                stderr=err,
                env=self.environment(),
            )
        deadline = time.monotonic() + _START_SECONDS
        while (ready := _READY.search(self.path("out").read_text("utf-8"))) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"start {self._starts} failed:\n{self.path('out').read_text('utf-8')}{self.log()}")
            time.sleep(0.02)
        self.endpoint, self.control = ready.groups()

    def path(self, stream: str) -> Path:
        """Where the current or last process's `out` or `err` went."""
        return self.data.with_name(f"{self.data.name}.{self._starts}.{stream}")

    def log(self) -> str:
        """What the current or last process wrote to standard error."""
        return self.path("err").read_text("utf-8")

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None, "the node doesn't run"
        return self.process.pid

    def kill(self) -> None:
        """`kill -9`, unless it has ended already."""
        assert self.process is not None, "the node doesn't run"
        self.process.kill()
        self.process.wait(timeout=60)
        self.process = None

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; return the exit code."""
        assert self.process is not None, "the node doesn't run"
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None

    def close(self) -> None:
        """Stop the process if there is one."""
        if self.process is not None:
            self.stop()

    def spawn(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Begin to run `packstone` on this node's data directory; its outputs go nowhere."""
        return subprocess.Popen(
            [PACKSTONE, *arguments, "--data", self.data],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment(),
        )

    def command(self, *arguments: str | Path, code: int = 0) -> str:
        """Run `packstone` on this node's data directory, which must end with `code`; return what it said."""
        return self.command_alone(*arguments, "--data", self.data, code=code)

    def command_alone(self, *arguments: str | Path, code: int = 0) -> str:
        """As `command`, for one that asks no node."""
        done = subprocess.run(
            [PACKSTONE, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def address(self) -> tuple[str, int]:
        """Host and port of S3, for raw sockets."""
        parts = urlsplit(self.endpoint)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def client(self, user: str | None = None, password: str | None = None, timeout: float = 60) -> "S3Client":
        """A boto3 client that tries everything once, for one thread or many; it trusts the node's own certificate."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=user or self.user,
            aws_secret_access_key=password or self.password,
            region_name=REGION,
            verify=self.settings.get("PACKSTONE_S3__TLS_CERTIFICATE"),
            config=Config(
                signature_version="s3v4",
                retries={"total_max_attempts": 1},
                max_pool_connections=64,
                read_timeout=timeout,
                connect_timeout=5,
                s3={"addressing_style": "path"},
            ),
        )

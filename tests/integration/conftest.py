"""A node of its own for the tests that talk to one, as the command line starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

READY: Final = re.compile(r"packstone ready s3=(http://\S+) control=(http://\S+) in \d+\.\d\d s")
PACKSTONE: Final = Path(sys.executable).with_name("packstone")
_START_SECONDS: Final = 60


def environment() -> dict[str, str]:
    """This process's, without what would reach the node or its clients from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PACKSTONE_", "AWS_"))}


class ServedNode:
    """A `packstone serve` process on free ports, and what it printed."""

    def __init__(self, data: Path) -> None:
        """Start it, and wait until it is ready."""
        self.data = data
        self._out = data.with_name(data.name + ".out")
        self._err = data.with_name(data.name + ".err")
        addresses = ("--s3", "127.0.0.1:0", "--control", "127.0.0.1:0")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [PACKSTONE, "serve", "--data", data, *addresses], stdout=out, stderr=err, env=environment()
            )
        deadline = time.monotonic() + _START_SECONDS
        while (ready := READY.search(self.output)) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the node did not start:\n{self.output}{self.errors}")
            time.sleep(0.02)
        self.s3, self.control = ready.groups()

    @property
    def output(self) -> str:
        """Its standard output so far."""
        return self._out.read_text("utf-8")

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        return self._err.read_text("utf-8")

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def command(self, *arguments: str | Path, code: int = 0) -> str:
        """Run `packstone` on this node's data directory, which must end with `code`; return its standard output."""
        done = subprocess.run(
            [PACKSTONE, *arguments, "--data", self.data],
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedNode]:
    """One node for all tests of a file."""
    served = ServedNode(tmp_path_factory.mktemp("node") / "data")
    yield served
    if served.process.poll() is None:
        served.stop()

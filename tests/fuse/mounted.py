"""A `packstone mount` process over a node that tests may kill and start again.

Concurrency: one thread starts, stops and kills it; its files may be used by any number of threads.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.served import PACKSTONE, Node

_START_SECONDS = 30


def skip_without_fuse(items: list[pytest.Item], folder: Path) -> None:
    """Skip the tests of a folder where the machine can't mount."""
    if not Path("/dev/fuse").exists():
        for item in items:
            if folder in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="this machine has no /dev/fuse"))


class Mount:
    """One mount point, and the process that serves it while there is one."""

    def __init__(self, node: Node, mountpoint: Path, *options: str) -> None:
        """Name the node, the directory, which is made, and options of the command's."""
        self.node = node
        self._options = options
        self.path = mountpoint
        mountpoint.mkdir()
        self._output = mountpoint.with_name(f"{mountpoint.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def _node(self) -> list[str | Path]:
        """The options that say which node it is."""
        return ["--data", self.node.data]

    def _environment(self) -> dict[str, str]:
        return self.node.environment()

    def start(self, *options: str) -> None:
        """Mount, and wait until it is."""
        assert self.process is None, "the mount runs already"
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(
                [PACKSTONE, "mount", self.path, *self._node(), *self._options, *options],
                stdout=out,
                stderr=out,
                env=self._environment(),
            )
        deadline = time.monotonic() + _START_SECONDS
        while "packstone mounted on" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the mount failed:\n{self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        """What the process said."""
        return self._output.read_text("utf-8")

    def kill(self) -> None:
        """`kill -9`; the mount stays, with nobody behind it."""
        assert self.process is not None, "the mount doesn't run"
        self.process.kill()
        self.process.wait(timeout=30)
        self.process = None

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; return the exit code."""
        assert self.process is not None, "the mount doesn't run"
        self.process.terminate()
        try:
            return self.process.wait(timeout=60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None

    def close(self) -> None:
        """Stop the process if there is one, and unmount whatever is left."""
        if self.process is not None:
            self.stop()
        subprocess.run(["umount", "-l", self.path], capture_output=True, check=False)


@contextmanager
def served(scratch: Path, settings: Mapping[str, str], bucket: str, *options: str) -> Iterator[Mount]:
    """A node with a bucket, and a mount of it with those options, for as long as the context lasts."""
    node = Node(scratch / "data", dict(settings))
    node.start()
    mount = Mount(node, scratch / "mount", *options)
    try:
        node.client().create_bucket(Bucket=bucket)
        mount.start()
        yield mount
    finally:
        mount.close()
        node.close()

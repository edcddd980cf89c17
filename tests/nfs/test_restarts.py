"""Handles, and copies under way, outlive restarts of all that is behind them."""

import os
import random
import threading
from collections.abc import Callable

from tests.nfs.client import Client
from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs

SIZE = 4 << 20
STEP = 100_000


def restart_node(nfs: Nfs) -> None:
    """`kill -9` the node and start it."""
    before = nfs.status()["report"]["ganesha_restarts"]
    nfs.node.kill()
    nfs.node.start()
    nfs.wait_restarted(before)


def stop_node(nfs: Nfs) -> None:
    """The same by SIGTERM."""
    before = nfs.status()["report"]["ganesha_restarts"]
    nfs.node.stop()
    nfs.node.start()
    nfs.wait_restarted(before)


def restart_all(nfs: Nfs) -> None:
    """`packstone nfs serve` ends and comes again."""
    assert nfs.stop() == 0, nfs.log()
    nfs.start()


def restart_all_while_the_node_is_away(nfs: Nfs) -> None:
    """The node is killed, and NFS ends without it."""
    nfs.node.kill()
    assert nfs.stop() == 0, nfs.log()
    nfs.node.start()
    nfs.start()


RESTARTS: dict[str, Callable[[Nfs], None]] = {
    "ganesha": lambda nfs: nfs.kill_child("ganesha.nfsd"),
    "mount": lambda nfs: nfs.kill_child("gateway.cli"),
    "node-killed": restart_node,
    "node-stopped": stop_node,
    "all-of-nfs": restart_all,
    "all": restart_all_while_the_node_is_away,
}


class Copies:
    """Threads that read, write and make files by NFS from before a restart until after it."""

    def __init__(self, nfs: Nfs, source: bytes) -> None:
        """Begin; `source` is what stands under `folder/source`."""
        self._nfs = nfs
        self._source = source
        self.written = bytearray()
        self.made: dict[str, bytes] = {}
        self._steps = dict.fromkeys(("read", "write", "make"), 0)
        self._faults: list[BaseException] = []
        self._lost = 0
        self._over = threading.Event()
        works = (self._read, self._write, self._make)
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in works]
        for thread in self._threads:
            thread.start()
        self.await_steps()

    def _run(self, work: Callable[[Client], None]) -> None:
        try:
            with self._nfs.mount(BUCKET) as client:
                work(client)
        except BaseException as fault:  # noqa: BLE001 - whoever waits for it raises it
            self._faults.append(fault)

    def _read(self, client: Client) -> None:
        held = client.open("/folder/source", os.O_RDONLY)
        while not self._over.is_set():
            at = random.randrange(len(self._source))
            assert client.pread(held, at, STEP) == self._source[at : at + STEP]
            self._steps["read"] += 1

    def _write(self, client: Client) -> None:
        client.write("/folder/written", b"")
        held = client.open("/folder/written", os.O_WRONLY | os.O_SYNC)
        while not self._over.is_set():
            content = os.urandom(STEP)
            client.pwrite(held, len(self.written), content)
            self.written += content
            self._steps["write"] += 1
        client.do("close", held)

    def _make(self, client: Client) -> None:
        while not self._over.is_set():
            name, content = f"/folder/made{len(self.made)}", os.urandom(3000)
            try:
                client.write(name, content)
            except OSError as fault:
                # The node ended with a question in hand: nobody knows what became of it.
                if "SERVERFAULT" not in str(fault) or self._lost >= len(RESTARTS):
                    raise
                self._lost += 1
                continue
            self.made[name] = content
            self._steps["make"] += 1

    def await_steps(self) -> None:
        """Return once each has come further, by ten steps."""
        wanted = {name: steps + 10 for name, steps in self._steps.items()}
        self._nfs.wait(
            "going on", lambda: bool(self._faults) or all(self._steps[name] >= wanted[name] for name in wanted)
        )
        assert self._faults == []

    def end(self) -> None:
        """End them; none has met a fault."""
        self.stop()
        assert self._faults == []

    def stop(self) -> None:
        """End them, whatever they met."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)


def test_copies_under_way_end_whole_and_what_is_mounted_stays(nfs: Nfs) -> None:
    """Through every restart, one after the other; handles of files and directories, known and implicit, stay good."""
    source = os.urandom(SIZE)
    s3 = nfs.node.client()
    s3.put_object(Bucket=BUCKET, Key="folder/source", Body=source)
    s3.put_object(Bucket=BUCKET, Key="implicit/deep/file", Body=b"content")
    copies = Copies(nfs, source)
    try:
        restart_all_ways(nfs, copies)
    finally:
        copies.stop()
    copies.end()
    with nfs.mount(BUCKET) as client:
        assert client.read("/folder/written") == copies.written
        assert {name: client.read(name) for name in copies.made} == copies.made
    content = nfs.node.client().get_object(Bucket=BUCKET, Key="folder/written")["Body"].read()
    assert content == copies.written


def restart_all_ways(nfs: Nfs, copies: Copies) -> None:
    """Handles of before stay good through each."""
    with nfs.mount(BUCKET) as client:
        client.do("mkdir", "/known")
        client.write("/known/file", b"known")
        paths = ("/implicit/deep/file", "/implicit/deep", "/known/file", "/known")
        before = {path: client.stat(path)["ino"] for path in paths}
        held = client.open("/implicit/deep/file", os.O_RDONLY)
        device = nfs.device()
        for what, restart in RESTARTS.items():
            restart(nfs)
            assert nfs.device() == device, what
            assert client.pread(held, 0, 100) == b"content", what
            assert client.read("/known/file") == b"known", what
            for version in (3, 4):
                with nfs.mount(BUCKET, version) as other:
                    assert {path: other.stat(path)["ino"] for path in paths} == before, (what, version)
            copies.await_steps()

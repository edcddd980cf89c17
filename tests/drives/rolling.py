"""Rounds of harm to the drives and the process of a node with two pools, under load; nothing may be lost by it."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.cli.control_client import ControlClient
from gateway.control.documents import StatusDocument, VerifyDocument
from tests.crash.ledger import BUCKET, Ledger
from tests.drives.clients import Client
from tests.drives.errands import ERRANDS, Errand, Pool
from tests.drives.harms import HARMS, Harm, copy_drive
from tests.drives.versions import LOCKED, Versions
from tests.served import Node

CLIENTS: Final = 3
_WHOLE_SECONDS: Final = 120
# Small files, so that a short round seals, rolls streams and compacts; drives that failed are tried again at once.
_SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
    "PACKSTONE_ENGINE__STREAM_SIZE": "16 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
    "PACKSTONE_ENGINE__CACHE_SIZE": "0",
    "PACKSTONE_ENGINE__RETRY_FAILED": "1 s",
}


class Rolling:
    """The appliance under test, and what it owes over all rounds."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Make the appliance; all that is drawn follows from the seed."""
        self.chance = random.Random(seed)
        self.pools = [Pool.make(folder, "fast", "ssd", "3+1"), Pool.make(folder, "slow", "hdd", "2+2")]
        self.node = Node(folder / "data", _SETTINGS)
        Errand(self.pools, self.chance).configure(self.node)
        self.node.command("init", "--confirm-time")
        self.ledger, self.versions = Ledger(), Versions()
        self.history: list[str] = []
        self.node.start()
        self.client = self.node.client()
        for bucket in (BUCKET, "touch"):
            self.client.create_bucket(Bucket=bucket)
        self.client.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)

    def round(self) -> None:
        """Harm as many drives as may be, end the process or not, mend all, and hold the node to what it owes."""
        harms, errand = self.draw_harms(), self.chance.choice(ERRANDS)(self.pools, self.chance)
        early = [harm for harm in harms if self.chance.random() < 0.5]
        ending = self.chance.choice(["kill", "kill", "stop", "go on"])
        told = [f"{harm} {'while it runs' if harm in early else 'then'}" for harm in harms]
        self.note(f"{type(errand).__name__} {errand.drive.name}, {', '.join(told)}, {ending}")
        with self.load(kill=ending == "kill"):
            errand.begin(self.node)
            self.strike(early)
            time.sleep(self.chance.uniform(0.2, 1))
        if ending == "stop":
            assert self.node.stop() == 0
        self.strike([harm for harm in harms if harm not in early])
        if self.node.process is None:
            self.while_down(harms)
        with self.load():
            self.mend(harms)
            time.sleep(self.chance.uniform(0, 0.5))
        if self.chance.random() < 0.3:
            self.note("kill while it heals")
            self.node.kill()
            self.start()
        errand.end(self.node)
        self.wait_until_whole()
        self.settle()

    def draw_harms(self) -> list[Harm]:
        """One harm each for at most as many drives as parity makes good, of a pool and of the appliance."""
        most = max(pool.parity for pool in self.pools)
        victims: list[Path] = []
        for pool in self.pools:
            victims += self.chance.sample(pool.drives, self.chance.randint(0, pool.parity))
        victims = self.chance.sample(victims, min(most, len(victims)))
        return [self.chance.choice(HARMS)(drive, self.chance) for drive in victims]

    def strike(self, harms: list[Harm]) -> None:
        """Let them happen."""
        for harm in harms:
            harm.strike(self.node)

    def mend(self, harms: list[Harm]) -> None:
        """Make good what is not made good yet."""
        for harm in harms:
            if not harm.mended:
                harm.mend(self.node)
                harm.mended = True

    def while_down(self, harms: list[Harm]) -> None:
        """Mend some, copy a drive for later, lose the index, and start again, once or twice."""
        self.mend([harm for harm in harms if self.chance.random() < 0.5])
        standing = [drive for pool in self.pools for drive in pool.drives if drive.exists()]
        if self.chance.random() < 0.6:
            copied = self.chance.choice(standing)
            copy_drive(copied)
            self.note(f"{copied.name} copied")
        if self.chance.random() < 0.3:
            shutil.rmtree(self.node.data / "index")
            self.note("index lost")
        if self.chance.random() < 0.3:
            self.note("killed while it starts")
            self.start_and_kill()
        self.start()
        self.settle()

    @contextmanager
    def load(self, *, kill: bool = False) -> Iterator[None]:
        """Clients at work; at the end they have all their answers, or the node is killed under them."""
        clients = [
            Client(self.client, self.ledger, self.versions, number, self.chance.getrandbits(60))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            for client in clients:
                client.ended.set()
                if kill:
                    client.killed.set()
            if kill:
                self.node.kill()
            for client in clients:
                client.join(timeout=90)
        assert not any(client.is_alive() for client in clients)
        self.judge([finding for client in clients for finding in client.findings])

    def start_and_kill(self) -> None:
        """End the process somewhere in its start."""
        process = self.node.spawn("serve", "--s3", "127.0.0.1:0", "--control", "127.0.0.1:0")
        time.sleep(self.chance.uniform(0.3, 1.5))
        process.kill()
        process.wait()

    def start(self) -> None:
        """Start the node, if what the former process said is in order."""
        self.check_log()
        self.node.start()
        self.client = self.node.client()

    def wait_until_whole(self) -> None:
        """Wait until every drive is in use and every segment has all its shards, and have everything verified."""
        with ControlClient(self.node.data) as control:
            self.await_status(control, lambda status: all(drive.state == "online" for drive in status.drives))
            control.seal()
            # What was spoiled is found by this, and healed.
            self.judge([f"lost: {name}" for name in verify(control).lost])
            self.await_status(
                control,
                lambda status: status.healing.open == 0 and not any(pool.degraded for pool in status.pools),
            )
            lost = control.status().healing.lost
            self.judge([*verify(control).faults, *[f"{lost} shards could not be healed"] * bool(lost)])

    def await_status(self, control: ControlClient, holds: Callable[[StatusDocument], bool]) -> None:
        """Wait until the node is in such a state."""
        deadline = time.monotonic() + _WHOLE_SECONDS
        while not holds(status := control.status()):
            if time.monotonic() > deadline:
                self.judge([f"not whole: {status.model_dump_json(indent=1)}"])
            time.sleep(0.1)

    def settle(self) -> None:
        """Read and list everything, and compare."""
        self.judge(self.ledger.settle(self.client) + self.versions.settle(self.client))

    def finish(self) -> None:
        """An index that is made anew says the same."""
        assert self.node.stop() == 0
        self.node.command("rebuild-index")
        self.start()
        self.settle()
        self.wait_until_whole()

    def note(self, event: str) -> None:
        """Remember what happened."""
        self.history.append(event)

    def judge(self, faults: list[str]) -> None:
        """Nothing may be wrong."""
        self.check_log()
        assert not faults, "\n".join(["after", *self.history[-20:], "", *faults[:20], self.node.log()[-6000:]])

    def check_log(self) -> None:
        """No process may have stumbled."""
        log = self.node.log()
        assert "panicked" not in log, log
        assert "Traceback" not in log, log

    def close(self) -> None:
        """Leave no process behind."""
        if self.node.process is not None:
            self.node.kill()


def verify(control: ControlClient) -> VerifyDocument:
    """Have everything be read and checked."""
    (report,) = (event.report for event in control.verify(1.0) if event.report is not None)
    return report

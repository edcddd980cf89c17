"""A node on drives of its own that is loaded, killed, damaged, started again and asked for all that it owes."""

import random
import time
from pathlib import Path
from typing import Final

from tests.crash.damage import DAMAGES, spoil_index
from tests.crash.ledger import BUCKET, Ledger
from tests.crash.load import Worker
from tests.served import Node

THREADS: Final = 6
# Small files, so that a short round seals, rolls stream segments and compacts.
SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "4 MiB",
    "PACKSTONE_ENGINE__STREAM_SIZE": "24 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "64 MiB",
}


class Rounds:
    """The appliance under test, and its ledger over all rounds."""

    def __init__(self, folder: Path, profile: str, seed: int) -> None:
        """Make the appliance."""
        data, parity = (int(number) for number in profile.split("+"))
        self.chance = random.Random(seed)
        self.drives = [folder / f"drive {number}" for number in range(data + parity)]
        self.victims = self.chance.sample(self.drives, parity)
        self.node = Node(folder / "data", SETTINGS)
        self.node.initialise(profile, self.drives)
        self.ledger = Ledger()
        self.node.start()
        self.node.client().create_bucket(Bucket=BUCKET)

    def load_and_kill(self, longest: float) -> None:
        """Load the running node for a random time of at most `longest` seconds, then `kill -9` it."""
        workers = [
            Worker(self.node.client(), self.ledger, number, self.chance.getrandbits(60)) for number in range(THREADS)
        ]
        for worker in workers:
            worker.start()
        time.sleep(self.chance.uniform(0.1, longest))
        self.node.kill()
        for worker in workers:
            worker.ended.set()
        for worker in workers:
            worker.join(timeout=90)
            assert not worker.is_alive()
            assert worker.refusals == []

    def damage(self, drives: int) -> str:
        """Damage the first `drives` of the run's victims, each in some way; say how."""
        told = []
        for drive in self.victims[:drives]:
            damage = self.chance.choice(DAMAGES)
            damage(drive, self.chance)
            told.append(f"{drive.name}: {damage.__name__}")
        return ", ".join(told)

    def spoil_index(self) -> None:
        """Delete, cut or half-zero the index."""
        spoil_index(self.node.data / "index", self.chance)

    def settle(self, history: str) -> None:
        """Start the node and hold it to the ledger."""
        self.node.start()
        faults = self.ledger.settle(self.node.client())
        assert not faults, (
            f"after {history}, {len(faults)} of {len(self.ledger.acknowledged)}:\n"
            + "\n".join(faults[:20])
            + "\n"
            + self.node.log()[-4000:]
        )
        assert "Traceback" not in self.node.log()
        assert "panicked" not in self.node.log()

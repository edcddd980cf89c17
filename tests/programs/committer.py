"""A program that commits one transaction after the other to an SQLite database, and says which ones are committed.

To be run: committer.py DATABASE JOURNAL_MODE SEED
"""

import random
import sqlite3
import sys

ROWS = 20
"""Of each transaction, which is there whole or not at all."""

KEPT = 30
"""So many of the last transactions have their rows still."""


def main(path: str, mode: str, seed: int) -> None:
    """Until it is killed, or the database can't be written any more."""
    base = sqlite3.connect(path, isolation_level=None)
    base.execute(f"pragma journal_mode={mode}")
    base.execute("pragma synchronous=full")
    chance = random.Random(seed)
    (number,) = base.execute("select batch from head").fetchone()
    while True:
        number += 1
        base.execute("begin immediate")
        for row in range(ROWS):
            base.execute("insert into ticks values(?, ?, ?)", (number, row, chance.randbytes(chance.randrange(3000))))
        base.execute("update head set batch = ?", (number,))
        base.execute("delete from ticks where batch = ?", (number - KEPT,))
        base.execute("commit")
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

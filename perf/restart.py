"""How long a start takes after the server died, and whether what it had acknowledged is there."""

import os
import statistics
from pathlib import Path

from perf import disk, process
from perf.bench import Bench
from perf.figure import Figure
from perf.scenario import CONNECTIONS, MIB
from perf.server import NotMeasurableError

UNSEALED = 5_000
"""Small objects that are written right before each kill, so that recovery has a journal to read."""
READ_BACK = 5_000
"""Objects that are read and compared in full after each start."""
INDEX_JOURNAL = ".jnl"
"""How the index's own journal files end."""


def restart(bench: Bench) -> None:
    """`kill -9` and start, a few times; then the same with what the index did not sync cut off."""
    plain = [_kill_and_start(bench, cut=False) for _ in range(min(3, bench.scale.rounds))]
    cut = _kill_and_start(bench, cut=True)
    after = process.resident(bench.ours.server.pids) / MIB
    bench.details["restart_seconds"] = {"killed": plain, "killed_and_cut": cut}
    note = f"{min(plain):.2f}–{max(plain):.2f} s, from the process's start to its ready line"
    bench.figures += [
        Figure("restart after kill -9", "s", statistics.median(plain), 1.0, note=note),
        Figure("restart after kill -9 with the index's unsynced tail cut off", "s", cut, 5.0),
        Figure("resident memory after the restart", "MiB", after),
    ]


def _sync_index(bench: Bench) -> tuple[Path, int]:
    """Seals, which syncs the index; its newest journal, and the bytes in it that a power cut would leave."""
    bench.ours.seal()
    file = disk.newest(bench.ours.data / "index", INDEX_JOURNAL)
    if file is None:
        raise NotMeasurableError("the index has no journal to cut")
    return file, disk.written(file)


def _kill_and_start(bench: Bench, *, cut: bool) -> float:
    """Seconds until the server is ready again.

    Reads back a sample of all objects and of the youngest ones; raises NotMeasurableError when one is not there.
    """
    ours = bench.ours.server
    synced = _sync_index(bench) if cut else None
    written = bench.generator.run(ours, "put", connections=CONNECTIONS, first=ours.keys, count=UNSEALED)
    youngest, ours.keys = ours.keys, ours.keys + written.requests
    bench.ours.kill()
    if synced is not None:
        file, length = synced
        bench.details["index_journal_cut_bytes"] = disk.written(file) - length
        os.truncate(file, length)
    took = bench.ours.start()
    for first in (0, youngest):
        read = bench.generator.run(
            ours, "get", connections=CONNECTIONS, first=first, keys=ours.keys - first, count=READ_BACK, verify_every=1
        )
        if read.errors:
            raise NotMeasurableError(f"{read.errors} of {READ_BACK} acknowledged objects could not be read back")
    return took

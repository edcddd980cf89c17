"""What a lost drive costs who reads, and how fast its replacement is filled."""

import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from perf import disk
from perf.bench import Bench
from perf.figure import Figure
from perf.generator import Measurement
from perf.scenario import CONNECTIONS, LARGE_CONNECTIONS, MIB
from perf.scenario import LARGE as LARGE_SIZE
from perf.server import NotMeasurableError

DEGRADED_LIMIT = 2.0
"""By how much a GET's server CPU may rise with one drive gone, and its p99 while one is filled."""
REBUILD_SHARE = 0.8
"""Of what the disk takes, that filling a drive must reach where nothing else is asked."""
LARGE = 64
"""Objects of 16 MiB that are stored beside the small ones, so that there is something to fill."""
WAIT_SECONDS = 1800.0
DATA = 3
"""Data shards of the embedded profile, 3+1."""


def drives(bench: Bench) -> None:
    """GET 4 KiB with every drive, with one gone, and while its replacement is filled; then the filling alone."""
    ours = bench.ours
    options: dict[str, float | str] = {"bucket": "filling", "size": LARGE_SIZE, "connections": LARGE_CONNECTIONS}
    bench.generator.run(ours.server, "put-large", create_bucket=True, count=LARGE, **options)
    ours.seal()
    lost = Path(_status(bench)["drives"][0]["path"])
    rounds: list[tuple[Measurement, Measurement, Measurement]] = []
    for _ in range(bench.scale.rounds):
        healthy = get_while(bench, "healthy")
        ours.kill()
        shutil.rmtree(lost)
        lost.mkdir(mode=0o700)
        ours.start()
        gone = get_while(bench, "one drive gone")
        ours.kill()
        ours.replace_drive(lost)
        ours.start()
        filling = get_while(bench, "while it is filled")
        _wait_until_whole(bench)
        rounds.append((healthy, gone, filling))
    pairs = [(healthy.cpu_us_per_op, gone.cpu_us_per_op) for healthy, gone, _ in rounds]
    cpu = [gone / healthy for healthy, gone in pairs if gone and healthy]
    p99 = [filling.p99_us / healthy.p99_us for healthy, _, filling in rounds]
    rates = [_fill(bench, lost) for _ in range(bench.scale.rounds)]
    bench.details["drives"] = {"cpu": cpu, "p99": p99, "rebuild": rates}
    note = f"{min(rates):.2f}–{max(rates):.2f} by round"
    bench.figures += [
        _ratio("GET 4 KiB, one of four drives gone: server CPU by that with all", cpu),
        _ratio("GET 4 KiB, p99 while a drive is filled by that without", p99),
        Figure(
            "filling a replaced drive: its rate by the lower of what the disk writes and a third of what it reads",
            "",
            statistics.median(rates),
            REBUILD_SHARE,
            at_least=True,
            note=note,
        ),
    ]


def _ratio(what: str, ratios: list[float]) -> Figure:
    note = f"{min(ratios):.2f}–{max(ratios):.2f} by round" if ratios else ""
    return Figure(what, "", statistics.median(ratios) if ratios else None, DEGRADED_LIMIT, note=note)


def get_while(bench: Bench, when: str) -> Measurement:
    """GET 4 KiB of random keys, half a turn long; `when` is said before."""
    ours, seconds = bench.ours.server, bench.scale.seconds / 2
    bench.console.print(f"  {when}:", highlight=False)
    measured = bench.generator.run(
        ours, "get", connections=CONNECTIONS, keys=ours.keys, duration=seconds, warmup=min(2.0, seconds / 2)
    )
    bench.record(ours, measured)
    return measured


def _fill(bench: Bench, lost: Path) -> float:
    """Exchanges a drive for an empty one, and waits: how fast it was filled, by how fast the disk is."""
    write, read = disk.sequential_write(bench.scratch, 1 << 30), disk.sequential_read(bench.scratch, 1 << 30)
    floor = min(write, read / DATA)
    bench.ours.kill()
    shutil.rmtree(lost)
    lost.mkdir(mode=0o700)
    bench.ours.replace_drive(lost)
    disk.forget(bench.ours.data)
    bench.ours.start()
    began = time.monotonic()
    healed = _wait_until_whole(bench)
    rate = healed / (time.monotonic() - began)
    bench.console.print(
        f"  filled {healed / MIB:,.0f} MiB at {rate / MIB:,.0f} MiB/s; the disk writes {write / MIB:,.0f} and "
        f"reads {read / MIB:,.0f}",
        highlight=False,
    )
    return rate / floor


def _wait_until_whole(bench: Bench) -> int:
    """Bytes of the shards that were made anew."""
    deadline, pause = time.monotonic() + WAIT_SECONDS, threading.Event()
    while time.monotonic() < deadline:
        status = _status(bench)
        healing = status["healing"]
        if healing["healed"] and not healing["open"] and all(pool["degraded"] == 0 for pool in status["pools"]):
            return int(healing["bytes"])
        pause.wait(0.05)
    raise NotMeasurableError("the replaced drive was not filled in time")


def _status(bench: Bench) -> Any:
    return bench.ours.status()

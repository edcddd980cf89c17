"""What a listing costs right after everything in its way was deleted, and a minute later."""

import time

from perf.bench import Bench
from perf.figure import Figure

BATCH = 1000
"""Keys that one DeleteObjects names."""


def deleted(bench: Bench) -> None:
    """Deletes every small object, then lists the empty bucket at once and after the scale's wait."""
    ours = bench.ours.server
    deletion = bench.generator.run(ours, "delete", keys=ours.keys, batch=BATCH, connections=4)
    bench.record(ours, deletion)
    count, ours.keys = ours.keys, 0
    what = f"after deleting {count:,} keys: server CPU"
    bench.figures.append(_listing(bench, f"LIST right {what}", 400))
    time.sleep(bench.scale.wait)
    bench.figures.append(_listing(bench, f"LIST {bench.scale.wait:.0f} s {what}", 50))


def _listing(bench: Bench, what: str, target: float) -> Figure:
    """One listing from the bucket's start; `target` in milliseconds.

    Compaction runs beside it in the same process, so the processor time of the process bounds the listing's from
    above; so does its latency, one request being served by one thread. The lower bound of the two stands.
    """
    listing = bench.generator.run(bench.ours.server, "list", from_start=True, count=1, connections=1)
    bench.details[what] = listing
    spent = None if listing.cpu_us_per_op is None else min(listing.cpu_us_per_op, listing.max_us) / 1e3
    return Figure(what, "ms", spent, target, note=f"answered in {listing.max_us / 1e3:,.1f} ms")

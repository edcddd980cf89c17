"""What space is left when a random half of many small objects was deleted, and what compaction costs who reads."""

import random
import threading
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from perf import disk
from perf.bench import Bench
from perf.drives import get_while
from perf.figure import Figure
from perf.scenario import CONNECTIONS, EXPANSION, MIB, SMALL
from perf.server import NotMeasurableError, Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "halved"
BATCH = 1000
"""Keys that one DeleteObjects names."""
SPACE_LIMIT = 1.20
"""Of the bytes that what is left takes with its parity alone."""
P99_LIMIT = 2.0
SETTLED_SECONDS = 15.0
"""For so long nothing must have become less before compaction counts as over."""
WAIT_SECONDS = 900.0
SEED = 7


def halved(bench: Bench) -> None:
    """Puts as many objects again, deletes half of these, and reads the others while that is won back."""
    ours, count = bench.ours.server, bench.scale.objects
    bench.ours.seal()
    before = _on_drives(bench)
    bench.generator.run(ours, "put", bucket=BUCKET, create_bucket=True, count=count, connections=CONNECTIONS)
    bench.ours.seal()
    filled = _on_drives(bench)
    disk.read_into_cache(bench.ours.data)
    quiet = [get_while(bench, "while nothing is compacted") for _ in range(bench.scale.rounds)]
    left = _delete_half(ours)
    bench.ours.seal()
    busy = [get_while(bench, "while it is compacted") for _ in range(bench.scale.rounds)]
    after = _when_settled(bench)
    ideal = left * SMALL * EXPANSION
    ratios = [one.p99_us / other.p99_us for one, other in zip(busy, quiet, strict=True)]
    bench.details[BUCKET] = {"before": before, "filled": filled, "after": after, "left": left, "p99": ratios}
    fresh = (filled - before) / (count * SMALL * EXPANSION)
    bench.figures += [
        Figure(
            f"space after deleting a random half of {count:,} objects, compacted, by what is left with its parity",
            "",
            (after - before) / ideal,
            SPACE_LIMIT,
            note=f"before it was deleted: {fresh:.3f}",
        ),
        Figure(
            "GET 4 KiB, p99 while that is compacted by that before",
            "",
            sorted(ratios)[len(ratios) // 2],
            P99_LIMIT,
            note=f"{min(ratios):.2f}–{max(ratios):.2f} by round",
        ),
    ]


def _on_drives(bench: Bench) -> int:
    """Bytes of disk blocks of the segments on all drives; journals, which are preallocated, are none."""
    return sum(disk.blocks(folder) for folder in bench.ours.data.rglob("segments"))


def _delete_half(server: Server) -> int:
    """How many are left."""
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    gone = random.Random(SEED).sample(keys, len(keys) // 2)
    for start in range(0, len(gone), BATCH):
        batch = gone[start : start + BATCH]
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True})
    return len(keys) - len(gone)


def _when_settled(bench: Bench) -> int:
    """Bytes on the drives once they don't become less any more."""
    deadline, pause = time.monotonic() + WAIT_SECONDS, threading.Event()
    least, since = _on_drives(bench), time.monotonic()
    while time.monotonic() < deadline:
        pause.wait(1.0)
        now = _on_drives(bench)
        if now < least - MIB:
            least, since = now, time.monotonic()
        elif time.monotonic() - since > SETTLED_SECONDS:
            return now
    raise NotMeasurableError("compaction did not come to an end in time")

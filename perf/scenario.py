"""The scenarios of the table: small objects, listings, large objects, each over all servers in turns."""

import statistics
from collections.abc import Callable, Iterable

from perf import disk, process
from perf.bench import Bench
from perf.figure import Figure
from perf.generator import Measurement
from perf.server import Server

SMALL = 4096
"""Bytes of a small object."""
LARGE = 16 << 20
"""Bytes of a large object."""
CONNECTIONS = 16
LARGE_CONNECTIONS = 4
LARGE_WARMUP = 4.0
"""Seconds in which a server that reads from its drives gets the large objects into the page cache."""
LIST_CONNECTIONS = 4
EXPANSION = 4 / 3
"""Bytes that a pool of profile 3+1 writes for one byte, parity counted."""
FLOOR_OBJECTS = 200_000
"""Small objects that the no-op floor takes a round at most; it keeps them in memory, so all rounds write the same."""
DISK_FLOOR_BYTES = 1 << 30
MIB = 1 << 20


def median(rounds: Iterable[Measurement], of: Callable[[Measurement], float | None]) -> float | None:
    """Over the rounds in which it was measured."""
    values = [value for value in map(of, rounds) if value is not None]
    return statistics.median(values) if values else None


def share_of_floor(bench: Bench, scenario: str) -> tuple[float | None, str]:
    """Our throughput divided by the no-op floor's: the rounds' median, and its range in words."""
    if bench.floor is None:
        return None, "the floor is not built"
    pairs = zip(bench.of(scenario, bench.ours.server), bench.of(scenario, bench.floor), strict=False)
    shares = [ours.ops_per_second / floor.ops_per_second for ours, floor in pairs if floor.ops_per_second]
    if not shares:
        return None, ""
    return statistics.median(shares), f"{min(shares):.2f}–{max(shares):.2f} by round"


def put(bench: Bench) -> None:
    """PUT 4 KiB: fills every server round by round; ours is sealed at the end, and the sealing is on its bill."""
    ours, scale = bench.ours.server, bench.scale
    process.reset_resident_peak(ours.pids)
    before = process.cpu_seconds(ours.pids)
    share = scale.objects // scale.rounds
    for _, server in bench.in_turns(bench.with_floor()):
        count, first = (min(share, FLOOR_OBJECTS), 0) if server is bench.floor else (share, server.keys)
        limit: dict[str, float] = {} if server is ours else {"duration": scale.turn_limit}
        measured = bench.generator.run(
            server, "put", create_bucket=True, connections=CONNECTIONS, first=first, count=count, **limit
        )
        server.keys = max(server.keys, first + measured.requests)
        bench.record(server, measured)
    bench.ours.seal()
    spent = process.cpu_seconds(ours.pids) - before
    rounds = bench.of("put", ours)
    floor_share, note = share_of_floor(bench, "put")
    throughput = median(rounds, lambda one: one.ops_per_second)
    bench.figures += [
        Figure("PUT 4 KiB: server CPU per op, sealing included", "µs", spent * 1e6 / ours.keys, 140),
        Figure("PUT 4 KiB: throughput", "/s", throughput),
        Figure("PUT 4 KiB: share of the no-op floor's throughput", "", floor_share, 0.60, True, note),
        Figure("PUT 4 KiB: p50", "ms", _milliseconds(median(rounds, lambda one: one.p50_us))),
        Figure("PUT 4 KiB: p99", "ms", _milliseconds(median(rounds, lambda one: one.p99_us)), 8),
        Figure("PUT 4 KiB: p99.9", "ms", _milliseconds(median(rounds, lambda one: one.p999_us)), 100),
    ]


def space(bench: Bench) -> None:
    """Bytes on the drives per byte stored, everything below the data directory counted."""
    folders = disk.blocks_by_folder(bench.ours.data)
    stored = bench.ours.server.keys * SMALL
    bench.details["disk_bytes_by_folder"] = folders
    bench.details["status_after_sealing"] = bench.ours.status()
    split = ", ".join(f"{name} {count / stored:.3f}" for name, count in folders.items())
    reached = sum(folders.values()) / stored
    bench.figures.append(Figure("bytes on the drives per byte stored, index included", "", reached, 1.45, note=split))


def get(bench: Bench) -> None:
    """GET 4 KiB of random keys, what was written being in the page cache."""
    disk.read_into_cache(bench.ours.data)
    for _, server in bench.in_turns(bench.with_floor()):
        options = {"keys": server.keys, "duration": bench.scale.seconds, "warmup": 1.0}
        bench.record(server, bench.generator.run(server, "get", connections=CONNECTIONS, **options))
    ours = bench.ours.server
    rounds = bench.of("get", ours)
    floor_share, note = share_of_floor(bench, "get")
    bench.figures += [
        Figure("GET 4 KiB: server CPU per op", "µs", median(rounds, lambda one: one.cpu_us_per_op), 50),
        Figure("GET 4 KiB: throughput", "/s", median(rounds, lambda one: one.ops_per_second)),
        Figure("GET 4 KiB: share of the no-op floor's throughput", "", floor_share, 0.85, True, note),
        Figure("GET 4 KiB: p50", "ms", _milliseconds(median(rounds, lambda one: one.p50_us))),
        Figure("GET 4 KiB: p99", "ms", _milliseconds(median(rounds, lambda one: one.p99_us))),
        Figure("GET 4 KiB: p99.9", "ms", _milliseconds(median(rounds, lambda one: one.p999_us))),
        Figure("resident memory, most under PUT and GET", "MiB", process.resident_peak(ours.pids) / MIB, 400),
    ]


def pages(bench: Bench) -> None:
    """LIST by pages of 1,000 keys from random keys on, and by pages of common prefixes."""
    for scenario in ("list", "list-delimiter"):
        for _, server in bench.in_turns(bench.with_listing()):
            options = {"keys": server.keys, "duration": bench.scale.seconds, "warmup": 0.5}
            bench.record(server, bench.generator.run(server, scenario, connections=LIST_CONNECTIONS, **options))
    for scenario, what, target in (
        ("list", "LIST page of 1,000 keys", 4),
        ("list-delimiter", "LIST page of 1,000 common prefixes", 30),
    ):
        rounds = bench.of(scenario, bench.ours.server)
        spent = _milliseconds(median(rounds, lambda one: one.cpu_us_per_op))
        bench.figures += [
            Figure(f"{what}: server CPU", "ms", spent, target),
            Figure(f"{what}: p50", "ms", _milliseconds(median(rounds, lambda one: one.p50_us))),
        ]


def large(bench: Bench) -> None:
    """PUT and GET 16 MiB, each of our turns of writing beside a plain sequential write to the same disk.

    GETs find what was written in the page cache: ours is read into it, and peers are given the warm-up for that.
    """
    count, ours = bench.scale.large_per_round, bench.ours.server
    disk_rates: list[float] = []
    for number, server in bench.in_turns(bench.with_floor()):
        if server is ours:
            disk_rates.append(disk.sequential_write(bench.scratch, DISK_FLOOR_BYTES) / 1e6)
        # The floor keeps all in memory, so its rounds write the same keys.
        first = 0 if server is bench.floor else number * count
        bench.record(server, _large(bench, server, "put-large", create_bucket=True, first=first, count=count))
    disk.read_into_cache(bench.ours.data)
    for _, server in bench.in_turns(bench.with_floor()):
        keys = count if server is bench.floor else count * bench.scale.rounds
        options = {"keys": keys, "duration": bench.scale.seconds, "warmup": LARGE_WARMUP}
        bench.record(server, _large(bench, server, "get-large", **options))
    bench.details["disk_floor_mb_per_second"] = disk_rates
    pairs = list(zip(bench.of("put-large", ours), disk_rates, strict=True))
    shares = [one.mb_per_second * EXPANSION / rate for one, rate in pairs]
    written = median(bench.of("put-large", ours), lambda one: one.mb_per_second)
    read = median(bench.of("get-large", ours), lambda one: one.mb_per_second)
    floor_read = (
        None if bench.floor is None else median(bench.of("get-large", bench.floor), lambda one: one.mb_per_second)
    )
    note = "the floor is not built" if floor_read is None else f"the no-op floor: {floor_read:,.0f} MB/s"
    disk_note = f"{min(shares):.2f}–{max(shares):.2f} by round; the disk: {statistics.median(disk_rates):,.0f} MB/s"
    bench.figures += [
        Figure(
            "PUT 16 MiB, parity counted, by what the disk takes", "", statistics.median(shares), 0.8, True, disk_note
        ),
        Figure("PUT 16 MiB: content", "MB/s", written),
        Figure("GET 16 MiB", "MB/s", read, min(1500.0, floor_read or 1500.0), True, note),
    ]


def _large(bench: Bench, server: Server, scenario: str, **options: float | bool) -> Measurement:
    return bench.generator.run(server, scenario, bucket="large", size=LARGE, connections=LARGE_CONNECTIONS, **options)


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1e3

"""How the cost of a PUT, a GET and a page of a LIST grows with the number of objects."""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from perf import process
from perf.bench import Bench
from perf.generator import Measurement
from perf.scenario import CONNECTIONS, LIST_CONNECTIONS, MIB
from perf.server import Packstone


@dataclass(frozen=True)
class Point:
    """What the operations cost while the server held so many objects."""

    objects: int
    put: Measurement
    """Of the objects that were added since the point before."""
    get: Measurement
    list: Measurement
    resident: int
    """Bytes."""


def measure(bench: Bench, server: Packstone) -> list[Point]:
    """Fills `server`, which runs and is empty, up to each number of objects of the scale, and measures there."""
    points = []
    for objects in bench.scale.growth:
        held = server.server.keys
        put = bench.generator.run(
            server.server, "put", create_bucket=True, connections=CONNECTIONS, first=held, count=objects - held
        )
        server.server.keys = objects
        server.seal()
        timed = {"keys": objects, "duration": bench.scale.seconds, "warmup": 1.0}
        get = bench.generator.run(server.server, "get", connections=CONNECTIONS, **timed)
        page = bench.generator.run(server.server, "list", connections=LIST_CONNECTIONS, **timed)
        points.append(Point(objects, put, get, page, process.resident(server.server.pids)))
        bench.console.print(f"  growth: {objects:,} objects", highlight=False)
    return points


def plot(points: list[Point], path: Path) -> None:
    """Draws server CPU per operation, p99 and memory over the number of objects, as the file name's ending says."""
    objects = [point.objects for point in points]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    cpu, tail, memory = figure.subplots(1, 3)
    for name, rounds in (
        ("PUT 4 KiB", [point.put for point in points]),
        ("GET 4 KiB", [point.get for point in points]),
        ("LIST 1,000 keys", [point.list for point in points]),
    ):
        cpu.plot(objects, [one.cpu_us_per_op or 0.0 for one in rounds], marker="o", label=name)
        tail.plot(objects, [one.p99_us / 1e3 for one in rounds], marker="o", label=name)
    resident = [point.resident / MIB for point in points]
    memory.plot(objects, resident, marker="o", color="black")
    for axes, title in ((cpu, "server CPU per operation, µs"), (tail, "p99, ms"), (memory, "resident memory, MiB")):
        axes.set(title=title, xlabel="objects", xscale="log")
        axes.set_xticks(objects, [f"{count:,}" for count in objects])
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
    for axes in (cpu, tail):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    memory.set_ylim(0, max(resident) * 1.15)
    cpu.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)

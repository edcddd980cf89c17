"""`python -m perf.run`: measures the table, prints it, and writes it to perf/results/."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from perf import bench as benches
from perf import deletion, dictionaries, drives, growth, guard, halving, machine, peer, restart, scenario, table
from perf.bench import Bench, Scale
from perf.generator import Generator
from perf.server import NotMeasurableError, Packstone, no_op_floor

BYTES_PER_OBJECT = 12_000
"""Disk that one small object of the scale may take at most in all scenarios together, growth included."""
UNSEEN_WIDTH = 160
"""Columns of the tables when they go to a file."""

SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "put": scenario.put,
    "space": scenario.space,
    "get": scenario.get,
    "list": scenario.pages,
    "large": scenario.large,
    "guard": guard.guard,
    "drives": drives.drives,
    "restart": restart.restart,
    "halved": halving.halved,
    "deleted": deletion.deleted,
}
"""In the order in which they run: put fills the servers for all others, deleted empties ours."""
GROWTH = "growth"
DICTIONARIES = "dictionaries"
OF_THEIR_OWN = (DICTIONARIES, GROWTH)
"""On servers of their own, since they begin with empty ones."""

Endpoints = Annotated[
    list[str] | None,
    typer.Option("--endpoint", help="A running server: NAME=URL[,pid=PID][,key=ACCESS,secret=SECRET]; repeatable."),
]
Binaries = Annotated[Path | None, typer.Option(help="Where packstone-load and packstone-floor were built.")]
Scratch = Annotated[Path | None, typer.Option(help="Where data directories are made; the disk that is measured.")]
Program = Annotated[Path, typer.Option(help="The packstone command.")]


def main(
    endpoint: Endpoints = None,
    objects: Annotated[int | None, typer.Option(help="Small objects; 1,000,000 unless --quick.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of every server in a scenario.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A look at the shape: 20,000 objects, short turns.")] = False,
    soak: Annotated[bool, typer.Option("--soak", help="Measure growth up to 5,000,000 objects.")] = False,
    only: Annotated[str, typer.Option(help=f"Of {', '.join([*SCENARIOS, *OF_THEIR_OWN])}; commas between.")] = "",
    scratch: Scratch = None,
    program: Program = machine.REPOSITORY / ".venv/bin/packstone",
    binaries: Binaries = None,
    plot: Annotated[Path, typer.Option(help="Where growth is drawn.")] = machine.REPOSITORY / "docs/growth.svg",
) -> None:
    """Measures how fast and how small Packstone is, beside other S3 servers if they are given."""
    console = Console() if sys.stdout.isatty() else Console(width=UNSEEN_WIDTH)
    try:
        chosen = _chosen(only)
        peers = peer.parse_all(endpoint or [], taken={"packstone", "floor"})
        peer.require_reachable(peers)
        scale = _scale(quick, soak, objects, rounds)
        with _scratch(scratch, scale) as folder, _bench(scale, folder, program, _binaries(binaries), console) as bench:
            bench.peers += peers
            described = machine.describe()
            _measure(bench, chosen, program, plot)
    except (NotMeasurableError, peer.BadPeerError, typer.BadParameter) as error:
        console.print(f"[red]{error}[/]", highlight=False)
        raise typer.Exit(2) from None
    ratios = _ratios(bench)
    table.print_figures(console, bench.figures)
    table.print_ratios(console, ratios)
    problems = [*bench.problems, *(f"failed requests: {what}" for what in bench.generator.errors)]
    for problem in problems:
        console.print(f"[red]{problem}[/]", highlight=False)
    console.print(f"written to {_write(bench, described, ratios)}", highlight=False)
    if problems:
        raise typer.Exit(1)


def _chosen(only: str) -> set[str]:
    known = [*SCENARIOS, *OF_THEIR_OWN]
    names = {name for name in only.split(",") if name} or set(known)
    unknown = names - set(known)
    if unknown:
        raise typer.BadParameter(f"--only {','.join(sorted(unknown))}: choose of {', '.join(known)}")
    return names


def _scale(quick: bool, soak: bool, objects: int | None, rounds: int | None) -> Scale:
    scale = benches.QUICK if quick else benches.NORMAL
    scale = dataclasses.replace(scale, objects=objects or scale.objects, rounds=rounds or scale.rounds)
    points = {min(point, scale.objects) for point in scale.growth} | ({5_000_000} if soak else set())
    return dataclasses.replace(scale, growth=tuple(sorted(points)))


def _binaries(given: Path | None) -> Path:
    return given or Path(os.environ.get("CARGO_TARGET_DIR", machine.REPOSITORY / "target")) / "release"


@contextlib.contextmanager
def _scratch(given: Path | None, scale: Scale) -> Iterator[Path]:
    """A new directory on the disk that is measured, removed at the end."""
    parent = given or machine.REPOSITORY
    parent.mkdir(parents=True, exist_ok=True)
    needed = max(scale.objects, *scale.growth) * BYTES_PER_OBJECT
    needed += scale.rounds * scale.large_per_round * scenario.LARGE * 2 + scenario.DISK_FLOOR_BYTES
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise NotMeasurableError(
            f"{parent} has {free / 1e9:.0f} GB free, {needed / 1e9:.0f} GB are needed: see --scratch"
        )
    with tempfile.TemporaryDirectory(prefix="perf-scratch-", dir=parent) as folder:
        yield Path(folder)


@contextlib.contextmanager
def _bench(scale: Scale, scratch: Path, program: Path, binaries: Path, console: Console) -> Iterator[Bench]:
    """Starts Packstone and, when it is built, the no-op floor; ends both."""
    generator = Generator(binaries / "packstone-load")
    ours = Packstone(program, scratch / "data")
    floor = no_op_floor(binaries / "packstone-floor", scratch / "floor.log")
    if floor is None:
        console.print("packstone-floor is not built: shares of the floor are not measured", highlight=False)
    try:
        ours.start()
        if floor is not None:
            floor.start()
        yield Bench(scale, generator, ours, floor.server if floor else None, [], scratch, console)
    finally:
        ours.kill()
        if floor is not None:
            floor.kill()


def _measure(bench: Bench, chosen: set[str], program: Path, plot: Path) -> None:
    """Runs the chosen scenarios; one that breaks takes no other's figures with it, unless it is put."""
    if chosen - set(OF_THEIR_OWN):
        # What put writes, the others read.
        chosen = chosen | {"put"}
    scenarios = SCENARIOS | {
        DICTIONARIES: lambda bench: dictionaries.dictionaries(bench, program),
        GROWTH: lambda bench: _growth(bench, program, plot),
    }
    for name, run in scenarios.items():
        if name in chosen:
            bench.console.print(f"[bold]{name}[/]")
            try:
                run(bench)
            except (NotMeasurableError, OSError) as error:
                bench.problems.append(f"{name}: {error}")
                if name == "put":
                    return


def _growth(bench: Bench, program: Path, plot: Path) -> None:
    """On a server of its own, since it begins with an empty one."""
    grown = Packstone(program, bench.scratch / GROWTH)
    try:
        grown.start()
        points = growth.measure(bench, grown)
    finally:
        grown.kill()
    bench.details[GROWTH] = points
    growth.plot(points, plot)


def _ratios(bench: Bench) -> dict[str, dict[str, dict[str, peer.Ratio]]]:
    """Ours divided by theirs, by scenario, server and quantity."""
    return {
        name: {
            other.name: peer.ratios(servers.get(bench.ours.server.name, []), servers[other.name])
            for other in bench.peers
            if other.name in servers
        }
        for name, servers in bench.rounds.items()
    }


def _write(bench: Bench, described: dict[str, str | int | float], ratios: object) -> Path:
    """Writes everything that was measured to perf/results/; the file."""
    result = {
        "machine": described,
        "scale": dataclasses.asdict(bench.scale),
        "figures": [dataclasses.asdict(figure) | {"verdict": figure.verdict} for figure in bench.figures],
        "ratios": ratios,
        "rounds": bench.rounds,
        "details": bench.details,
        "problems": bench.problems,
        "failed_requests": bench.generator.errors,
    }
    folder = machine.REPOSITORY / "perf" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{str(described['time']).replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=1, default=_plain) + "\n")
    return path


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


if __name__ == "__main__":
    typer.run(main)

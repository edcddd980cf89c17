"""`python -m perf.walk`: `find` over a million files, and the first names of a directory that holds as many."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from rich.console import Console

from perf import mounts, table
from perf.figure import Figure
from perf.files import drop_caches
from perf.generator import Generator
from perf.machine import REPOSITORY, describe
from perf.scenario import CONNECTIONS
from perf.server import NotMeasurableError, Packstone

DIRECTORIES = 1_000
DEEP, FLAT = "deep", "flat"
PATTERNS = {DEEP: "files/p{p}/k{n}", FLAT: "files/k{n}"}
"""A bucket each: in so many directories, and in one."""
SIZE = 100
"""Bytes of a file."""
FIRST = 100
"""Names that whoever opens a directory waits for."""
LISTINGS = 5
"""Times that they are asked for in a round."""
FIND_SECONDS = 60.0
FIRST_MILLISECONDS = 100.0
Times = dict[str, list[float]]
"""By what was done, the seconds of each time."""


def _fill(node: Packstone, generator: Generator, files: int) -> None:
    """Put them by S3 and seal."""
    for bucket, pattern in PATTERNS.items():
        generator.run(
            node.server,
            "put",
            create_bucket=True,
            connections=CONNECTIONS,
            bucket=bucket,
            pattern=pattern,
            prefixes=DIRECTORIES,
            keys=files,
            size=SIZE,
        )
    if generator.errors:
        raise NotMeasurableError(f"the files could not be made: {generator.errors[0]}")
    node.seal()


def find(root: Path, files: int, *said: str) -> None:
    """The program; raises NotMeasurableError unless it says a line of each file."""
    command = ["find", str(root), "-type", "f", *said]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    found = done.stdout.count(b"\n")
    if done.returncode != 0 or found != files:
        raise NotMeasurableError(f"find ended with {done.returncode} and {found} of {files} files")


def first_names(folder: Path, files: int) -> None:
    """Open the directory and read so many names."""
    with os.scandir(folder) as entries:
        if len(list(islice(entries, FIRST))) != min(FIRST, files):
            raise NotMeasurableError("names are missing")


def _timed(work: Callable[[], None]) -> float:
    """Seconds, with nothing in the kernel's caches before."""
    drop_caches()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(root: Path, files: int, rounds: int, console: Console) -> Times:
    """All of it on the mount at `root`."""
    times: Times = {"find": [], "find with stat": [], "first names": []}
    for number in range(rounds):
        times["first names"] += [_timed(lambda: first_names(root / FLAT / "files", files)) for _ in range(LISTINGS)]
        times["find"].append(_timed(lambda: find(root / DEEP, files)))
        times["find with stat"].append(_timed(lambda: find(root / DEEP, files, "-printf", "%s\n")))
        said = ", ".join(f"{name} {each[-1]:.3f} s" for name, each in times.items())
        console.print(f"  {number + 1} {said}", highlight=False)
    return times


def figures(times: Times, files: int) -> list[Figure]:
    """Medians, with least and most."""
    made = []
    for name, what, unit, factor, target in (
        ("find", f"find over {files:,} files in {DIRECTORIES:,} directories", "s", 1, FIND_SECONDS),
        ("find with stat", "the same with the size of each", "s", 1, FIND_SECONDS),
        ("first names", f"first {FIRST} names of {files:,}", "ms", 1000, FIRST_MILLISECONDS),
    ):
        each = [seconds * factor for seconds in times[name]]
        note = f"{min(each):.3g} to {max(each):.3g} {unit}"
        made.append(Figure(what, unit, statistics.median(each), target, note=note))
    return made


def run(scratch: Path, binaries: Path, files: int, rounds: int, console: Console) -> None:
    """Measure in `scratch`, print, and write to perf/results/."""
    program = REPOSITORY / ".venv" / "bin" / "packstone"
    generator = Generator(binaries / "packstone-load")
    described = describe()
    node = Packstone(program, scratch / "data")
    node.start()
    try:
        _fill(node, generator, files)
        mount = mounts.ours(program, node, scratch)
        try:
            times = measure(mount.root.parent, files, rounds, console)
        finally:
            mount.stop()
    finally:
        node.kill()
    table.print_figures(console, figures(times, files))
    results = REPOSITORY / "perf" / "results"
    results.mkdir(exist_ok=True)
    file = results / f"walk-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    written = {"machine": described | {"load_after": os.getloadavg()[0]}, "files": files, "times": times}
    file.write_text(json.dumps(written, indent=1), "utf-8")
    console.print(f"written to {file}", highlight=False)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m perf.walk", description=__doc__)
    parser.add_argument("--scratch", type=Path, default=REPOSITORY, help="a directory on the disk that is measured")
    parser.add_argument("--binaries", type=Path, help="where packstone-load was built; target/release unless given")
    parser.add_argument("--files", type=int, default=1_000_000, help="in the directories, and again in the flat one")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    console = Console()
    if os.geteuid() != 0:
        console.print("perf.walk mounts a file system and drops the kernel's caches: run it as root")
        return 2
    binaries = asked.binaries or Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release"
    scratch = Path(tempfile.mkdtemp(prefix="perf-walk-", dir=asked.scratch))
    try:
        run(scratch, binaries, asked.files, asked.rounds, console)
    except NotMeasurableError as fault:
        console.print(str(fault))
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

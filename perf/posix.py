"""`make perf-posix`: our mount beside one that does nothing, the disk, and other mounts of S3, in turns."""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from perf import mounts
from perf.files import WORKS, Amount, Work, clear, rate
from perf.machine import describe
from perf.server import NotMeasurableError, Packstone

_HOUSE = Path(__file__).parent.parent
Rates = dict[str, dict[str, list[float]]]
"""By work and mount, a rate a round."""


def measure(mounted: list[mounts.Mount], rounds: int, amount: Amount, console: Console) -> tuple[Rates, list[str]]:
    """Every work on every mount in turns, of which each round begins with another; and what could not be done."""
    rates: Rates = {work.name: {mount.name: [] for mount in mounted} for work in WORKS}
    problems: list[str] = []
    for number in range(rounds):
        first = number % len(mounted)
        for work in WORKS:
            for mount in mounted[first:] + mounted[:first]:
                try:
                    reached = rate(work, mount.root, amount)
                except OSError as fault:
                    problems.append(f"{work.name} on {mount.name}: {fault}")
                    continue
                rates[work.name][mount.name].append(reached)
                console.print(f"  {number + 1} {work.name} {mount.name}: {reached:,.0f} {work.unit}", highlight=False)
        for mount in mounted:
            clear(mount.root)
    return rates, problems


def _ratio(work: Work, name: str, rates: Rates) -> str:
    """Ours by theirs: the median of the rounds, and least and most."""
    pairs = zip(rates[work.name]["packstone"], rates[work.name][name], strict=False)
    ratios = sorted(own / other for own, other in pairs)
    if not ratios:
        return "–"
    return f"{statistics.median(ratios):.2g} ({ratios[0]:.2g} to {ratios[-1]:.2g})"


def print_rates(console: Console, rates: Rates, names: Iterable[str]) -> None:
    """Our rates, and ours by each other's."""
    others = [name for name in names if name != "packstone"]
    table = Table(title="packstone, and packstone / other by round")
    table.add_column("what")
    table.add_column("packstone", justify="right")
    for name in others:
        table.add_column(f"/ {name}", justify="right")
    for work in WORKS:
        own = rates[work.name]["packstone"]
        reached = f"{statistics.median(own):,.0f} {work.unit}" if own else "–"
        table.add_row(work.name, reached, *(_ratio(work, name, rates) for name in others))
    console.print(table)


def run(scratch: Path, rounds: int, amount: Amount, console: Console) -> int:
    """Measure in `scratch`; the exit code."""
    program = _HOUSE / ".venv" / "bin" / "packstone"
    node = Packstone(program, scratch / "data")
    node.start()
    mounted: list[mounts.Mount] = []
    try:
        mounted.append(mounts.ours(program, node, scratch))
        mounted.append(mounts.ours_from_elsewhere(program, node, scratch))
        mounted += [mounts.nothing(scratch), mounts.disk(scratch)]
        mounted += mounts.peers(node, scratch)
        rates, problems = measure(mounted, rounds, amount, console)
    finally:
        for mount in reversed(mounted):
            mount.stop()
        node.kill()
    print_rates(console, rates, [mount.name for mount in mounted])
    for problem in problems:
        console.print(f"[bold red]not measured[/]: {problem}")
    results = _HOUSE / "perf" / "results"
    results.mkdir(exist_ok=True)
    written = {"machine": describe(), "amount": vars(amount), "rates": rates, "problems": problems}
    file = results / f"posix-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(written, indent=1), "utf-8")
    return 1 if problems else 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m perf.posix", description=__doc__)
    parser.add_argument("--scratch", type=Path, default=_HOUSE, help="a directory on the disk that is measured")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument(
        "--files",
        type=int,
        default=900,
        help="small files of a turn: 1,000 or more are not renamed",
    )
    parser.add_argument("--mebibytes", type=int, default=256, help="size of the large file")
    asked = parser.parse_args()
    console = Console()
    if os.geteuid() != 0:
        console.print("perf-posix mounts file systems and drops the kernel's caches: run it as root")
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="perf-posix-", dir=asked.scratch))
    try:
        return run(scratch, asked.rounds, Amount(asked.files, asked.mebibytes << 20), console)
    except NotMeasurableError as fault:
        console.print(str(fault))
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

"""`packstone pin`: files kept in memory for as long as it runs."""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.errors import OperatorError
from gateway.cli.options import JsonOption

if TYPE_CHECKING:
    from fuse.pinning import Pinner, Standing, Tree


def _duration(text: str) -> float:
    from appliance.quantity import parse_duration

    try:
        return parse_duration(text)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None


PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, and directories with all below them.")
]
ShareOption = Annotated[
    int, typer.Option("--share", metavar="PERCENT", min=1, max=95, help="How much of the memory may be taken.")
]
IntervalOption = Annotated[
    Any,
    typer.Option("--interval", metavar="DURATION", parser=_duration, help="How long until files are looked for again."),
]
TouchOption = Annotated[
    bool,
    typer.Option(
        "--touch",
        help="Lock nothing: read again what the kernel gave up. For very many files, or without leave to lock.",
    ),
]


def pin(
    paths: PathsArgument,
    share: ShareOption = 50,
    interval: IntervalOption = "10 s",
    touch: TouchOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read files into memory and keep them there, on a mount or anywhere else, until this ends.

    Files that are replaced, grow, come or go are followed. It ends by SIGTERM or SIGINT.
    """
    from fuse import residence
    from fuse.pinning import Pinner, walk

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    limit = residence.memory() * share // 100
    most_files = sys.maxsize if touch else residence.mappable()
    tree = walk(paths)
    _expect_room(tree, limit, most_files, lock=not touch)
    pinner = Pinner(limit=limit, most_files=most_files, lock=not touch, is_ended=ended.is_set)
    standing, told = _read(pinner, tree), None
    while not ended.is_set():
        if standing != told:
            _tell(standing, as_json=as_json)
            told = standing
        ended.wait(interval)
        standing = pinner.apply(walk(paths), lambda _: None)


def _expect_room(tree: "Tree", limit: int, most_files: int, *, lock: bool) -> None:
    """Refuse what can't be held as a whole. Raises OperatorError."""
    from appliance.quantity import format_size
    from fuse import residence

    if tree.faults:
        raise OperatorError(tree.faults[0])
    size, files = tree.size, len(tree.files)
    told = f"{files} files take {format_size(size)} in memory"
    if size > limit:
        raise OperatorError(f"{told}, and {format_size(limit)} may be taken: name fewer, or raise --share")
    # What is in memory already counts as available.
    if size > (available := residence.available()):
        raise OperatorError(f"{told}, and {format_size(available)} are available: name fewer, or end other programs")
    if files > most_files:
        raise OperatorError(
            f"of {files} files {most_files} can be locked: raise sysctl vm.max_map_count, or use --touch"
        )
    if lock and (lockable := residence.lockable()) is not None and size > lockable:
        may = f"{format_size(lockable)} may be locked"
        raise OperatorError(f"{told}, and {may}: raise that limit (ulimit -H -l, LimitMEMLOCK=), or use --touch")


def _read(pinner: "Pinner", tree: "Tree") -> "Standing":
    from rich.progress import DownloadColumn, TransferSpeedColumn

    from gateway.cli.output import progress

    with progress(DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("read", total=tree.size)
        return pinner.apply(tree, lambda count: bar.advance(task, count))


def _tell(standing: "Standing", *, as_json: bool) -> None:
    """Print how things are, which is on standard output at once, and what is wrong on standard error."""
    from appliance.quantity import format_size
    from gateway.cli.output import print_line

    for fault in standing.faults:
        sys.stderr.write(f"packstone: {fault}\n")
    if standing.left_out:
        sys.stderr.write(
            f"packstone: {standing.left_out} files are left out: there is no room for more within the limits\n"
        )
    if as_json:
        print_line(json.dumps(standing._asdict()))
    else:
        in_memory = f"{format_size(standing.resident)} of {format_size(standing.size)}"
        print_line(f"packstone pinned {standing.files} files, {in_memory} in memory")
    sys.stdout.flush()

"""`packstone drive`: the drives of a node."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.cli.control_client import ControlClient
    from gateway.control.documents import DriveDocument

app: Final = typer.Typer(help="The drives of a node.", no_args_is_help=True)

PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="Where the drive is mounted.")]
_LOOK_EVERY: Final = 0.5


@app.callback()
def drive() -> None:
    """The drives of a node."""


@app.command("list")
def list_drives(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the drives of the node that serves DIR, and how many shards and journals are on each."""
    from appliance.quantity import format_size
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        drives = node.status().drives
    if as_json:
        for drive in drives:
            print_line(drive.model_dump_json())
        return
    seated = ["Enclosure"] if any(drive.enclosure for drive in drives) else []
    columns = ("Number", "Drive", "Pool", *seated, "State", "Files", "Used", "Free")
    shown = table("Drives", *columns, numbers=("Files", "Used", "Free"))
    for drive in drives:
        notes = [note for note, holds in (("slow", drive.slow), ("leaving", drive.leaving)) if holds]
        state = ", ".join([drive.state, *notes])
        sizes = (format_size(drive.used), format_size(drive.free))
        place = [drive.enclosure or ""] if seated else []
        shown.add_row(str(drive.number), drive.path, drive.pool, *place, state, str(drive.files), *sizes)
    print_table(shown)


@app.command("add")
def add(path: PathArgument, data: DataOption = None, config: ConfigOption = None) -> None:
    """Take an empty drive into the pool that names it in the configuration, while the node runs.

    New segments go to it as to the others, the emptiest first.
    """
    from appliance.configuration_sources import load
    from appliance.drives import pool_of
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    configuration = load(data, config)
    drive = path.absolute()
    pool = pool_of(configuration, drive)
    with ControlClient(configuration.data) as node:
        number = node.add_drive(drive, pool)
    print_line(f"{path}: drive {number} of pool {pool}")


@app.command("replace")
def replace(path: PathArgument, data: DataOption = None, config: ConfigOption = None) -> None:
    """Put an empty drive in the place of one that is gone, whether or not the node runs.

    The shards that the old one had are made anew; `packstone status` shows how many are missing. A drive that answers
    is never replaced.
    """
    from appliance.configuration_sources import load
    from appliance.data_lock import DataLock
    from appliance.drives import replace_drive
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    configuration = load(data, config)
    with ControlClient(configuration.data) as node:
        if node.is_served:
            print_line(f"{path}: drive {node.replace_drive(path.absolute())}; it is being filled")
            return
    with DataLock(configuration.data):
        number = replace_drive(configuration, path)
    print_line(f"{path}: drive {number}; start the node to have it filled")


@app.command("drain")
def drain(
    path: PathArgument,
    data: DataOption = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Keep the drive after all.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Don't wait for the end.")] = False,
) -> None:
    """Empty a drive, so that it can be removed: its shards are made on the others of its pool.

    Goes on when this command is interrupted, and after a restart. A drive that is dead can be drained too, where the
    pool has others enough.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    drive = path.absolute()
    with ControlClient(data) as node:
        node.drain_drive(drive, leaving=not cancel)
        if cancel:
            print_line(f"{path}: is kept")
        elif detach:
            print_line(f"{path}: is being emptied; `packstone drive list` shows what is left")
        else:
            _await_empty(node, drive)
            print_line(f"{path}: is empty; `packstone drive remove {path}` takes it out")


def _await_empty(node: "ControlClient", drive: Path) -> None:
    import time

    from rich.progress import MofNCompleteColumn, TimeRemainingColumn

    from gateway.cli.output import progress

    with progress(MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        at_first = _find(node, drive).files
        task = bar.add_task("shards", total=at_first)
        while left := _left(node, drive):
            bar.update(task, completed=max(0, at_first - left))
            time.sleep(_LOOK_EVERY)


def _left(node: "ControlClient", drive: Path) -> int:
    found = _find(node, drive)
    if found.files and not found.leaving:
        raise OperatorError(f"{drive}: is kept after all")
    return found.files


def _find(node: "ControlClient", drive: Path) -> "DriveDocument":
    for held in node.status().drives:
        if held.path == str(drive):
            return held
    raise OperatorError(f"{drive}: is no drive of this appliance")


@app.command("remove")
def remove(path: PathArgument, data: DataOption = None) -> None:
    """Take a drive that was drained out of the appliance. Its directory is left without data."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        cleared = node.remove_drive(path.absolute())
    print_line(f"{path}: is no drive of the appliance any more; take it out of the configuration")
    if not cleared:
        print_line(f"{path}: doesn't answer, so what was on it still is: wipe it before it goes anywhere")


@app.command("identify")
def identify(
    path: PathArgument,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=3600, help="How long its light shows it.")] = 30.0,
) -> None:
    """Show which disk a drive is: by the locate light of its slot, or by reading from it so that its light flickers."""
    from appliance.disk import find_disk
    from gateway.cli.output import print_line

    disk = find_disk(path)
    print_line(f"{path}: {disk.description}")
    print_line(disk.show(seconds))

"""`packstone pool`: pools of drives, and what is kept in which."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.cli.control_client import ControlClient
    from gateway.control.documents import MovingDocument

app: Final = typer.Typer(help="Pools of drives, and what is kept in which.", no_args_is_help=True)

_LOOK_EVERY: Final = 0.5


@app.callback()
def pool() -> None:
    """Pools of drives, and what is kept in which."""


@app.command("show")
def show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the pools of the node that serves DIR, the storage classes kept in each, and what is being moved."""
    from appliance.quantity import format_size
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        status = node.status()
    if as_json:
        for pool in status.pools:
            print_line(pool.model_dump_json())
        return
    columns = ("Pool", "Class", "Profile", "Drives", "Storage classes", "Bytes", "Dead", "Takes data")
    shown = table("Pools", *columns, numbers=("Bytes", "Dead"))
    for pool in status.pools:
        online = f"{pool.online} of {pool.drives} online"
        sizes = (format_size(pool.bytes), format_size(pool.dead))
        room = "yes" if pool.room else "no space"
        profile = f"{pool.data}+{pool.parity}"
        shown.add_row(pool.name, pool.drive_class, profile, online, ", ".join(pool.storage_classes), *sizes, room)
    print_table(shown)
    print_line(_told(status.moving))


def _told(moving: "MovingDocument") -> str:
    from appliance.quantity import format_size

    moved = f"{format_size(moving.moved)} moved since start"
    if moving.looking:
        return f"looking for what stands elsewhere than it belongs; {moved}"
    return f"{format_size(moving.displaced)} to be moved, {moved}"


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the configuration has it.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a pool that the configuration names of its empty drives, while the node runs.

    Storage classes that belong to it are moved to it. Where a drive could not be taken in, the same command goes on.
    """
    from appliance.configuration_sources import load
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    configuration = load(data, config)
    wanted = next((pool for pool in configuration.pools if pool.name == name), None)
    if wanted is None:
        raise OperatorError(f"{name}: is no pool of the configuration: name it there with its drives first")
    with ControlClient(configuration.data) as node:
        drives = node.create_pool(wanted)
    print_line(f"{name}: {wanted.drive_class}, profile {wanted.profile}, {drives} drives taken in")


@app.command("rules")
def rules(
    bucket: Annotated[str, typer.Argument(metavar="BUCKET")], data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Show which prefixes of a bucket's keys belong to a pool by `packstone pool move`, the longest first."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        found = node.placement(bucket)
    if as_json:
        for rule in found:
            print_line(rule.model_dump_json())
        return
    shown = table(f"Rules of {bucket}", "Prefix", "Pool")
    for rule in found:
        shown.add_row(rule.prefix or "(all)", rule.pool)
    print_table(shown)


@app.command("move")
def move(
    place: Annotated[str, typer.Argument(metavar="BUCKET[/PREFIX]", help="The keys that are meant.")],
    name: Annotated[str | None, typer.Argument(metavar="POOL", show_default=False)] = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="End the rule: the keys belong where their storage classes say.")
    ] = False,
    data: DataOption = None,
    detach: Annotated[bool, typer.Option("--detach", help="Don't wait for the end.")] = False,
) -> None:
    """Keep all keys with a prefix in POOL, whatever their storage class: those that are there, and those to come.

    Goes on when this command is interrupted, and after a restart. Reads and writes go on meanwhile, and what is locked
    stays locked.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    if (name is None) != by_class:
        raise OperatorError("name a pool, or say --by-class")
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    with ControlClient(data) as node:
        node.place(bucket, prefix, name)
        if detach:
            print_line(f"{place}: is being moved; `packstone pool show` tells how much is left")
            return
        _await_moved(node, name)
    print_line(f"{place}: is kept {'by storage class' if by_class else f'in pool {name}'}")


def _await_moved(node: "ControlClient", name: str | None) -> None:
    import time

    from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    from gateway.cli.output import progress

    with progress(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("looking", total=None)
        most = 0
        while (moving := (status := node.status()).moving).looking or moving.displaced:
            if any(pool.name == name and not pool.room for pool in status.pools):
                raise OperatorError(
                    f"{name}: takes no data for want of space or drives; the rest is moved once it does"
                )
            if not moving.looking:
                most = max(most, moving.displaced)
                bar.update(task, description="moving", total=most, completed=most - moving.displaced)
            time.sleep(_LOOK_EVERY)

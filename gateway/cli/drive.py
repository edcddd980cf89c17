"""`packstone drive`: the drives of a node."""

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.options import ConfigOption, DataOption

app: Final = typer.Typer(help="The drives of a node.", no_args_is_help=True)


@app.callback()
def drive() -> None:
    """The drives of a node."""


@app.command("replace")
def replace(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where the new drive is mounted: the old one's place.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put an empty drive in the place of one that is gone. The node must be stopped.

    The next `serve` takes it in and makes the shards anew that the old one had; `packstone status` shows how many are
    missing. A drive that answers is never replaced.
    """
    from appliance.configuration_sources import load
    from appliance.data_lock import DataLock
    from appliance.drives import replace_drive
    from gateway.cli.output import print_line

    configuration = load(data, config)
    with DataLock(configuration.data):
        number = replace_drive(configuration, path)
    print_line(f"{path}: drive {number}; start the node to have it filled")

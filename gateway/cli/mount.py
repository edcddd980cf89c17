"""`packstone mount`: the namespace as a file system."""

from pathlib import Path
from typing import Annotated

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption

MountpointArgument = Annotated[Path, typer.Argument(metavar="MOUNTPOINT", help="An empty directory.")]
AllowOtherOption = Annotated[
    bool, typer.Option("--allow-other", help="Let other users in, within what mode bits allow them.")
]


def mount(
    mountpoint: MountpointArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    allow_other: AllowOtherOption = False,
) -> None:
    """Mount the buckets of the node that serves DIR, each a directory, and serve the mount until it ends.

    It ends by `umount MOUNTPOINT`, SIGTERM or SIGINT. A mount there whose process has died is replaced.
    """
    from appliance.configuration_sources import load
    from appliance.log import configure_log

    try:
        from fuse.mount import Mount, MountError
    except ImportError as fault:
        raise OperatorError(f"mounting needs libfuse 3 (Debian: libfuse3-3, fuse3): {fault}") from fault

    configuration = load(data, config, {})
    configure_log(configuration.log)
    try:
        Mount(configuration.files_socket, mountpoint.absolute(), allow_other=allow_other).serve(
            lambda: typer.echo(f"packstone mounted on {mountpoint}")
        )
    except MountError as fault:
        raise OperatorError(str(fault)) from fault

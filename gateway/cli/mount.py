"""`packstone mount`: the namespace as a file system."""

from pathlib import Path
from typing import Annotated

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption

MountpointArgument = Annotated[Path, typer.Argument(metavar="MOUNTPOINT", help="An empty directory.")]
AllowOtherOption = Annotated[
    bool, typer.Option("--allow-other", help="Let other users in, within what policies and mode bits allow them.")
]
DeviceOption = Annotated[
    int | None,
    typer.Option(
        "--device",
        metavar="NUMBER",
        min=1,
        max=65535,
        help="The minor number that the device shall have, for who exports the mount; takes root.",
        show_default="the lowest free one",
    ),
]
UserOption = Annotated[
    str,
    typer.Option(
        "--user",
        metavar="USER",
        help="Whose policies are asked where a uid is no user's.",
        show_default="root, who may do everything",
    ),
]


def mount(
    mountpoint: MountpointArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    allow_other: AllowOtherOption = False,
    device: DeviceOption = None,
    user: UserOption = "",
) -> None:
    """Mount the buckets of the node that serves DIR, each a directory, and serve the mount until it ends.

    It ends by `umount MOUNTPOINT`, SIGTERM or SIGINT. A mount there whose process has died is replaced.
    """
    from appliance.configuration_sources import load
    from appliance.log import configure_log
    from gateway.cli.serve import allow_open_files

    try:
        from fuse.mount import Mount, MountError
    except ImportError as fault:
        raise OperatorError(f"mounting needs libfuse 3 (Debian: libfuse3-3, fuse3): {fault}") from fault

    configuration = load(data, config, {})
    configure_log(configuration.log)
    if device is not None:
        # A file for each of the numbers below, for a moment.
        allow_open_files()
    try:
        made = Mount(
            configuration.files_socket, mountpoint.absolute(), allow_other=allow_other, device=device, user=user
        )
        made.serve(lambda: typer.echo(f"packstone mounted on {mountpoint}"))
    except MountError as fault:
        raise OperatorError(str(fault)) from fault

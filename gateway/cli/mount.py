"""`packstone mount`: the namespace as a file system, of a node of this machine or of another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from appliance.configuration import LogSection
    from fuse.connection import Connect

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
NodeOption = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="S3 endpoint of the node to mount, in place of the one on DIR, for whose the credentials are.",
    ),
]
AuthoritiesOption = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        help="Authorities, in PEM, that vouch for the endpoint's certificate.",
        show_default="those of the system",
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="Profile of the credentials.", show_default="AWS_PROFILE, or default"
    ),
]
CredentialsOption = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        metavar="FILE",
        help="File with credentials, as ~/.aws/credentials has them, that its owner alone may read.",
        show_default="AWS_* variables, or ~/.aws",
    ),
]

LONGEST_BELIEF: Final = 3600
SyncOption = Annotated[
    bool, typer.Option("--sync", help="Answer making and closing a file once that is durable, as fsync is.")
]
ExclusiveOption = Annotated[
    bool,
    typer.Option(
        "--exclusive",
        help="Have no other mount beside it, and let the kernel keep what is written until a file is closed or synced.",
    ),
]
BelieveOption = Annotated[
    float,
    typer.Option(
        "--believe",
        metavar="SECONDS",
        min=0,
        max=LONGEST_BELIEF,
        help="For how long the kernel may believe names and attributes that the node doesn't call back.",
    ),
]


def mount(
    mountpoint: MountpointArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    allow_other: AllowOtherOption = False,
    device: DeviceOption = None,
    user: UserOption = "",
    sync: SyncOption = False,
    exclusive: ExclusiveOption = False,
    believe: BelieveOption = 1.0,
    endpoint: NodeOption = None,
    authorities: AuthoritiesOption = None,
    profile: ProfileOption = None,
    credentials: CredentialsOption = None,
) -> None:
    """Mount the buckets of a node, each a directory, and serve the mount until it ends.

    The node is the one that serves DIR, or with --endpoint one of any machine. It ends by `umount MOUNTPOINT`,
    SIGTERM or SIGINT. A mount there whose process has died is replaced.
    """
    from appliance.configuration import LogSection

    if endpoint is None:
        if authorities or profile or credentials:
            raise OperatorError("--ca, --profile and --credentials go with --endpoint")
        connect, log = node_here(data, config, user, exclusive=exclusive)
        name = "packstone"
    else:
        if data is not None or config is not None:
            raise OperatorError("--data and --endpoint name two nodes: give one")
        if user:
            raise OperatorError("--user is for a node of this machine: at an endpoint it is whose the credentials are")
        if exclusive:
            raise OperatorError("--exclusive is for a node of this machine")
        connect, log = node_at(endpoint, authorities, profile, credentials), LogSection()
        name = endpoint
    options = {"allow_other"} if allow_other else set()
    serve_mount(
        connect,
        mountpoint,
        log,
        name=name,
        options=options,
        device=device,
        sync=sync,
        exclusive=exclusive,
        believed=believe,
        ready=lambda: typer.echo(f"packstone mounted on {mountpoint}"),
    )


def node_here(data: Path | None, config: Path | None, user: str, *, exclusive: bool) -> "tuple[Connect, LogSection]":
    """Say how to reach the node that serves a data directory, and what a mount of it logs. Raises OperatorError."""
    from appliance.configuration_sources import load

    _expect_fuse()
    from fuse.connection import local

    configuration = load(data, config, {})
    return local(configuration.files_socket, user, exclusive=exclusive), configuration.log


def node_at(endpoint: str, authorities: Path | None, profile: str | None, credentials: Path | None) -> "Connect":
    """Say how to reach the node of an S3 endpoint. Raises OperatorError where there are no credentials."""
    _expect_fuse()
    from fuse.connection import remote
    from gateway.cli.aws_credentials import find_credentials

    named = None if authorities is None else authorities.absolute()
    return remote(endpoint, find_credentials(profile, credentials), named)


def _expect_fuse() -> None:
    try:
        import fuse.mount  # noqa: F401 - what it needs is what may be missing
    except ImportError as fault:
        raise OperatorError(f"mounting needs libfuse 3 (Debian: libfuse3-3, fuse3): {fault}") from fault


def serve_mount(
    connect: "Connect",
    mountpoint: Path,
    log: "LogSection",
    *,
    name: str,
    options: "Collection[str]",
    device: int | None,
    sync: bool,
    exclusive: bool,
    believed: float,
    ready: "Callable[[], None]",
) -> None:
    """Mount, call `ready`, and serve the mount until it ends. Raises OperatorError where it can't be made."""
    from appliance.log import configure_log
    from fuse.connection import MountError
    from fuse.mount import Mount
    from gateway.cli.serve import allow_open_files

    configure_log(log)
    if device is not None:
        # A file for each of the numbers below, for a moment.
        allow_open_files()
    try:
        made = Mount(
            connect,
            mountpoint.absolute(),
            name=name,
            options=options,
            device=device,
            sync=sync,
            exclusive=exclusive,
            believed=believed,
        )
        made.serve(ready)
    except MountError as fault:
        raise OperatorError(str(fault)) from fault

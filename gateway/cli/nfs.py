"""`packstone nfs`: buckets and folders for NFS clients."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.mount import UserOption
from gateway.cli.options import ConfigOption, DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.cli.control_client import ControlClient
    from gateway.nfs.export import Export, Terms
    from gateway.nfs.report import Report

app: Final = typer.Typer(help="Buckets and folders for NFS clients.", no_args_is_help=True)
export_app: Final = typer.Typer(help="What is exported, to whom, and how.", no_args_is_help=True)
app.add_typer(export_app, name="export")

_PATIENCE: Final = 5.0
_LOOK_EVERY: Final = 0.1

PlaceArgument = Annotated[str, typer.Argument(metavar="BUCKET[/PREFIX]", help="A bucket, or a folder in one.")]
ClientOption = Annotated[
    list[str],
    typer.Option("--client", metavar="ADDRESS", help="A host or network that may mount it; again for each."),
]
SquashOption = Annotated[
    str, typer.Option(metavar="WHOM", help="Clients' users that count as nobody: root, all or none.")
]
ReadOnlyOption = Annotated[bool, typer.Option("--read-only", help="Clients may read and change nothing.")]
AnonymousOption = Annotated[
    str, typer.Option(metavar="UID:GID", help="Who squashed users are on the mount.", show_default=True)
]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Change an export; its clients stay.")]


@export_app.command("add")
def add(
    place: PlaceArgument,
    client: ClientOption,
    squash: SquashOption = "root",
    read_only: ReadOnlyOption = False,
    anonymous: AnonymousOption = "65534:65534",
    replace: ReplaceOption = False,
    data: DataOption = None,
) -> None:
    """Export a bucket or a folder of one to the clients that are named, and to no other.

    Clients mount it as HOST:/BUCKET/PREFIX. It is kept by the node, and stays until it is removed or the bucket is.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line
    from gateway.nfs.export import Place

    wanted = Place.parse(place)
    terms = _terms(client, squash, read_only, anonymous)
    with ControlClient(data) as node:
        export = node.add_export(wanted, terms, replace=replace)
        print_line(f"{export.place}: {_outcome(node, export)}")


def _terms(clients: list[str], squash: str, read_only: bool, anonymous: str) -> "Terms":
    from pydantic import ValidationError

    from gateway.nfs.export import Terms

    uid, _, gid = anonymous.partition(":")
    said = {"clients": clients, "squash": squash, "read_only": read_only, "anonymous_uid": uid, "anonymous_gid": gid}
    try:
        return Terms.model_validate(said)
    except ValidationError as fault:
        first = fault.errors()[0]
        option = {"clients": "--client", "squash": "--squash"}.get(str(first["loc"][0]), "--anonymous")
        raise OperatorError(f"{option}: {first['msg'].removeprefix('Value error, ')}") from None


def _outcome(node: "ControlClient", export: "Export") -> str:
    """What has become of a change, once `packstone nfs serve` has had time for it."""
    deadline = time.monotonic() + _PATIENCE
    while (report := node.nfs().report) is not None:
        if export in report.served:
            return f"exported; clients mount it as {_host(report)}:{export.place.path}"
        if export.number in report.faults or time.monotonic() > deadline:
            return f"is kept, but not exported yet: {_reason(report, export)}"
        time.sleep(_LOOK_EVERY)
    return "is kept, and exported as soon as NFS is served: packstone nfs serve"


def _host(report: "Report") -> str:
    host = report.address.rpartition(":")[0]
    return "HOST" if host in {"0.0.0.0", "[::]"} else host  # noqa: S104 - recognised, not bound


def _reason(report: "Report", export: "Export") -> str:
    return report.faults.get(export.number) or report.fault or "NFS is being started"


@export_app.command("remove")
def remove(place: PlaceArgument, data: DataOption = None) -> None:
    """Export a bucket or folder no more. Its clients are refused from then on; what they wrote stays."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line
    from gateway.nfs.export import Place

    wanted = Place.parse(place)
    with ControlClient(data) as node:
        node.remove_export(wanted)
        deadline = time.monotonic() + _PATIENCE
        while (report := node.nfs().report) is not None and wanted in {held.place for held in report.served}:
            if time.monotonic() > deadline:
                raise OperatorError(f"{wanted}: is removed, but served still: {report.fault or 'look at its log'}")
            time.sleep(_LOOK_EVERY)
    print_line(f"{wanted}: exported no more")


@export_app.command("list")
def list_exports(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the exports of the node that serves DIR, and whether each is served."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        document = node.nfs()
    if as_json:
        for export in document.exports:
            print_line(export.model_dump_json())
        return
    shown = table("Exports", "Export", "Clients", "Access", "Squash", "State")
    for export in document.exports:
        terms = export.terms
        anonymous = "" if terms.squash == "none" else f" to {terms.anonymous_uid}:{terms.anonymous_gid}"
        access = "read-only" if terms.read_only else "read and write"
        shown.add_row(
            str(export.place),
            ", ".join(terms.clients),
            access,
            terms.squash + anonymous,
            _state(document.report, export),
        )
    print_table(shown)


def _state(report: "Report | None", export: "Export") -> str:
    if report is None:
        return "NFS isn't served"
    return "served" if report.up and export in report.served else _reason(report, export)


@app.command("status")
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show whether NFS is served over the node on DIR. Ends with 1 where it isn't, or an export isn't."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        document = node.nfs()
    report = document.report
    if as_json:
        print_line(document.model_dump_json(indent=2))
    elif report is None:
        print_line(f"NFS isn't served; {len(document.exports)} exports wait for it: packstone nfs serve")
    else:
        state = "up" if report.up else f"down: {report.fault or 'being started'}"
        print_line(f"NFS {', '.join(report.versions)} on {report.address}: {state}; process {report.pid}")
        print_line(
            f"{len(report.served)} of {len(document.exports)} exports served, {report.connections} connections; "
            f"restarts: {report.ganesha_restarts} of NFS-Ganesha, {report.mount_restarts} of the mount"
        )
        for export in document.exports:
            if (state := _state(report, export)) != "served":
                typer.echo(f"warning: {export.place}: {state}", err=True)
    if report is None or not report.up or report.faults:
        raise typer.Exit(1)


@app.command("serve")
def serve(data: DataOption = None, config: ConfigOption = None, user: UserOption = "") -> None:
    """Serve NFS on nfs.address over the node that serves DIR, until SIGTERM or SIGINT.

    Runs NFS-Ganesha over a mount of its own, and brings both back when they or the node end. It waits for the node.
    Takes root.
    """
    from appliance.configuration_sources import load
    from appliance.data_lock import DataLock
    from appliance.log import configure_log

    try:
        from gateway.nfs.supervisor import Supervisor
    except ImportError as fault:
        raise OperatorError(f"NFS can't be served: {fault}") from fault
    from gateway.cli.control_client import ControlClient
    from gateway.control.server import SOCKET_NAME

    configuration = load(data, config)
    configure_log(configuration.log)
    if os.geteuid() != 0:
        raise OperatorError("NFS takes root, to act as the users that clients name: run this as root")
    directory = configuration.nfs.directory.resolve()
    configuration = configuration.model_copy(
        update={"nfs": configuration.nfs.model_copy(update={"directory": directory})}
    )
    if not configuration.data.is_dir():
        raise OperatorError(f"{configuration.data}: there is no such directory: start the node first")
    if configuration.nfs_state.is_symlink():
        raise OperatorError(f"{configuration.nfs_state}: is a symbolic link: put a directory there")
    if directory.is_relative_to(configuration.data.absolute()):
        raise OperatorError(
            f"nfs.directory {directory}: must stay outside of the data directory: it holds a mount of it"
        )
    arguments: list[str | Path] = ["--data", configuration.data.absolute()]
    if config is not None:
        arguments += ["--config", config.absolute()]
    if user:
        arguments += ["--user", user]
    with DataLock(configuration.nfs_state), DataLock(directory), ControlClient(configuration.data) as node:
        supervisor = Supervisor(configuration, configuration.data / SOCKET_NAME, node.report_nfs, arguments)
        supervisor.serve(lambda: typer.echo(f"packstone nfs ready on {configuration.nfs.address}"))

"""`packstone serve`: put the node together, and run it until it is told to stop."""

import os
import resource
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import ConfigOption, DataOption

if TYPE_CHECKING:
    from appliance.configuration import Configuration

S3Option = Annotated[
    str | None,
    typer.Option("--s3", metavar="HOST:PORT", help="Where to serve S3.", show_default="127.0.0.1:9000"),
]
ControlOption = Annotated[
    str | None,
    typer.Option(
        "--control",
        metavar="HOST:PORT",
        help="Where to serve /health/live, /health/ready and /metrics.",
        show_default="127.0.0.1:9001",
    ),
]


def serve(
    data: DataOption = None, s3: S3Option = None, control: ControlOption = None, config: ConfigOption = None
) -> None:
    """Serve S3 on S3's HOST:PORT, health and metrics on control's, and administration on DIR/control.sock.

    A DIR that is new gets the embedded default: four drive directories, profile 3+1. SIGTERM and SIGINT let requests
    under way end, then stop; a second one stops at once. SIGHUP reads the TLS certificate again.
    """
    # Until the node serves, these end the process at once, which recovery survives like any other crash.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    from appliance.configuration_sources import load
    from appliance.data_lock import DataLock
    from appliance.log import configure_log

    given = {"s3": s3, "control": control}
    addresses = {section: {"address": address} for section, address in given.items() if address is not None}
    configuration = load(data, config, addresses)
    configure_log(configuration.log)
    allow_open_files()
    with DataLock(configuration.data):
        _prepare(configuration)
        _run(configuration)


def allow_open_files() -> None:
    """Every segment that was read keeps its shards' files open: a login's usual 1,024 are soon used up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _prepare(configuration: "Configuration") -> None:
    from appliance.drives import ensure_initialised, loss_warnings

    if ensure_initialised(configuration):
        typer.echo(f"new appliance in {configuration.data}: one ssd pool, profile 3+1, on four directories")
        typer.echo(f"its compliance clock begins at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, the machine's time")
    for warning in loss_warnings(configuration):
        typer.echo(f"warning: {warning}", err=True)
    s3 = configuration.s3
    if not s3.address.is_loopback and s3.tls_certificate is None:
        typer.echo(f"warning: S3 on {s3.address} without TLS: whoever is on the path reads every object", err=True)


def _run(configuration: "Configuration") -> None:
    from appliance.drives import ensure_master_key
    from appliance.node import Node
    from appliance.process_signals import ProcessSignals
    from appliance.root_credentials import RootCredentials
    from appliance.root_file import RootFile
    from gateway.control.server import ControlServer

    master_key = ensure_master_key(configuration)
    root = RootCredentials(RootFile(configuration.data, master_key))
    if root.made:
        typer.echo("root credentials, shown this once:")
        typer.echo(f"  access key {root.current.access_key}\n  secret key {root.current.secret_key}")
    node = Node(configuration, root, master_key)
    control = ControlServer(node)
    try:
        control.bind()
        control.start()
        node.start()
        with ProcessSignals((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)) as signals:
            elapsed = _seconds_since_start()
            typer.echo(f"packstone ready s3={node.s3_endpoint} control={control.url} in {elapsed:.2f} s")
            # Its sockets take connections since `bind`; they are answered once its imports are done.
            control.wait()
            while signals.wait() is signal.SIGHUP:
                node.reload_tls()
    finally:
        # The control plane goes last: while requests end, it tells a load balancer that the node isn't ready.
        node.stop()
        control.stop()


def _seconds_since_start() -> float:
    # Field 22 of proc(5) stat; the command's name, field 2, may itself hold spaces and brackets.
    fields = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)

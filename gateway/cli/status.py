"""`packstone status`: how a node is doing."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gateway.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.control.documents import StatusDocument


def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the process, drives, pools, journal, segments and usage of the node that serves DIR.

    Asks over DIR/control.sock, which its owner alone may open; the control port doesn't answer this.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        document = node.status()
    if as_json:
        print_line(document.model_dump_json(indent=2))
    else:
        _show(document)


def _show(document: "StatusDocument") -> None:
    from appliance.quantity import format_size
    from gateway.cli.output import print_line, print_table, table

    print_line(f"appliance {document.appliance}  version {document.version}  process {document.pid}")
    print_line(f"data {document.data}  s3 {document.s3}")
    clock = datetime.fromtimestamp(document.clock.compliance, UTC)
    print_line(f"compliance clock {clock:%Y-%m-%d %H:%M:%S} UTC, {document.clock.lag:.0f} s behind the machine's")
    journal = document.journal
    print_line(
        f"{document.objects} objects, {format_size(document.bytes)}, in {document.segments} segments; journal: "
        f"epoch {journal.epoch}, LSN {journal.lsn}, {format_size(journal.bytes)} unsealed in {journal.files} files on "
        f"{len(journal.copies)} drives"
    )
    healing = document.healing
    if healing.open or healing.healed:
        print_line(
            f"healing: {healing.open} shards to be made anew; {healing.healed} made since start, "
            f"{format_size(healing.bytes)}"
        )
    scrub = document.scrubbing
    if scrub.total:
        ended = f"{datetime.fromtimestamp(scrub.last_ended, UTC):%Y-%m-%d}" if scrub.last_ended else "never"
        print_line(f"scrubbing: {scrub.done * 100 // scrub.total} % of this pass; the last whole one ended: {ended}")
    checkpoints = document.checkpoints
    if checkpoints.kept:
        taken = f"{datetime.fromtimestamp(checkpoints.taken, UTC):%Y-%m-%d %H:%M} UTC"
        print_line(
            f"checkpoints of the index: {checkpoints.kept}, {format_size(checkpoints.bytes)}, the newest of {taken}, "
            f"{checkpoints.unseen} changes ago"
        )
    columns = ("Pool", "Class", "Profile", "Drives", "Segments", "Degraded", "Payload", "Dead")
    pools = table("Pools", *columns, numbers=("Segments", "Degraded"))
    for pool in document.pools:
        online = f"{pool.online} of {pool.drives} online"
        sizes = (format_size(pool.bytes), format_size(pool.dead))
        counts = (str(pool.segments), str(pool.degraded))
        pools.add_row(pool.name, pool.drive_class, f"{pool.data}+{pool.parity}", online, *counts, *sizes)
    drives = table("Drives", "Drive", "Pool", "State", "Used", "Free", "Total", numbers=("Used", "Free", "Total"))
    for drive in document.drives:
        state = f"{drive.state}: {drive.reason}" if drive.reason else drive.state
        sizes3 = (format_size(drive.used), format_size(drive.free), format_size(drive.total))
        drives.add_row(drive.path, drive.pool, state, *sizes3)
    buckets = table("Buckets", "Bucket", "Objects", "Size", numbers=("Objects", "Size"))
    for bucket in document.buckets:
        buckets.add_row(bucket.name, str(bucket.objects), format_size(bucket.bytes))
    for shown in (pools, drives, buckets):
        if shown.row_count:
            print_line("")
            print_table(shown)
    for warning in document.warnings:
        typer.echo(f"warning: {warning}", err=True)

"""`packstone lost`: what can't be read any more."""

import typer

from gateway.cli.options import DataOption, JsonOption


def lost(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the objects of the node that serves DIR that too few shards are left of, as healing found them.

    They are tried again every few minutes, and at once when a drive comes back. Ends with exit code 1 where there is
    any. `packstone verify` reads everything, and finds what nobody has met yet.
    """
    from appliance.quantity import format_size
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        objects = node.lost_objects()
    if as_json:
        for held in objects:
            print_line(held.model_dump_json())
    elif not objects:
        print_line("nothing is lost")
    else:
        shown = table("Lost", "Bucket", "Key", "Version", "Segment", "Stored", numbers=("Stored",))
        for held in objects:
            shown.add_row(held.bucket, held.key, held.version or "", held.segment, format_size(held.bytes))
        print_table(shown)
    if objects:
        raise typer.Exit(1)

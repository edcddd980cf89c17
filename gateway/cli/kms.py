"""`packstone kms`: the keys that SSE-KMS names."""

import json
from typing import Annotated, Final

import typer

from gateway.cli.options import DataOption, JsonOption

app: Final = typer.Typer(help="List and make the keys of the local KMS.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="1 to 128 letters, digits, '-', '_' or '.'.")]


@app.command("ls")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the keys on the node that serves DIR. Asks over DIR/control.sock."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line, print_table, table

    with ControlClient(data) as node:
        keys = node.kms_keys()
    if as_json:
        print_line(json.dumps([key.model_dump(mode="json") for key in keys], indent=2))
        return
    shown = table("", "Key", "Created")
    shown.title = None
    for key in keys:
        shown.add_row(key.id, f"{key.created:%Y-%m-%d %H:%M:%S}")
    print_table(shown)


@app.command("make")
def make_key(key_id: IdArgument, data: DataOption = None) -> None:
    """Make a key, which requests name by its id or ARN. It stays: no key is ever destroyed."""
    from gateway.cli.control_client import ControlClient

    with ControlClient(data) as node:
        node.create_kms_key(key_id)

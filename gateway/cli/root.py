"""`packstone root`: the root credentials."""

import os
from typing import Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, JsonOption

app: Final = typer.Typer(help="The root credentials.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """The root credentials."""


@app.command("rotate")
def rotate(
    data: DataOption = None,
    access_key: Annotated[str | None, typer.Option(metavar="KEY", help="Keep or choose this access key.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the root credentials of the node that serves DIR, and print the new ones. Asks over DIR/control.sock.

    They are random; with --access-key, the secret key is read from the variable PACKSTONE_NEW_SECRET_KEY, so that it
    appears in no list of processes. The old credentials are refused from then on; no data is touched.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line
    from gateway.control.documents import CredentialsDocument

    wanted = None
    if access_key is not None:
        secret_key = os.environ.get("PACKSTONE_NEW_SECRET_KEY")
        if secret_key is None:
            raise OperatorError("--access-key takes its secret key from the variable PACKSTONE_NEW_SECRET_KEY: set it")
        wanted = CredentialsDocument(access_key=access_key, secret_key=secret_key)
    with ControlClient(data) as node:
        credentials = node.rotate_root(wanted)
    if as_json:
        print_line(credentials.model_dump_json(indent=2))
    else:
        print_line(f"access key {credentials.access_key}\nsecret key {credentials.secret_key}")

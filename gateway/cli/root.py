"""`packstone root`: the root credentials."""

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.control.documents import CredentialsDocument

app: Final = typer.Typer(help="The root credentials.", no_args_is_help=True)

RetireOption = Annotated[bool, typer.Option("--retire", help="Refuse the old credentials from now on.")]
RetireAfterOption = Annotated[
    str | None,
    typer.Option("--retire-after", metavar="DURATION", help="Accept the old credentials for so long: 12 h, 7 d."),
]


@app.callback()
def root() -> None:
    """The root credentials."""


@app.command("rotate")
def rotate(
    data: DataOption = None,
    access_key: Annotated[str | None, typer.Option(metavar="KEY", help="Choose this access key.")] = None,
    retire: RetireOption = False,
    retire_after: RetireAfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the root credentials of the node that serves DIR, and print the new ones. Asks over DIR/control.sock.

    They are random; with --access-key, the secret key is read from the variable PACKSTONE_NEW_SECRET_KEY, so that it
    appears in no list of processes. The old credentials are accepted beside them until `packstone root retire`, so that
    clients are moved one by one: for a time by --retire-after, or not at all by --retire. No data is touched.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line
    from gateway.control.documents import RotationRequest

    if retire and retire_after is not None:
        raise OperatorError("--retire and --retire-after contradict one another: choose one")
    request = RotationRequest(credentials=_wanted(access_key), retire=retire, until=_until(retire_after))
    with ControlClient(data) as node:
        credentials = node.rotate_root(request)
    if as_json:
        print_line(credentials.model_dump_json(indent=2))
    else:
        print_line(f"access key {credentials.access_key}\nsecret key {credentials.secret_key}")


@app.command("retire")
def retire(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Refuse the root credentials that `packstone root rotate` replaced, and sessions that were opened with them."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        retired = node.retire_root()
    print_line(retired.model_dump_json(indent=2) if as_json else f"retired {retired.access_key}")


@app.command("show")
def show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print the access keys of root that are accepted."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        found = node.root()
    if as_json:
        print_line(found.model_dump_json(indent=2))
        return
    print_line(f"access key {found.access_key}")
    if found.previous is not None:
        print_line(f"replaced   {found.previous}, accepted until {_end(found.until)}")


def _end(until: int | None) -> str:
    return "it is retired" if until is None else f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"


def _wanted(access_key: str | None) -> "CredentialsDocument | None":
    from gateway.control.documents import CredentialsDocument

    if access_key is None:
        return None
    secret_key = os.environ.get("PACKSTONE_NEW_SECRET_KEY")
    if secret_key is None:
        raise OperatorError("--access-key takes its secret key from the variable PACKSTONE_NEW_SECRET_KEY: set it")
    return CredentialsDocument(access_key=access_key, secret_key=secret_key)


def _until(retire_after: str | None) -> int | None:
    from appliance.quantity import parse_duration

    if retire_after is None:
        return None
    try:
        return int(time.time() + parse_duration(retire_after))
    except ValueError as fault:
        raise OperatorError(f"--retire-after: {fault}") from None

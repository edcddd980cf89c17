"""`packstone key`: access keys of users."""

import json
from typing import Annotated, Final, Literal

import typer

from gateway.cli.options import DataOption, EndpointOption, JsonOption

app: Final = typer.Typer(help="List, make, switch and remove access keys.", no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The access key, as AKIA...")]


@app.command("ls")
def list_keys(
    user: UserArgument, data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False
) -> None:
    """List a user's access keys; their secrets are told once only, when they are made."""
    from gateway.cli.output import print_line, print_table, table
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        keys = [
            (key["AccessKeyId"], key["Status"], key["CreateDate"])
            for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        ]
    if as_json:
        told = [{"access_key": key, "status": status, "created": made.isoformat()} for key, status, made in keys]
        print_line(json.dumps(told, indent=2))
        return
    shown = table("", "Access key", "Status", "Created")
    shown.title = None
    for key, status, made in keys:
        shown.add_row(key, status, f"{made:%Y-%m-%d %H:%M:%S}")
    print_table(shown)


@app.command("make")
def make_key(
    user: UserArgument, data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False
) -> None:
    """Make an access key and print it with its secret, this once. A user has two at most."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        made = iam.create_access_key(UserName=user)["AccessKey"]
    access_key, secret_key = made["AccessKeyId"], made["SecretAccessKey"]
    if as_json:
        print_line(json.dumps({"access_key": access_key, "secret_key": secret_key}, indent=2))
    else:
        print_line(f"access key {access_key}\nsecret key {secret_key}")


@app.command("disable")
def disable_key(user: UserArgument, key: KeyArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Refuse a key from now on; `enable` takes that back."""
    _switch(user, key, "Inactive", data, endpoint)


@app.command("enable")
def enable_key(user: UserArgument, key: KeyArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Accept a key again."""
    _switch(user, key, "Active", data, endpoint)


@app.command("rm")
def remove_key(user: UserArgument, key: KeyArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Remove a key for good."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        iam.delete_access_key(UserName=user, AccessKeyId=key)


def _switch(
    user: str, key: str, status: Literal["Active", "Inactive"], data: DataOption, endpoint: EndpointOption
) -> None:
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        iam.update_access_key(UserName=user, AccessKeyId=key, Status=status)

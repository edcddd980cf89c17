"""`packstone bucket`: list, make and remove buckets, and limit what they hold."""

import json
from typing import Annotated, Final

import typer

from gateway.cli.options import DataOption, EndpointOption, JsonOption
from gateway.cli.quota import quota_app

app: Final = typer.Typer(help="List, make and remove buckets; limit what they hold.", no_args_is_help=True)
app.add_typer(quota_app("bucket"), name="quota")

NameArgument = Annotated[str, typer.Argument(metavar="BUCKET", help="The bucket's name, without s3://.")]


@app.command("ls")
def list_buckets(data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List the buckets."""
    from gateway.cli.output import print_line, print_table, table
    from gateway.cli.s3_session import s3_session

    with s3_session(data, endpoint) as s3:
        buckets = [(bucket["Name"], bucket["CreationDate"]) for bucket in s3.list_buckets()["Buckets"]]
    if as_json:
        print_line(json.dumps([{"name": name, "created": created.isoformat()} for name, created in buckets], indent=2))
        return
    shown = table("", "Bucket", "Created")
    shown.title = None
    for name, created in buckets:
        shown.add_row(name, f"{created:%Y-%m-%d %H:%M:%S}")
    print_table(shown)


@app.command("make")
def make_bucket(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Make a bucket."""
    from gateway.cli.s3_session import s3_session

    with s3_session(data, endpoint) as s3:
        s3.create_bucket(Bucket=name)


@app.command("rm")
def remove_bucket(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Remove an empty bucket. `packstone rm -r s3://BUCKET` empties it first."""
    from gateway.cli.s3_session import s3_session

    with s3_session(data, endpoint) as s3:
        s3.delete_bucket(Bucket=name)

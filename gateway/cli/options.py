"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data directory.", show_default="PACKSTONE_DATA, or ./data"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file.", show_default="packstone.toml in DIR"),
]
EndpointOption = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="S3 server to talk to in place of the one on DIR, with the credentials of the AWS_* variables or profile.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print every line as CSV.")]
RecursiveOption = Annotated[bool, typer.Option("--recursive", "-r", help="Everything below, as with a folder.")]

"""`packstone ls`: list objects."""

import json
from typing import Annotated

import typer

from gateway.cli.options import DataOption, EndpointOption, JsonOption, RecursiveOption


def ls(
    location: Annotated[str, typer.Argument(metavar="s3://BUCKET[/PREFIX]", help="What the keys begin with.")],
    recursive: RecursiveOption = False,
    data: DataOption = None,
    endpoint: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """List objects: time, bytes and key, one a line as the server sends them; folders end with a slash.

    With --json, one JSON object a line. Buckets are listed by `packstone bucket ls`.
    """
    from gateway.cli.location import Location
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import s3_session

    place = Location.parse(location)
    with s3_session(data, endpoint) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=place.bucket, Prefix=place.key, Delimiter="" if recursive else "/"
        )
        for page in pages:
            for folder in page.get("CommonPrefixes", []):
                name = folder.get("Prefix", "")
                print_line(json.dumps({"folder": name}) if as_json else f"{'':19} {'folder':>14} {name}")
            for entry in page.get("Contents", []):
                key, size, modified = entry["Key"], entry["Size"], entry["LastModified"]
                if as_json:
                    told = {"key": key, "size": size, "modified": modified.isoformat(), "etag": entry["ETag"]}
                    print_line(json.dumps(told))
                else:
                    print_line(f"{modified:%Y-%m-%d %H:%M:%S} {size:>14} {key}")

"""`packstone rm`: remove objects."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.errors import OperatorError
from gateway.cli.location import Location
from gateway.cli.options import DataOption, EndpointOption, RecursiveOption

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def rm(
    location: Annotated[str, typer.Argument(metavar="s3://BUCKET/KEY", help="The object, or with -r the folder.")],
    recursive: RecursiveOption = False,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Remove an object, or with --recursive everything below a folder or in a bucket."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import s3_session

    place = Location.parse(location)
    if not place.key and not recursive:
        raise OperatorError(f"{location}: is a whole bucket: add --recursive to remove every object in it")
    with s3_session(data, endpoint) as s3:
        if recursive:
            print_line(f"{_remove_below(s3, place)} objects removed")
        else:
            s3.delete_object(Bucket=place.bucket, Key=place.key)


def _remove_below(s3: "S3Client", place: Location) -> int:
    from rich.progress import TextColumn

    from gateway.cli.output import progress

    removed = 0
    with progress(TextColumn("{task.completed:.0f}")) as bar:
        task = bar.add_task("objects removed", total=None)
        for keys in _pages(s3, place):
            answer = s3.delete_objects(
                Bucket=place.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
            if faults := answer.get("Errors", []):
                first = faults[0]
                raise OperatorError(
                    f"{len(faults)} objects weren't removed; the first: "
                    f"{first.get('Key')}: {first.get('Code')}: {first.get('Message')}"
                )
            removed += len(keys)
            bar.update(task, completed=removed)
    return removed


def _pages(s3: "S3Client", place: Location) -> Iterator[list[str]]:
    """The keys below `place`, up to 1,000 at a time, which is what one DeleteObjects takes."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.folder):
        if keys := [entry["Key"] for entry in page.get("Contents", [])]:
            yield keys

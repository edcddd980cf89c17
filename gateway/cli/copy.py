"""`packstone cp`: copy between local files and objects."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.errors import OperatorError
from gateway.cli.location import SCHEME, Location
from gateway.cli.options import DataOption, EndpointOption, RecursiveOption

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from gateway.cli.transfers import Transfer


def cp(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A path or s3://BUCKET/KEY.")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="s3://BUCKET/KEY or a path.")],
    recursive: RecursiveOption = False,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Copy a file to an object or an object to a file; with --recursive, everything below a folder."""
    from gateway.cli.s3_session import s3_session
    from gateway.cli.transfers import download, downloads, upload, uploads

    up = destination.startswith(SCHEME)
    if up == source.startswith(SCHEME):
        raise OperatorError("cp copies between a local path and an s3:// location: give one of each")
    found: Iterable[Transfer]
    with s3_session(data, endpoint) as s3:
        try:
            if up:
                path, location = Path(source), Location.parse(destination)
                found = uploads(path, location) if recursive else [upload(path, location)]
            else:
                path, location = Path(destination), Location.parse(source)
                found = downloads(s3, location, path) if recursive else [download(s3, location, path)]
            _move(s3, found, up=up)
        except OSError as fault:
            raise OperatorError(f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault)) from None


def _move(s3: "S3Client", transfers: Iterable["Transfer"], *, up: bool) -> None:
    from boto3.s3.transfer import TransferConfig
    from rich.progress import DownloadColumn, TransferSpeedColumn

    from appliance.quantity import MIB
    from gateway.cli.output import progress
    from gateway.cli.s3_session import WIDTH
    from gateway.cli.transfers import run_all

    config = TransferConfig(multipart_threshold=64 * MIB, multipart_chunksize=16 * MIB, max_concurrency=4)
    with progress(DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("copied", total=0)

        def advance(count: int) -> None:
            bar.advance(task, count)

        def perform(transfer: "Transfer") -> None:
            bucket, key = transfer.location
            if up:
                s3.upload_file(str(transfer.file), bucket, key, Callback=advance, Config=config)
            else:
                transfer.file.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, key, str(transfer.file), Callback=advance, Config=config)

        def announced() -> Iterable["Transfer"]:
            total = 0
            for transfer in transfers:
                total += transfer.size
                bar.update(task, total=total)
                yield transfer

        run_all(announced(), perform, WIDTH)

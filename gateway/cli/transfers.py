"""What `packstone cp` has to move, found as it goes, and moved several at a time."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from appliance.errors import OperatorError
from gateway.cli.location import Location

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class Transfer(NamedTuple):
    """One file and the object it becomes or comes from; `size` in bytes."""

    file: Path
    location: Location
    size: int


def upload(source: Path, destination: Location) -> Transfer:
    """The transfer of one file to a key, or below a folder (a key that is empty or ends with a slash)."""
    if not source.is_file():
        raise OperatorError(f"{source}: there is no such file" + (" (use -r)" if source.is_dir() else ""))
    whole = destination.key and not destination.key.endswith("/")
    key = destination.key if whole else destination.key + source.name
    return Transfer(source, Location(destination.bucket, _sendable(key, source)), source.stat().st_size)


def uploads(source: Path, destination: Location) -> Iterator[Transfer]:
    """The transfers of every regular file below the directory `source`; links to directories aren't followed."""
    if not source.is_dir():
        raise OperatorError(f"{source}: there is no such directory")
    for folder, subfolders, names in os.walk(source, onerror=_raise):
        subfolders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():
                key = destination.folder + file.relative_to(source).as_posix()
                yield Transfer(file, Location(destination.bucket, _sendable(key, file)), file.stat().st_size)


def download(s3: "S3Client", source: Location, destination: Path) -> Transfer:
    """The transfer of one object to a file, or into an existing directory under the last part of its key."""
    try:
        size = s3.head_object(Bucket=source.bucket, Key=source.key)["ContentLength"]
    except s3.exceptions.ClientError as fault:
        # A HEAD has no body, so that its answer names no reason.
        if fault.response.get("Error", {}).get("Code") == "404":
            raise OperatorError(f"{source}: there is no such object") from None
        raise
    file = destination / _local(source.name, source) if destination.is_dir() else destination
    return Transfer(file, source, size)


def downloads(s3: "S3Client", source: Location, destination: Path) -> Iterator[Transfer]:
    """The transfers of every object below `source`; `dir/` markers are left out.

    Raises OperatorError on a key that is no relative path inside `destination`.
    """
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.folder):
        for entry in page.get("Contents", []):
            location = Location(source.bucket, entry["Key"])
            below = location.key.removeprefix(source.folder)
            if below and not below.endswith("/"):
                yield Transfer(destination / _local(below, location), location, entry["Size"])


def run_all(transfers: Iterable[Transfer], perform: Callable[[Transfer], None], width: int) -> None:
    """Perform transfers, `width` at a time and never holding more than a few times that; stop at the first fault."""
    pending: set[Future[None]] = set()
    with ThreadPoolExecutor(width, thread_name_prefix="transfer") as pool:
        try:
            for transfer in transfers:
                if len(pending) >= 4 * width:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                pending.add(pool.submit(perform, transfer))
            for future in pending:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _local(key: str, location: Location) -> Path:
    if any(part in ("", ".", "..") or "\0" in part for part in key.split("/")):
        raise OperatorError(f"{location}: this key is no path of a file; copy it by itself, to a file you name")
    return Path(key)


def _sendable(key: str, file: Path) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise OperatorError(f"{os.fsencode(file)!r}: this name isn't UTF-8, which keys are: rename the file") from None
    return key


def _raise(fault: OSError) -> None:
    raise fault

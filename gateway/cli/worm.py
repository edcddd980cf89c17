"""`packstone worm`: what can't be removed, for those who have to show it."""

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.approval import approve_time
from gateway.cli.ledger import ledger
from gateway.cli.options import CsvOption, DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.control.documents import LockableDocument, LockedDocument, WormEvent

    Entry = tuple[LockableDocument, LockedDocument | None]

app: Final = typer.Typer(help="Retention and legal holds.", no_args_is_help=True)

COLUMNS: Final = ("bucket", "key", "version", "size", "modified", "mode", "retain_until", "legal_hold")
app.command("approve-time")(approve_time)
app.command("ledger")(ledger)


@app.callback()
def worm() -> None:
    """Retention and legal holds."""


@app.command("report")
def report(data: DataOption = None, as_csv: CsvOption = False, as_json: JsonOption = False) -> None:
    """Tell what is locked until when, by bucket, on the node that serves DIR. Asks over DIR/control.sock.

    A table of the buckets with object lock; with --csv or --json every version that may not end. Dates are those of
    the compliance clock. Ends with exit code 1 if the report isn't complete.
    """
    from gateway.cli.control_client import ControlClient

    if as_csv and as_json:
        raise OperatorError("--csv and --json: choose one")
    with ControlClient(data) as node:
        entries = _entries(node.locked())
        if as_csv:
            _write_csv(entries)
        elif as_json:
            _write_json(entries)
        else:
            _show(entries)


def _entries(events: "Iterable[WormEvent]") -> "Iterator[Entry]":
    """Each bucket once by itself, then with each of its locked versions."""
    bucket: LockableDocument | None = None
    for event in events:
        if event.bucket is not None:
            bucket = event.bucket
            yield bucket, None
        elif event.version is not None and bucket is not None:
            yield bucket, event.version


def _write_csv(entries: "Iterable[Entry]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for bucket, version in entries:
        if version is not None:
            shown = version.model_dump(mode="json")
            values = (shown[column] for column in COLUMNS[1:])
            writer.writerow([bucket.name, *("" if value is None else value for value in values)])


def _write_json(entries: "Iterable[Entry]") -> None:
    """An array of buckets, written as it comes: one line a version."""
    from gateway.cli.output import print_line

    before, separator = "[", ""
    for bucket, version in entries:
        if version is None:
            print_line(before)
            sys.stdout.write(f'{bucket.model_dump_json()[:-1]},"versions":[')
            before = "]},"
            separator = "\n"
        else:
            sys.stdout.write(separator + version.model_dump_json())
            separator = ",\n"
    print_line("[]" if before == "[" else "]}\n]")


def _show(entries: "Iterable[Entry]") -> None:
    from appliance.quantity import format_size
    from gateway.cli.output import print_line, print_table, table

    buckets: dict[str, _Summary] = {}
    for bucket, version in entries:
        summary = buckets.setdefault(bucket.name, _Summary(bucket))
        if version is not None:
            summary.add(version)
    if not buckets:
        print_line("no bucket has object lock")
        return
    shown = table(
        "", "Bucket", "Default", "Locked", "Held", "Size", "First ends", "Last ends", numbers=("Locked", "Held", "Size")
    )
    shown.title = None
    for name, summary in buckets.items():
        sizes = (str(summary.locked), str(summary.held), format_size(summary.size))
        shown.add_row(name, summary.default, *sizes, summary.first or "", summary.last or "")
    print_table(shown)


class _Summary:
    """What is locked in one bucket; versions and bytes count once, whatever holds them."""

    def __init__(self, bucket: "LockableDocument") -> None:
        period = f"{bucket.days} days" if bucket.days is not None else f"{bucket.years} years"
        self.default = "none" if bucket.mode is None else f"{bucket.mode} {period}"
        self.locked = self.held = self.size = 0
        self.first: str | None = None
        self.last: str | None = None

    def add(self, version: "LockedDocument") -> None:
        self.size += version.size
        self.held += version.legal_hold
        if version.retain_until is not None:
            self.locked += 1
            end = f"{version.retain_until:%Y-%m-%d %H:%M:%S}"
            self.first, self.last = min(self.first or end, end), max(self.last or end, end)

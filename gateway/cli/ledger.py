"""`packstone worm ledger`: who loosened what held a version, and who had the compliance clock go on."""

import csv
import sys
from typing import TYPE_CHECKING, Final

from appliance.errors import OperatorError
from gateway.cli.options import CsvOption, DataOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.control.documents import LedgerEventDocument

COLUMNS: Final = (
    "lsn",
    "at",
    "compliance",
    "actor",
    "deed",
    "bucket",
    "key",
    "version",
    "mode",
    "retain_until",
    "new_mode",
    "new_retain_until",
    "time",
)


def ledger(data: DataOption = None, as_csv: CsvOption = False, as_json: JsonOption = False) -> None:
    """Tell who ended or loosened what GOVERNANCE held, took off a legal hold, or approved a time of the clock.

    Oldest first, on the node that serves DIR, over DIR/control.sock. The ledger is never shortened.
    """
    from gateway.cli.control_client import ControlClient

    if as_csv and as_json:
        raise OperatorError("--csv and --json: choose one")
    with ControlClient(data) as node:
        events = node.worm_ledger()
        if as_csv:
            _write_csv(events)
        elif as_json:
            _write_json(events)
        else:
            _show(events)


def _write_csv(events: "Iterable[LedgerEventDocument]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in events:
        shown = event.model_dump(mode="json")
        writer.writerow(["" if shown[column] is None else shown[column] for column in COLUMNS])


def _write_json(events: "Iterable[LedgerEventDocument]") -> None:
    """An array, written as it comes: one line an event."""
    from gateway.cli.output import print_line

    before = "["
    for event in events:
        sys.stdout.write(before + "\n" + event.model_dump_json())
        before = ","
    print_line("[]" if before == "[" else "\n]")


def _show(events: "Iterable[LedgerEventDocument]") -> None:
    from gateway.cli.output import print_line, print_table, table

    shown = table("", "When", "Who", "Did", "What")
    shown.title = None
    for event in events:
        shown.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", event.actor, event.deed, _told(event))
    if shown.row_count:
        print_table(shown)
    else:
        print_line("nothing was loosened")


def _told(event: "LedgerEventDocument") -> str:
    if event.time is not None:
        return f"compliance clock to {event.time:%Y-%m-%d %H:%M:%S}"
    place = f"{event.bucket}/{event.key} version {event.version}"
    if event.deed == "released":
        return f"{place}: legal hold"
    before = f"{event.mode} until {event.retain_until:%Y-%m-%d %H:%M:%S}"
    if event.deed == "ended":
        return f"{place}: {before}"
    if event.new_retain_until is None:
        return f"{place}: {before}, then nothing"
    return f"{place}: {before}, then {event.new_mode} until {event.new_retain_until:%Y-%m-%d %H:%M:%S}"

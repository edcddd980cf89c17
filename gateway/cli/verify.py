"""`packstone verify`: read what is stored, and check it."""

from typing import TYPE_CHECKING, Annotated

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.cli.control_client import ControlClient
    from gateway.control.documents import VerifyDocument

SampleOption = Annotated[
    float, typer.Option("--sample", min=0.000001, max=1.0, metavar="SHARE", help="Share of segments, up to 1.")
]


def verify(data: DataOption = None, sample: SampleOption = 1.0, as_json: JsonOption = False) -> None:
    """Read and check every shard and record of the node that serves DIR, or a sample. Asks over DIR/control.sock.

    Ends with exit code 1 when anything is wrong.
    """
    from appliance.quantity import format_size
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        report = _await_report(node, sample)
    if as_json:
        print_line(report.model_dump_json(indent=2))
    else:
        for fault in report.faults:
            print_line(f"fault: {fault}")
        for name in report.lost:
            print_line(f"lost: {name}")
        checked = f"{report.records} records, {format_size(report.bytes)}, in {report.segments} segments"
        print_line(f"{checked}: {len(report.faults)} faults, {len(report.lost)} objects lost")
    if report.faults or report.lost:
        raise typer.Exit(1)


def _await_report(node: "ControlClient", sample: float) -> "VerifyDocument":
    from gateway.cli.output import progress

    with progress() as bar:
        task = bar.add_task("segments", total=None)
        for event in node.verify(sample):
            if event.fault is not None:
                raise OperatorError(event.fault)
            if event.report is not None:
                return event.report
            bar.update(task, completed=event.done, total=event.total)
    raise OperatorError("the node stopped before the verification ended")

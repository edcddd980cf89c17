"""`packstone worm approve-time`: a time that two administrators approve, for a compliance clock that lags."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, EndpointOption

if TYPE_CHECKING:
    from gateway.cli.query_api import Answer

ACTION: Final = "ApproveComplianceTime"

TimeArgument = Annotated[
    datetime, typer.Argument(metavar="TIME", formats=["%Y-%m-%dT%H:%M:%SZ"], help="In UTC, as 2026-01-31T23:59:59Z.")
]


def approve_time(time: TimeArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Approve, with your own credentials in the AWS_* variables, that the compliance clock go on to TIME.

    It does once two users have approved the same TIME within a week. Each needs leave for
    packstone:ApproveComplianceTime and an access key that is a week old by that clock. TIME must have come by the
    machine's clock as well.
    """
    from gateway.cli.output import print_line

    answer = _ask(f"{time:%Y-%m-%dT%H:%M:%SZ}", data, endpoint)
    clock = datetime.fromisoformat(answer["ComplianceTime"]).astimezone(UTC)
    if answer["GoesOn"] == "true":
        print_line(f"compliance clock {clock:%Y-%m-%d %H:%M:%S} UTC")
    else:
        until = datetime.fromisoformat(answer["StandsUntil"]).astimezone(UTC)
        print_line(
            f"approved; another administrator has to approve the same time before the clock, now at "
            f"{clock:%Y-%m-%d %H:%M:%S} UTC, comes to {until:%Y-%m-%d %H:%M:%S}"
        )


def _ask(time: str, data: Path | None, endpoint: str | None) -> "Answer":
    from gateway.cli.control_client import ControlClient
    from gateway.cli.query_api import call

    if endpoint is not None and data is not None:
        raise OperatorError("--data and --endpoint name two servers: give one")
    if endpoint is not None:
        return call(endpoint, None, ACTION, {"Time": time})
    with ControlClient(data) as node:
        connection = node.connection()
    return call(connection.endpoint, connection.certificate, ACTION, {"Time": time})

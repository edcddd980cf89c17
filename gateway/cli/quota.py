"""`packstone bucket quota`, `packstone user quota`: how much a bucket may hold, or all of a user's together."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from appliance.errors import OperatorError
from appliance.quantity import format_size, parse_size
from gateway.cli.options import DataOption, JsonOption

if TYPE_CHECKING:
    from gateway.control.documents import QuotaDocument

Whose = Literal["bucket", "user"]


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None


BytesOption = Annotated[
    Any,
    typer.Option(
        "--bytes", metavar="SIZE", parser=_size, help="The most bytes, such as '10 GiB'; without: any number."
    ),
]
ObjectsOption = Annotated[int | None, typer.Option(min=0, help="The most objects; without: any number.")]


def quota_app(whose: Whose) -> typer.Typer:
    """The commands on the quotas of buckets, or of users."""
    of_what = "a bucket" if whose == "bucket" else "all buckets that a user made, together,"
    name_argument: Final = typer.Argument(metavar=whose.upper(), help=f"The {whose}'s name.")
    app: Final = typer.Typer(help=f"How much {of_what} may hold.", no_args_is_help=True)

    @app.command("set", help=f"Set how much {of_what} may hold, in place of what was set before.")
    def set_quota(
        name: Annotated[str, name_argument],
        size: BytesOption = None,
        objects: ObjectsOption = None,
        data: DataOption = None,
    ) -> None:
        if size is None and objects is None:
            raise OperatorError("say --bytes, --objects or both; `quota clear` takes a quota away")
        _put(whose, name, size, objects, data)

    @app.command("show", help=f"Show how much {of_what} may hold, and how much there is.")
    def show_quota(name: Annotated[str, name_argument], data: DataOption = None, as_json: JsonOption = False) -> None:
        from gateway.cli.control_client import ControlClient
        from gateway.cli.output import print_line

        with ControlClient(data) as node:
            quota = node.quota(whose, name)
        print_line(quota.model_dump_json(indent=2) if as_json else _told(quota))

    @app.command("clear", help=f"Let {of_what} hold any number of bytes and objects.")
    def clear_quota(name: Annotated[str, name_argument], data: DataOption = None) -> None:
        _put(whose, name, None, None, data)

    return app


def _put(whose: Whose, name: str, size: int | None, objects: int | None, data: Any) -> None:
    from gateway.cli.control_client import ControlClient

    with ControlClient(data) as node:
        node.set_quota(whose, name, size, objects)


def _told(quota: "QuotaDocument") -> str:
    size = "no limit" if quota.bytes is None else f"of {format_size(quota.bytes)}"
    objects = "no limit" if quota.objects is None else f"of {quota.objects}"
    return f"bytes: {format_size(quota.used_bytes)}, {size}\nobjects: {quota.used_objects}, {objects}"

"""`packstone init`: make a new appliance on drives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption

if TYPE_CHECKING:
    from appliance.configuration import PoolSection

Drives = Annotated[
    list[Path] | None,
    typer.Option("--drive", metavar="PATH", help="A mounted directory; once for each drive of the pool."),
]


def init(
    data: DataOption = None,
    drive: Drives = None,
    pool: Annotated[str, typer.Option(metavar="NAME", help="The pool's name.")] = "main",
    profile: Annotated[str, typer.Option(metavar="K+M", help="Any M drives of the pool may be lost.")] = "3+1",
    drive_class: Annotated[Literal["ssd", "hdd"], typer.Option("--class", help="Class of the pool's drives.")] = "ssd",
    allow_no_parity: Annotated[
        bool, typer.Option("--allow-no-parity", help="Accept K+0: the loss of any drive loses data.")
    ] = False,
    confirm_time: Annotated[
        bool, typer.Option("--confirm-time", help="The machine's clock is right: don't ask.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Make a new appliance: write superblocks to empty drives, and DIR/packstone.toml with their pool.

    Without --drive, the pools of the configuration file are initialised, or, if it has none, the embedded default: four
    directories in DIR, profile 3+1. For several pools, write them into the configuration file first.

    Retention is counted on a clock that begins at the machine's time and can't be set later, so that time is shown and
    has to be confirmed.
    """
    from appliance.configuration_sources import FILE_NAME, load
    from appliance.data_lock import DataLock
    from appliance.drives import initialise, loss_warnings

    configuration = load(data, config)
    with DataLock(configuration.data):
        if not confirm_time:
            _confirm_time()
        if drive:
            if not configuration.is_embedded:
                raise OperatorError("the configuration names pools already: leave --drive out to initialise those")
            if config is not None:
                raise OperatorError("--drive writes DIR/packstone.toml: leave --config out, or name the pools in it")
            drives = [path.absolute() for path in drive]
            section: dict[str, object] = {"name": pool, "class": drive_class, "profile": profile, "drives": drives}
            configuration = load(configuration.data, command_line={"pools": [section]})
            with _written(configuration.data / FILE_NAME, configuration.pools[0]):
                appliance = initialise(configuration, allow_no_parity=allow_no_parity)
        else:
            appliance = initialise(configuration, allow_no_parity=allow_no_parity)
        for warning in loss_warnings(configuration):
            typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"appliance {appliance} made in {configuration.data}; start it with:")
    named = "" if config is None else f" --config {config}"
    typer.echo(f"  packstone serve --data {configuration.data}{named}")


def _confirm_time() -> None:
    """Have the operator look at the machine's clock. Raises OperatorError unless they say that it is right."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    try:
        right = typer.confirm(f"The machine's clock says {now}. Is that right?", err=True)
    except typer.Abort:
        raise OperatorError(f"nobody confirmed the time, {now}: where it is right, add --confirm-time") from None
    if not right:
        raise OperatorError("set the machine's clock first: retention is counted from it, and it can't be set later")


@contextmanager
def _written(file: Path, pool: "PoolSection") -> Iterator[None]:
    """The configuration file with `pool` added; as it was before, should what depends on it fail.

    It is written first: after a crash in between, `init` without --drive goes on with the pool that it names.
    """
    from appliance.private_file import write_private

    before = file.read_text("utf-8") if file.exists() else None
    write_private(file, _pool_text(pool) if before is None else f"{before}\n{_pool_text(pool)}")
    try:
        yield
    except BaseException:
        if before is None:
            file.unlink()
        else:
            write_private(file, before)
        raise


def _pool_text(pool: "PoolSection") -> str:
    # A JSON string is a TOML string, as far as paths go.
    drives = "".join(f"    {json.dumps(str(drive))},\n" for drive in pool.drives)
    return (
        "[[pools]]\n"
        f'name = "{pool.name}"\n'
        f'class = "{pool.drive_class}"\n'
        f'profile = "{pool.profile}"\n'
        f"drives = [\n{drives}]\n"
    )

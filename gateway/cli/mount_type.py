"""`mount.packstone`: what mount(8) runs for a file system of the type `packstone`, as a line of /etc/fstab has it.

It answers once the mount is there, and a process of its own serves that from then on.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from appliance.errors import OperatorError
from gateway.cli.mount import LONGEST_BELIEF, node_at, node_here, serve_mount

_FAILED: Final = 32
"""What mount(8) takes for a mount that failed."""
_KERNELS: Final = {"allow_other", "ro", "nosuid", "nodev", "noexec", "noatime", "sync"}
_OTHERS: Final = {"", "rw", "defaults", "auto", "noauto", "nofail", "_netdev", "nouser", "relatime", "async"}
"""What is said to others than the mount, or is so in any case."""

SpecArgument = Annotated[str, typer.Argument(metavar="NODE", help="S3 endpoint, or data directory, of the node.")]
MountpointArgument = Annotated[Path, typer.Argument(metavar="MOUNTPOINT", help="An empty directory.")]
OptionsOption = Annotated[
    list[str],
    typer.Option(
        "-o",
        metavar="OPTION,…",
        help="credentials=FILE, profile=NAME, ca=FILE, user=NAME, device=NUMBER, believe=SECONDS, exclusive, sync, "
        "allow_other, ro, and mount(8)'s own.",
    ),
]
FakeOption = Annotated[bool, typer.Option("-f", help="Do all but the mount.")]
VerboseOption = Annotated[bool, typer.Option("-v", help="Taken, as mount(8) gives it.")]
SloppyOption = Annotated[bool, typer.Option("-s", help="Leave out options that there are not.")]
UnlistedOption = Annotated[bool, typer.Option("-n", help="Taken, as mount(8) gives it.")]
TypeOption = Annotated[str, typer.Option("-t", metavar="TYPE", help="Taken, as mount(8) gives it.")]

app: Final = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


@dataclass
class _Options:
    """What a line of /etc/fstab says, apart."""

    named: dict[str, str] = field(default_factory=dict)
    kernels: set[str] = field(default_factory=set)
    exclusive: bool = False

    def path(self, name: str) -> Path | None:
        return Path(self.named[name]) if name in self.named else None

    @property
    def device(self) -> int | None:
        number = self.named.get("device")
        if number is None:
            return None
        if not number.isdecimal() or not 1 <= int(number) < 1 << 16:
            raise OperatorError(f"device={number}: a number from 1 to 65535")
        return int(number)

    @property
    def believed(self) -> float:
        text = self.named.get("believe", "1")
        try:
            believed = float(text)
        except ValueError:
            believed = -1
        if not 0 <= believed <= LONGEST_BELIEF:
            raise OperatorError(f"believe={text}: seconds, from 0 to {LONGEST_BELIEF}")
        return believed


def _parse(given: Sequence[str], known: set[str], *, sloppy: bool) -> _Options:
    options = _Options()
    for option in (option for text in given for option in text.split(",")):
        name, has_value, value = option.partition("=")
        if option in _KERNELS:
            options.kernels.add(option)
        elif name in known and has_value:
            options.named[name] = value
        elif option == "exclusive" and option in known:
            options.exclusive = True
        elif option not in _OTHERS and not name.startswith(("x-", "comment")) and not sloppy:
            raise OperatorError(f"there is no option {option} of such a mount")
    return options


@app.command()
def mount_type(
    spec: SpecArgument,
    mountpoint: MountpointArgument,
    given: OptionsOption = [],  # noqa: B006 - typer copies it
    fake: FakeOption = False,
    verbose: VerboseOption = False,
    sloppy: SloppyOption = False,
    unlisted: UnlistedOption = False,
    of_type: TypeOption = "",
) -> None:
    """Mount the buckets of a node, each a directory; a process in the background serves the mount until it ends."""
    from appliance.configuration import LogSection

    log = LogSection()
    if spec.startswith(("https://", "http://")):
        options = _parse(given, {"credentials", "profile", "ca", "device", "believe"}, sloppy=sloppy)
        connect = node_at(spec, options.path("ca"), options.named.get("profile"), options.path("credentials"))
    else:
        options = _parse(given, {"user", "device", "believe", "exclusive"}, sloppy=sloppy)
        user = options.named.get("user", "")
        connect, log = node_here(Path(spec).absolute(), None, user, exclusive=options.exclusive)
    device, believed = options.device, options.believed
    if fake:
        return
    here, there = os.pipe()
    if (child := os.fork()) != 0:
        os.close(there)
        _expect_mounted(here, child)
        return
    os.close(here)
    os.setsid()
    point = mountpoint.absolute()
    os.chdir("/")

    def ready() -> None:
        os.write(there, b"+")
        os.close(there)
        _leave_terminal()

    serve_mount(
        connect,
        point,
        log,
        name=spec,
        options=options.kernels,
        device=device,
        sync="sync" in options.kernels,
        exclusive=options.exclusive,
        believed=believed,
        ready=ready,
    )


def _expect_mounted(told: int, child: int) -> None:
    with os.fdopen(told, "rb") as pipe:
        if pipe.read(1):
            return
    os.waitpid(child, 0)
    # It has said why.
    raise typer.Exit(_FAILED)


def _leave_terminal() -> None:
    """Keep no terminal or pipe of whoever mounted; under systemd, the log goes on to its journal."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1) if "JOURNAL_STREAM" in os.environ else (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Mount, and end the process as mount(8) expects: 0 mounted, 1 a wrong call, 32 it failed and said why."""
    try:
        app(arguments, prog_name="mount.packstone", standalone_mode=True)
    except OperatorError as fault:
        sys.stderr.write(f"mount.packstone: {fault}\n")
        sys.exit(_FAILED)
    sys.exit(0)

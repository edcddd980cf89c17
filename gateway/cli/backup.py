"""`packstone backup` and `packstone restore`: a node's configuration in a file, sealed under a passphrase."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import ConfigOption, DataOption

backup: Final = typer.Typer(help="Copies to recover from.", no_args_is_help=True)
restore: Final = typer.Typer(help="Recover from copies.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup file.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="PATH",
        help="Read the passphrase from this file.",
        show_default="PACKSTONE_BACKUP_PASSPHRASE, or ask",
    ),
]


@backup.callback()
def copies() -> None:
    """Copies to recover from."""


@restore.callback()
def recovery() -> None:
    """Recover from copies."""


@backup.command("config")
def backup_config(
    file: FileArgument, passphrase_file: PassphraseOption = None, data: DataOption = None, config: ConfigOption = None
) -> None:
    """Write the configuration of the node that serves DIR to FILE: no objects, but all that is needed around them.

    Buckets with their configurations; users, groups, roles, policies and access keys; and the configuration file. All
    of it is sealed under a passphrase of 12 characters or more, which recovery on another node needs: keep it apart
    from FILE. Asks over DIR/control.sock.
    """
    import packstone_engine

    from appliance.backup_file import BackupContents, passphrase_of, write_backup
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        settings = _settings(node.data, config)
        appliance = node.status().appliance
        taken = node.configuration()
    passphrase = passphrase_of(passphrase_file) or _asked(confirm=True)
    contents = BackupContents(
        appliance=appliance,
        release=packstone_engine.__version__,
        taken=time.time(),
        settings=settings,
        node=taken.configuration,
    )
    write_backup(file, contents, passphrase)
    for key in taken.left_out:
        typer.echo(f"warning: access key {key} is sealed under another master key: it was left out", err=True)
    print_line(f"{taken.buckets} buckets and {taken.identities} users, groups, roles and policies in {file}")


@restore.command("config")
def restore_config(file: FileArgument, passphrase_file: PassphraseOption = None, data: DataOption = None) -> None:
    """Put the buckets and identities of FILE on the node that serves DIR, which must have none.

    Buckets are made empty, with their configurations; access keys work with the secrets that they had. Root keeps the
    credentials of the new node. A restore that was cut off is ended by the same command with the same file. Asks over
    DIR/control.sock.
    """
    from appliance.backup_file import passphrase_of, read_backup
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    contents = read_backup(file, passphrase_of(passphrase_file) or _asked(confirm=False))
    with ControlClient(data) as node:
        restored = node.restore_configuration(contents.node)
    print_line(f"{restored.buckets} buckets and {restored.identities} users, groups, roles and policies restored")


@restore.command("settings")
def restore_settings(
    file: FileArgument,
    target: Annotated[Path, typer.Argument(metavar="TOML", help="Where to write them; must not exist.")],
    passphrase_file: PassphraseOption = None,
) -> None:
    """Write the configuration file that FILE holds to TOML, to make the new node's from. No node is asked."""
    from appliance.backup_file import passphrase_of, read_backup
    from appliance.private_file import write_private
    from gateway.cli.output import print_line

    contents = read_backup(file, passphrase_of(passphrase_file) or _asked(confirm=False))
    if not contents.settings:
        raise OperatorError(f"{file}: the node had no configuration file")
    if target.exists():
        raise OperatorError(f"{target}: exists already: name another file, or remove it")
    try:
        write_private(target, contents.settings)
    except OSError as fault:
        raise OperatorError(f"{target}: can't be written: {fault.strerror or fault}") from None
    print_line(f"the configuration file of appliance {contents.appliance} in {target}")


def _settings(data: Path, config: Path | None) -> str:
    from appliance.configuration_sources import FILE_NAME

    file = data / FILE_NAME if config is None else config
    try:
        return file.read_text("utf-8") if config is not None or file.exists() else ""
    except (OSError, UnicodeDecodeError) as fault:
        raise OperatorError(f"{file}: can't be read: {fault}") from None


def _asked(*, confirm: bool) -> str:
    try:
        answer: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    except typer.Abort:
        raise OperatorError(
            "a passphrase is needed: use a terminal, --passphrase-file, or PACKSTONE_BACKUP_PASSPHRASE"
        ) from None
    return answer

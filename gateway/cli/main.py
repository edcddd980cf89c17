"""The command line as a whole: its commands, and how a fault ends it."""

import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import typer

from appliance.errors import OperatorError
from gateway.cli import (
    backup,
    bucket,
    checkpoint,
    copy,
    drive,
    group,
    index,
    initialise,
    key,
    kms,
    listing,
    lost,
    mount,
    nfs,
    pin,
    policy,
    pool,
    provider,
    remove,
    root,
    seal,
    serve,
    status,
    user,
    verify,
    worm,
)

app: Final = typer.Typer(
    name="packstone",
    help="S3 object storage that packs small files into erasure-coded segments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(initialise.init)
app.command("serve")(serve.serve)
app.command("mount")(mount.mount)
app.command("pin")(pin.pin)
app.add_typer(nfs.app, name="nfs")
app.command("status")(status.status)
app.command("seal")(seal.seal)
app.command("checkpoint")(checkpoint.checkpoint)
app.command("verify")(verify.verify)
app.command("lost")(lost.lost)
app.command("rebuild-index")(index.rebuild_index)
app.add_typer(bucket.app, name="bucket")
app.add_typer(drive.app, name="drive")
app.add_typer(pool.app, name="pool")
app.command("cp")(copy.cp)
app.command("ls")(listing.ls)
app.command("rm")(remove.rm)
app.add_typer(user.app, name="user")
app.add_typer(group.app, name="group")
app.add_typer(policy.app, name="policy")
app.add_typer(key.app, name="key")
app.add_typer(kms.app, name="kms")
app.add_typer(provider.app, name="provider")
app.add_typer(root.app, name="root")
app.add_typer(worm.app, name="worm")
app.add_typer(backup.backup, name="backup")
app.add_typer(backup.restore, name="restore")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process.

    Exit codes: 0 done; 1 a fault that the operator can mend, told in one line; 2 a bad argument or configuration;
    130 interrupted. Any other exception is a bug and keeps its traceback.
    """
    try:
        app(arguments, prog_name="packstone")
    except OperatorError as fault:
        sys.stderr.write(f"packstone: {fault}\n")
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)

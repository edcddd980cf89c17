"""People who may approve a time of the compliance clock, and how they do."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from appliance.backup_file import read_backup, write_backup
from tests.iam.conftest import Key, allow, document
from tests.served import PACKSTONE, Node

PASSPHRASE: Final = "correct horse battery"
WEEK: Final = 7 * 86_400
LEAVE: Final = "packstone:ApproveComplianceTime"


@dataclass(frozen=True)
class Administrator:
    """A user with a key, by whom `packstone` is run on a node."""

    key: Key

    def approve(self, node: Node, time: str) -> tuple[int, str]:
        """The exit code of an approval, and what it said."""
        variables = {"AWS_ACCESS_KEY_ID": self.key.access, "AWS_SECRET_ACCESS_KEY": self.key.secret}
        if self.key.token is not None:
            variables["AWS_SESSION_TOKEN"] = self.key.token
        done = subprocess.run(
            [PACKSTONE, "worm", "approve-time", time, "--data", node.data],
            capture_output=True,
            text=True,
            check=False,
            env=node.environment() | variables,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr


def make(node: Node, *names: str, leave: str = LEAVE) -> list[Administrator]:
    """Users with leave to approve, and keys made just now."""
    iam = Key(node.user, node.password).client(node, "iam")
    made = []
    for name in names:
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="approves", PolicyDocument=document(allow(leave, "*")))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append(Administrator(Key(key["AccessKeyId"], key["SecretAccessKey"])))
    return made


@dataclass(frozen=True)
class SeasonedBackup:
    """A backup of a node's identities, as if their keys had been made a week before they were."""

    file: Path
    passphrase: Path

    @classmethod
    def of(cls, node: Node, folder: Path) -> Self:
        """Take it."""
        made = cls(folder / "older", folder / "passphrase")
        made.passphrase.write_text(PASSPHRASE)
        made.passphrase.chmod(0o600)
        taken = folder / "backup"
        node.command("backup", "config", taken, "--passphrase-file", made.passphrase)
        contents = read_backup(taken, PASSPHRASE)
        held: Any = json.loads(contents.node)
        for identity in held["identities"]:
            for key in identity["own"].get("user", {}).get("keys", []):
                key["made"] -= WEEK
        write_backup(made.file, contents.model_copy(update={"node": json.dumps(held)}), PASSPHRASE)
        return made

    def restore(self, node: Node) -> None:
        """Put it on a node that is empty."""
        node.command("restore", "config", self.file, "--passphrase-file", self.passphrase)

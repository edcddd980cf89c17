"""The users that a suite signs as, made by the command line, and the suite's configuration file."""

import json
from configparser import RawConfigParser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.served import REGION, Node

CANONICAL_ID: Final = "7061636b73746f6e652d726f6f740000000000000000000000000000000000aa"
"""What ACLs know the account by, and so every user of it."""
ACCOUNT: Final = "000000000000"
ROOT_NAME: Final = "root"
KMS_KEYS: Final = {"kms_keyid": "conformance-1", "kms_keyid2": "conformance-2"}
KMS: Final = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
"""Answers name a key by its ARN, however a request did."""


@dataclass(frozen=True)
class Person:
    """Somebody who signs, as the suite's configuration describes people."""

    name: str
    user_id: str
    access_key: str
    secret_key: str

    def section(self) -> dict[str, str]:
        """The keys of a section."""
        return {
            "display_name": self.name,
            "user_id": self.user_id,
            "email": f"{self.name}@example.com",
            "access_key": self.access_key,
            "secret_key": self.secret_key,
        }


def root(node: Node) -> Person:
    """The account itself."""
    return Person(ROOT_NAME, CANONICAL_ID, node.user, node.password)


def make_user(node: Node, name: str, *actions: str) -> Person:
    """Make a user who may take `actions` on anything, and a key for it."""
    document = node.data.with_name(f"{name}.json")
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}), "utf-8")
    node.command("user", "make", name)
    node.command("policy", "make", f"of-{name}", document)
    node.command("policy", "attach", f"of-{name}", "--user", name)
    key = json.loads(node.command("key", "make", name, "--json"))
    return Person(name, CANONICAL_ID, key["access_key"], key["secret_key"])


def configure(node: Node, file: Path, *, by_name: bool) -> None:
    """Make who is needed, and write what the suite is told of them and of the node.

    To the suite, what ACLs and what IAM know somebody by is the same; `by_name` chooses the latter.
    """
    main = root(node)
    # Where ACLs aren't what is tested, alt does with buckets as their owner would.
    alt = make_user(node, "alt", *(("s3:*",) if by_name else ("s3:CreateBucket", "s3:ListAllMyBuckets")))
    tenant = make_user(node, "tenant", "s3:*")
    if by_name:
        main, alt = replace(main, user_id=ACCOUNT), replace(alt, user_id=alt.name)
    for key in KMS_KEYS.values():
        node.command("kms", "make", key)
    endpoint = urlsplit(node.endpoint)
    sections: dict[str, dict[str, str]] = {
        "DEFAULT": {
            "host": str(endpoint.hostname),
            "port": str(endpoint.port),
            "is_secure": str(endpoint.scheme == "https"),
            "ssl_verify": "False",
        },
        "fixtures": {
            "bucket prefix": "conformance-{random}-",
            "iam name prefix": "conformance-",
            "iam path prefix": "/conformance/",
        },
        "s3 main": main.section() | {"api_name": ""} | {name: KMS + key for name, key in KMS_KEYS.items()},
        "s3 alt": alt.section(),
        "s3 tenant": tenant.section() | {"tenant": "tenant"},
        "iam": main.section(),
        "iam root": main.section(),
        "iam alt root": alt.section(),
    }
    parser = RawConfigParser()
    parser.read_dict(sections)
    with file.open("w", encoding="utf-8") as out:
        parser.write(out)

"""A node, its root's clients, and people with keys."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.served import REGION, Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_NUMBERS: Final = itertools.count()
ACCOUNT: Final = "000000000000"


def document(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    """A statement that denies."""
    return allow(action, resource, **more) | {"Effect": "Deny"}


@dataclass(frozen=True)
class Key:
    """What somebody signs with."""

    access: str
    secret: str
    token: str | None = None

    def client(self, node: Node, service: str) -> Any:
        """A boto3 client that tries everything once."""
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=node.endpoint,
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            aws_session_token=self.token,
            region_name=REGION,
            verify=node.settings.get("PACKSTONE_S3__TLS_CERTIFICATE"),
            config=Config(
                signature_version="v4" if service != "s3" else "s3v4",
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=30,
            ),
        )

    def s3(self, node: Node) -> "S3Client":
        """A client of S3."""
        made: S3Client = self.client(node, "s3")
        return made


def key_of(credentials: Any) -> Key:
    """The key of a session."""
    return Key(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def anonymous(node: Node) -> "S3Client":
    """A client that doesn't sign."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.session.Session().client("s3", endpoint_url=node.endpoint, region_name=REGION, config=config)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all these tests."""
    made = Node(tmp_path_factory.mktemp("iam") / "data")
    made.start()
    yield made
    made.close()
    assert "Traceback" not in made.log()
    assert "panicked" not in made.log()
    assert " ERROR " not in made.log()


@pytest.fixture(scope="session")
def root(node: Node) -> Key:
    return Key(node.user, node.password)


@pytest.fixture(scope="session")
def iam(node: Node, root: Key) -> "IAMClient":
    made: IAMClient = root.client(node, "iam")
    return made


@pytest.fixture(scope="session")
def sts(node: Node, root: Key) -> "STSClient":
    made: STSClient = root.client(node, "sts")
    return made


@pytest.fixture(scope="session")
def s3(node: Node, root: Key) -> "S3Client":
    return root.s3(node)


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """A bucket of root's with an object `k`."""
    name = f"iam-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"body")
    return name


@pytest.fixture
def user(iam: "IAMClient") -> str:
    """A user without any policy."""
    name = f"user-{next(_NUMBERS)}"
    iam.create_user(UserName=name)
    return name


def make_key(iam: "IAMClient", user: str) -> Key:
    """A new access key of a user."""
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


@pytest.fixture
def key(iam: "IAMClient", user: str) -> Key:
    """The access key of `user`."""
    return make_key(iam, user)


def give(iam: "IAMClient", user: str, *statements: dict[str, Any]) -> None:
    """Make these statements the user's inline policy."""
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=document(*statements))

"""A rename reads and removes the one key, and writes the other."""

import itertools
from typing import TYPE_CHECKING, Final

import pytest
from botocore.exceptions import ClientError

from tests.iam.conftest import Key, allow, deny, give
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

_NUMBERS: Final = itertools.count()
NEEDED: Final = [("s3:GetObject", "a"), ("s3:DeleteObject", "a"), ("s3:PutObject", "b")]


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """A bucket with one object."""
    name = f"rename-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    return name


def test_no_more_leave_is_needed(
    node: Node, iam: "IAMClient", user: str, key: Key, s3: "S3Client", bucket: str
) -> None:
    give(iam, user, *(allow(action, f"arn:aws:s3:::{bucket}/{name}") for action, name in NEEDED))
    key.s3(node).rename_object(Bucket=bucket, Key="b", RenameSource="a")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"x"


@pytest.mark.parametrize(("action", "name"), NEEDED)
def test_each_leave_is_needed(
    node: Node, iam: "IAMClient", user: str, key: Key, s3: "S3Client", bucket: str, action: str, name: str
) -> None:
    give(iam, user, allow("s3:*", "*"), deny(action, f"arn:aws:s3:::{bucket}/{name}"))
    with pytest.raises(ClientError, match="AccessDenied"):
        key.s3(node).rename_object(Bucket=bucket, Key="b", RenameSource="a")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"

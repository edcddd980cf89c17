"""A node for the S3 tests of one session, a client, and a bucket a test."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NUMBERS: Final = itertools.count()


@pytest.fixture(scope="session")
def s3_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all these tests."""
    node = Node(tmp_path_factory.mktemp("s3") / "data", {"PACKSTONE_S3__DOMAINS": '["s3.test"]'})
    node.start()
    yield node
    node.close()
    assert "Traceback" not in node.log()
    assert "panicked" not in node.log()
    assert " ERROR " not in node.log()


@pytest.fixture(scope="session")
def s3(s3_node: Node) -> "S3Client":
    return s3_node.client()


@pytest.fixture
def raw(s3_node: Node) -> Raw:
    """Requests that boto3 would not send."""
    return Raw(s3_node)


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """An empty bucket."""
    name = f"bucket-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    return name

"""A node that is quickly impatient, and a bucket in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Node

SETTINGS = {
    "PACKSTONE_S3__HEADER_TIMEOUT": "1 s",
    "PACKSTONE_S3__BODY_TIMEOUT": "1 s",
    "PACKSTONE_S3__DRAIN_TIMEOUT": "10 s",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for the tests of a file; at the end it still serves, and its log holds no fault of its own."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    node = Node(folder / "data", SETTINGS)
    node.start()
    client = node.client()
    client.create_bucket(Bucket="target")
    yield node
    client.put_object(Bucket="target", Key="still-served", Body=b"1")
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket="target")["Contents"]] == ["still-served"]
    assert node.stop() == 0
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in node.log(), node.log()[-3000:]

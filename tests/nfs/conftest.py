"""A node that is exported by NFS. Its parts come back when they are killed, so that all tests share it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT, Network, refusal
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "ticks"
SETTINGS = {
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
    "PACKSTONE_NFS__ADDRESS": "0.0.0.0:2049",
    # Debian's libnfs reclaims nothing: what it opens by NFS 4 after a restart waits for the end of this.
    "PACKSTONE_NFS__GRACE_PERIOD": "3 s",
}


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """The server's machine and the clients'."""
    why = refusal()
    if why is not None:
        pytest.skip(f"no network namespace can be made here: {why}")
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    made = Network()
    try:
        yield made
    finally:
        made.close()


def _served(scratch: Path, network: Network) -> Iterator[Nfs]:
    settings = SETTINGS | {"PACKSTONE_NFS__DIRECTORY": str(scratch / "run")}
    node = Node(scratch / "data", settings)
    node.start()
    nfs = Nfs(node, network)
    try:
        node.client().create_bucket(Bucket=BUCKET)
        node.command("nfs", "export", "add", BUCKET, "--client", CLIENT[0], "--squash", "none")
        nfs.start()
        yield nfs
    finally:
        if nfs.process is not None:
            nfs.stop()
        node.close()


@pytest.fixture(scope="session")
def nfs(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Iterator[Nfs]:
    """The bucket `ticks`, exported to the first client, root included. Who kills a part of it waits for its return."""
    yield from _served(tmp_path_factory.mktemp("nfs"), network)


@pytest.fixture
def s3(nfs: Nfs) -> "S3Client":
    """A client of the same node."""
    return nfs.node.client()

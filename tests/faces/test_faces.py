"""Random histories through S3, a mount and NFS at once, with kills of each part, against one model.

`PACKSTONE_FACES` says how many; a small number runs the same ones every time.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.faces.face_history import BUCKET, COUNT, LANES
from tests.faces.file_rules import FileRules
from tests.faces.interrupt_rules import InterruptRules
from tests.faces.object_rules import ObjectRules
from tests.fuse.mounted import Mount
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT, Network, refusal
from tests.served import Node

MANY: Final = int(os.environ.get("PACKSTONE_FACES", "200"))
FEW: Final = 4


class History(ObjectRules, FileRules, InterruptRules):
    """All that is done, and whatever else the parts live through."""

    @rule(lane=LANES)
    def look(self, lane: int) -> None:
        self.compare(lane)

    def teardown(self) -> None:
        try:
            while self.handles:
                self.close(0)
            for lane in range(COUNT):
                self.compare(lane)
        finally:
            self.close_nfs()


@pytest.fixture
def nfs(tmp_path: Path) -> Iterator[Nfs]:
    why = refusal()
    if why is not None:
        pytest.skip(f"no network namespace can be made here: {why}")
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    network = Network()
    settings = {
        "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
        "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
        "PACKSTONE_NFS__ADDRESS": "0.0.0.0:2049",
        "PACKSTONE_NFS__GRACE_PERIOD": "2 s",
        "PACKSTONE_NFS__DIRECTORY": str(tmp_path / "run"),
    }
    node = Node(tmp_path / "data", settings)
    node.start()
    made = Nfs(node, network)
    mount = Mount(node, tmp_path / "mount")
    try:
        node.client().create_bucket(Bucket=BUCKET)
        node.command("nfs", "export", "add", BUCKET, "--client", CLIENT[0], "--squash", "none")
        made.start()
        mount.start()
        History.nfs, History.mount, History.s3 = made, mount, node.client()
        yield made
    finally:
        mount.close()
        if made.process is not None:
            made.stop()
        node.close()
        network.close()
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in node.log(), node.log()[-3000:]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("histories", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
def test_no_face_differs_from_the_model(nfs: Nfs, histories: int) -> None:
    few = histories == FEW
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=histories,
            stateful_step_count=50,
            deadline=None,
            derandomize=few,
            database=None,
            phases=[Phase.generate] if few else [Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )

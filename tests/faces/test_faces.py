"""Random histories through S3, a mount and NFS at once, with kills of each part, against one model.

`PACKSTONE_FACES` says how many; a small number runs the same ones every time.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.faces.face_history import BUCKET, COUNT, LANES
from tests.faces.file_rules import FileRules
from tests.faces.handle_rules import HandleRules
from tests.faces.object_rules import ObjectRules
from tests.fuse.mounted import Mount
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT, Network, refusal
from tests.served import Node

MANY: Final = int(os.environ.get("PACKSTONE_FACES", "200"))
FEW: Final = 4
_SECONDS: Final = 30


class History(ObjectRules, FileRules, HandleRules):
    """All that is done, and whatever else the parts live through."""

    @rule(lane=LANES)
    def look(self, lane: int) -> None:
        self.compare(lane)

    @rule(chance=st.integers(min_value=0, max_value=24))
    def disturb(self, chance: int) -> None:
        """Now and then the node seals, or something is killed; of the node, its index may be made anew."""
        if chance == 3:
            self.mount.node.command("seal")
        elif chance in {5, 7}:
            self._kill_node(rebuild=chance == 7)
        elif chance == 11:
            self._kill_mount()
        elif chance in {13, 17}:
            self.nfs.kill_child("ganesha.nfsd" if chance == 13 else "gateway.cli")
        else:
            return
        for lane in range(COUNT):
            self.compare(lane)

    def _kill_node(self, *, rebuild: bool) -> None:
        """What was not published is gone, and with it the handles."""
        before = self.nfs.status()["report"]["ganesha_restarts"]
        self.mount.node.kill()
        if rebuild:
            self.mount.node.command("rebuild-index")
        self.mount.node.start()
        self.nfs.wait_restarted(before)
        type(self).s3 = self.mount.node.client()
        self.mount_nfs()
        self.drop_handles()
        for path, file in self.tree.files.items():
            if file.is_dirty:
                self.compare_key(path, file)
                file.content = file.published
                file.publish()
            self.note(int(path[0]), "node")

    def _kill_mount(self) -> None:
        """What was written is published, as by close."""
        self.mount.kill()
        self.drop_handles()
        self.mount.start()
        for path, file in self.tree.files.items():
            if file.is_dirty:
                deadline = time.monotonic() + _SECONDS
                while self.s3.get_object(**self.at(path))["Body"].read() != file.content:
                    assert time.monotonic() < deadline, path
                    time.sleep(0.05)
                file.publish()
            self.note(int(path[0]), "node")

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
        "PACKSTONE_NFS__GRACE_PERIOD": "3 s",
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

"""Kills of the node, of the mount, of NFS-Ganesha and of the mount that it exports, between two operations."""

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.faces.face_history import BUCKET, COUNT
from tests.faces.handle_rules import HandleRules

VICTIMS: Final = ("node", "mount", "ganesha", "export")
"""What may be killed; `export` is the mount behind Ganesha."""

_PROCESSES: Final = {"ganesha": "ganesha.nfsd", "export": "gateway.cli"}
_SECONDS: Final = 30


class KillRules(HandleRules):
    """What is left is what had been published, or is published then; nothing else changes."""

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
            victim = "ganesha" if chance == 13 else "export"
            self.restart(victim, self.aim(victim)())
            self.rejoin(victim)
        else:
            return
        for lane in range(COUNT):
            self.compare(lane)

    def aim(self, victim: str) -> Callable[[], int]:
        """Ask what has to be known first; what is returned kills at once, and returns how often Ganesha had started."""
        before: int = self.nfs.status()["report"]["ganesha_restarts"]
        pid = self.nfs.child(_PROCESSES[victim]) if victim in _PROCESSES else 0

        def kill() -> int:
            if pid:
                os.kill(pid, signal.SIGKILL)
            elif victim == "node":
                self.mount.node.kill()
            else:
                self.mount.kill()
            return before

        return kill

    def restart(self, victim: str, before: int, *, rebuild: bool = False) -> None:
        """Start again what was killed, and wait until it serves."""
        if victim == "mount":
            self.drop_handles()
            self.mount.start()
            return
        if victim == "node":
            if rebuild:
                self.mount.node.command("rebuild-index")
            self.mount.node.start()
            type(self).s3 = self.mount.node.client()
        self.nfs.wait_restarted(before)

    def rejoin(self, victim: str) -> None:
        """Go on with it, with all clients that don't do so by themselves.

        Those of NFS 3 do, but where the node was restarted, or the number of the device was taken meanwhile.
        """
        if victim == "mount":
            return
        if victim == "node":
            self.drop_handles()
        self.nfs.leave_grace_period(BUCKET)
        if victim == "node" or self.nfs.device() != self.device:
            self.mount_nfs()
        else:
            self.mount_nfs4()

    def _kill_node(self, *, rebuild: bool) -> None:
        """What was not published is gone, and with it the handles."""
        self.restart("node", self.aim("node")(), rebuild=rebuild)
        self.rejoin("node")
        for path, file in self.tree.files.items():
            if file.is_dirty:
                self.compare_key(path, file)
                file.content = file.published
                file.publish()
            self.note(int(path[0]), "node")

    def _kill_mount(self) -> None:
        """What was written is published, as by close."""
        self.restart("mount", self.aim("mount")())
        for path, file in self.tree.files.items():
            if file.is_dirty:
                deadline = time.monotonic() + _SECONDS
                while self.read_object(path) != file.content:
                    assert time.monotonic() < deadline, path
                    time.sleep(0.05)
                file.publish()
            self.note(int(path[0]), "node")

"""Kills of the node, of the mount, of NFS-Ganesha and of the mount that it exports, while operations are under way."""

import time
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Final

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.faces.attempt import Attempt, Running
from tests.faces.face_history import BODIES, COUNT, LANES, OFFSETS, PATHS, PIECES
from tests.faces.file_attempts import FILE_KINDS, FileAttempts
from tests.faces.kill_rules import VICTIMS, KillRules
from tests.faces.object_attempts import OBJECT_KINDS, ObjectAttempts
from tests.faces.plan import Plan

MOMENTS: Final = st.sampled_from((0, 200, 400, 600, 800, 1000, 1300, 1700, 2200, 3000, 5000, 8000, 15_000, 30_000))
"""Microseconds from when operations begin to the kill."""

_SECONDS: Final = 30
_STRUCK: Final = {
    "node": {"mount", "nfs", "nfs4", "s3"},
    "mount": {"mount"},
    "ganesha": {"nfs", "nfs4"},
    "export": {"nfs", "nfs4"},
}
"""Whose operations may fail where that is killed: the others' don't notice."""


def _plans(face: st.SearchStrategy[str], kind: st.SearchStrategy[str]) -> st.SearchStrategy[Plan]:
    which = st.integers(min_value=0, max_value=11)
    return st.builds(Plan, face, kind, LANES, PATHS, which, BODIES, PIECES, OFFSETS)


PLANS: Final = st.lists(
    st.one_of(
        *(_plans(st.just(face), st.sampled_from(FILE_KINDS)) for face in ("mount", "nfs", "nfs4")),
        _plans(st.just("s3"), st.sampled_from(OBJECT_KINDS)),
    ),
    min_size=1,
    max_size=4,
    unique_by=(lambda plan: plan.face, lambda plan: plan.lane),
)


class InterruptRules(KillRules):
    """Each operation happens whole or not at all, but for what `file_attempts` says, and all faces agree on which."""

    @rule(plans=PLANS, victim=st.sampled_from(VICTIMS), moment=MOMENTS)
    def interrupt(self, plans: list[Plan], victim: str, moment: int) -> None:
        """One operation by each of some faces, each in a lane of its own, where nothing is open."""
        while self.handles:
            self.close(0)
        attempts = {plan: attempt for plan in plans if (attempt := self._attempt(plan, victim)) is not None}
        if not attempts:
            return
        for plan in attempts:
            self.come(plan.lane, plan.face)
        kill = self.aim(victim)
        running = {plan: Running(attempt) for plan, attempt in attempts.items()}
        time.sleep(moment / 1_000_000)
        before = kill()
        self.restart(victim, before)
        for plan, run in running.items():
            run.finish(may_fail=plan.face in _STRUCK[victim])
        self.rejoin(victim)
        for lane in range(COUNT):
            self.note(lane, "node")
        for plan, run in running.items():
            may_be_undone = run.attempt.is_early and victim == "node"
            self.adopt(plan.lane, run.attempt, 0 if may_be_undone else run.least)
            self.note(plan.lane, plan.face)
        for lane in range(COUNT):
            self.compare(lane)

    def _attempt(self, plan: Plan, victim: str) -> Attempt | None:
        if plan.face == "s3":
            return ObjectAttempts(self.s3, self.at, self.tree).attempt(plan)
        return FileAttempts(plan.face, self.faces[plan.face], self.tree, victim, self.read_object).attempt(plan)

    def adopt(self, lane: int, attempt: Attempt, least: int) -> None:
        """Have the model be the first outcome, from the least on, that S3 and the mount show.

        What a killed mount had brought to the node is published a moment later: outcomes only ever go forward.
        """
        self.come(lane, "mount")
        deadline = time.monotonic() + _SECONDS
        while (faults := self._adopted(lane, attempt, least)) is not None:
            assert time.monotonic() < deadline, f"{attempt.what}: none of {len(faults)} outcomes; {faults}"
            time.sleep(0.2)

    def _adopted(self, lane: int, attempt: Attempt, least: int) -> Sequence[str] | None:
        """None if it was; else what was other than in each outcome."""
        before, faults = self.tree, []
        seen: bytes | None = None
        with suppress(ClientError):
            seen = self.read_object(attempt.path)
        for outcome in attempt.outcomes[least:]:
            self.tree = deepcopy(before)
            try:
                outcome(self.tree, seen)
                self.compare_keys(lane)
                self.compare_files(self.mounted, lane)
            except (AssertionError, OSError, ClientError) as fault:
                faults.append(str(fault).splitlines()[0])
            else:
                return None
        self.tree = before
        return faults

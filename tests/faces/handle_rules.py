"""What programs do with files that they keep open on the mount."""

import errno
import os
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.faces.face_history import LANES, LEAVES, OFFSETS, PIECES, FaceHistory, Handle, differing

_MOST = 4
WHICH = st.integers(min_value=0, max_value=_MOST - 1)


class HandleRules(FaceHistory):
    """Handles show what was written through them; S3 does once it is published."""

    @rule(lane=LANES, path=LEAVES)
    def open(self, lane: int, path: str) -> None:
        whole = f"{lane}/{path}"
        if self.tree.not_a_file(whole) is None and len(self.handles) < _MOST:
            self.come(lane, "mount")
            self.handles.append(Handle(self.mounted.open(whole, os.O_RDWR), self.tree.files[whole], lane))

    def handle(self, which: int) -> Handle:
        """One of those that are open. Who uses it waits as if by a path: other faces wrote the same file."""
        held = self.handles[which % len(self.handles)]
        self.come(held.lane, "mount")
        return held

    @precondition(lambda self: self.handles)
    @rule(which=WHICH, offset=OFFSETS, piece=PIECES)
    def write(self, which: int, offset: int, piece: bytes) -> None:
        held = self.handle(which)
        assert os.pwrite(held.descriptor, piece, offset) == len(piece)
        held.file.write(offset, piece)
        self.note(held.lane, "mount")

    @precondition(lambda self: self.handles)
    @rule(which=WHICH)
    def read(self, which: int) -> None:
        held = self.handle(which)
        got = os.pread(held.descriptor, len(held.file.content) + 10, 0)
        assert got == held.file.content, differing(got, held.file.content)
        assert os.fstat(held.descriptor).st_size == len(held.file.content)

    @precondition(lambda self: self.handles)
    @rule(which=WHICH)
    def fsync(self, which: int) -> None:
        self._publish(self.handle(which), lambda held: os.fsync(held.descriptor))

    @precondition(lambda self: self.handles)
    @rule(which=WHICH)
    def close(self, which: int) -> None:
        held = self.handle(which)
        self.handles.remove(held)
        self._publish(held, lambda held: os.close(held.descriptor))

    def _publish(self, held: Handle, call: Callable[[Handle], None]) -> None:
        """The first who publishes what has no place any more is told."""
        file = held.file
        may_be_told = file.is_lost and file.is_dirty
        try:
            call(held)
        except OSError as fault:
            assert may_be_told, fault
            assert fault.errno == errno.ESTALE, fault
        else:
            assert not may_be_told or file.was_read
        file.publish()
        self.note(held.lane, "mount")

    def drop_handles(self) -> None:
        """Close them when what they had open is gone."""
        for held in self.handles:
            try:
                os.close(held.descriptor)
            except OSError as fault:
                assert fault.errno in {errno.ESTALE, errno.ENOTCONN}, fault
        self.handles.clear()

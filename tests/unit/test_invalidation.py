"""Names that the kernel is to forget wait for its own questions in their directory."""

import packstone_engine
import pyfuse3
import pytest

from fuse.invalidation import Invalidation
from fuse.look_ahead import LookAhead


class Node:
    """Has nothing to say."""

    def watch(self, believed: float) -> packstone_engine.Watch:
        raise OSError(believed)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What the kernel was told to forget."""
    names: list[tuple[int, bytes]] = []

    def tell(parent: int, name: bytes, *, ignore_enoent: bool) -> None:
        assert ignore_enoent
        names.append((parent, name))

    def ignore(inode: int, *, attr_only: bool) -> None:
        assert inode
        assert attr_only

    monkeypatch.setattr(pyfuse3, "invalidate_entry_async", tell)
    monkeypatch.setattr(pyfuse3, "invalidate_inode", ignore)
    return names


def test_they_are_told_once_the_last_question_is_answered(told: list[tuple[int, bytes]]) -> None:
    invalidation = Invalidation(Node(), 60, LookAhead())  # type: ignore[arg-type]
    with invalidation.holding((1, 1)):
        with invalidation.holding((1, 2)):
            invalidation.forget(1, b"a", 10)
            invalidation.forget(2, b"b", 11)
            invalidation.forget(3, b"c", 12)
            assert told == [(3, b"c")]
        assert told == [(3, b"c"), (2, b"b")]
        invalidation.forget(1, b"a", 10)
    assert told == [(3, b"c"), (2, b"b"), (1, b"a")]
    invalidation.forget(1, b"d", 13)
    assert told[-1] == (1, b"d")


def test_they_are_told_though_the_question_fails(told: list[tuple[int, bytes]]) -> None:
    invalidation = Invalidation(Node(), 60, LookAhead())  # type: ignore[arg-type]

    def fail() -> None:
        with invalidation.holding((1,)):
            invalidation.forget(1, b"a", 10)
            raise pyfuse3.FUSEError(5)

    with pytest.raises(pyfuse3.FUSEError):
        fail()
    assert told == [(1, b"a")]

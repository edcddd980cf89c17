"""An operation that is begun, and then something is killed: what it may leave.

Outcomes are told as steps of the model, from nothing done to all of it. What was answered well is done to the last;
of what wasn't, whoever asked must look. No step lies between where the documents say "whole or not at all".
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tests.faces.tree import File, Tree

_SECONDS: Final = 60
_SERVER_FAULT: Final = 500

Outcome = Callable[[Tree, bytes | None], object]
"""Have the model be as this outcome leaves it, whose object at the path reads so. AssertionError where it can't."""

Reach = Callable[[int], None]
"""Say which outcome is the least from here on."""


@dataclass
class Attempt:
    """What is done through one face to one path."""

    what: str
    path: str
    call: Callable[[Reach], object]
    outcomes: list[Outcome]
    """In their order, the first of nothing done."""
    is_early: bool = False
    """A crash of the node may undo it for some milliseconds after its answer."""


def nothing(tree: Tree, seen: bytes | None) -> None:
    """Nothing is done."""


def written(path: str, offset: int, piece: bytes) -> Outcome:
    """All of a piece is in a file that was there."""

    def outcome(tree: Tree, seen: bytes | None) -> None:
        tree.files[path].write(offset, piece)
        tree.files[path].publish()

    return outcome


def torn(path: str, offset: int, piece: bytes, sizes: Iterable[int], begin: Outcome = nothing) -> Outcome:
    """The same of its first bytes, as many as one of the sizes says, after what `begin` does."""

    def outcome(tree: Tree, seen: bytes | None) -> None:
        begin(tree, seen)
        assert seen is not None
        for size in sizes:
            part = File(tree.files[path].content, 0)
            part.write(offset, piece[:size])
            if part.content == seen:
                written(path, offset, piece[:size])(tree, seen)
                return
        raise AssertionError("not so far")

    return outcome


class Running:
    """An attempt under way, in a thread of its own."""

    def __init__(self, attempt: Attempt) -> None:
        """Begin."""
        self.attempt = attempt
        self.least = 0
        """The index of the outcome that its answers promise."""
        self.fault: Exception | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._begun.wait()

    def _run(self) -> None:
        self._begun.set()
        try:
            self.attempt.call(self._reach)
        except Exception as fault:  # noqa: BLE001 - `finish` judges it
            self.fault = fault
        else:
            self._reach(len(self.attempt.outcomes) - 1)

    def _reach(self, outcome: int) -> None:
        self.least = outcome

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def finish(self, *, may_fail: bool) -> None:
        """Wait for its end; it fails only in ways that leave open what became of it."""
        self._thread.join(_SECONDS)
        assert self.is_over, f"{self.attempt.what} never ends"
        fault = self.fault
        if isinstance(fault, ClientError):
            is_open = fault.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_FAULT
        else:
            is_open = isinstance(fault, OSError | BotoCoreError)
        if fault is not None and not (may_fail and is_open):
            raise AssertionError(f"{self.attempt.what}: {fault!r}") from fault

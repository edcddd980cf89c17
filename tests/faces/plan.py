"""What is to be attempted, before it is known what is there."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.faces.face_history import Body


@dataclass(frozen=True)
class Plan:
    """One operation through one face, in one lane."""

    face: str
    kind: str
    lane: int
    name: str
    """Of what it makes, in the lane."""
    which: int
    """Of what is there, to be changed."""
    body: Body
    piece: Body
    offset: int

    @property
    def path(self) -> str:
        return f"{self.lane}/{self.name}"

    def pick(self, held: Iterable[str]) -> str | None:
        """One of what is there."""
        known = sorted(held)
        return known[self.which % len(known)] if known else None

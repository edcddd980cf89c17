"""A figure of the table: what was asked for, what was reached, and the verdict."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "missed", "not measured", "shown"]


@dataclass(frozen=True)
class Figure:
    """`reached` is in `unit`; without a target it is only shown."""

    what: str
    unit: str
    reached: float | None
    target: float | None = None
    at_least: bool = False
    """Whether the target is a lower bound; else it is an upper one."""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.reached is None:
            return "not measured"
        if self.target is None:
            return "shown"
        met = self.reached >= self.target if self.at_least else self.reached <= self.target
        return "met" if met else "missed"

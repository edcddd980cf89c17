"""Whether the node lives, and whether it should be sent requests."""

from dataclasses import dataclass
from typing import Literal

State = Literal["starting", "serving", "draining"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether to send requests here, and why not (empty while ready)."""

    ready: bool
    reason: str


class Health:
    """The node's state. Written by the thread that runs the node's life; read by any."""

    def __init__(self) -> None:
        """A node that is starting."""
        self.state: State = "starting"

    def readiness(self) -> Readiness:
        """Ready from the moment S3 is served until draining begins."""
        if self.state == "serving":
            return Readiness(ready=True, reason="")
        return Readiness(ready=False, reason=f"the node is {self.state}")

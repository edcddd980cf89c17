"""What a mount keeps of an open file."""

import time
from dataclasses import dataclass
from typing import Final

_COUNTS_FOR: Final = 0.1
"""Seconds: the kernel asks for what it opened at once."""


@dataclass(slots=True)
class OpenFile:
    """What a handle leads to."""

    inode: int
    version: int
    """Of the content that there was when it was opened."""
    writes: bool
    is_changed: bool = False
    """Whether something was written through it since it was last published."""
    content: bytes = b""
    """Of a small file that is only read, what was told with its opening: all of it."""
    changes: int = 0
    """How much the mount had changed when the opening was asked for."""
    until: float = 0

    def told(self, content: bytes, changes: int) -> None:
        """Keep what was told with the opening, for a moment."""
        self.content, self.changes, self.until = content, changes, time.monotonic() + _COUNTS_FOR

    def still_told(self, version: int | None, changes: int) -> bytes:
        """The whole content, if it was told a moment ago and nothing was changed since; b"" otherwise."""
        if not self.content or version != self.version or changes != self.changes or time.monotonic() > self.until:
            return b""
        return self.content

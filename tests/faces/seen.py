"""What a face that shows files says of one."""

import stat
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """A directory, file or symbolic link."""

    mode: int
    """With its type."""
    inode: int
    links: int
    size: int
    modified: int
    """Nanoseconds."""
    content: bytes | None
    """Of a file; of a symbolic link, where it leads, if the face can tell."""
    extended: tuple[tuple[str, bytes], ...] | None = None
    """None where the face knows none."""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

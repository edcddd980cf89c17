"""A face that shows files: the mount, or NFS. What is refused raises OSError."""

from abc import ABC, abstractmethod
from typing import ClassVar

from tests.faces.seen import Seen


class FileFace(ABC):
    """Paths are relative to the history's folder."""

    bound: ClassVar[float]
    """Seconds after which it shows what other faces changed."""
    tells_why: ClassVar[bool]
    """Whether a refusal has the number that POSIX gives it."""

    granule: ClassVar[int] = 1 << 20
    """How many bytes are written at once: what is longer is written in several, the last of them shorter."""

    @abstractmethod
    def create(self, path: str, content: bytes) -> None:
        """Make or empty a file, write it and close it."""

    @abstractmethod
    def patch(self, path: str, offset: int, piece: bytes) -> None:
        """Open a file that is there, write a piece of it and close it."""

    @abstractmethod
    def create_synced(self, path: str, content: bytes) -> None:
        """As `create`; it is durable before it is closed."""

    @abstractmethod
    def patch_synced(self, path: str, offset: int, piece: bytes) -> None:
        """As `patch`; it is durable before it is closed."""

    @abstractmethod
    def append(self, path: str, piece: bytes) -> None:
        """The same at its end."""

    @abstractmethod
    def truncate(self, path: str, size: int) -> None: ...

    @abstractmethod
    def make_directory(self, path: str) -> None: ...

    @abstractmethod
    def remove_directory(self, path: str) -> None: ...

    @abstractmethod
    def unlink(self, path: str) -> None: ...

    @abstractmethod
    def rename(self, source: str, path: str) -> None: ...

    @abstractmethod
    def link(self, source: str, path: str) -> None: ...

    @abstractmethod
    def symlink(self, path: str, target: str) -> None: ...

    @abstractmethod
    def change_mode(self, path: str, mode: int) -> None: ...

    @abstractmethod
    def names(self, path: str) -> list[str]:
        """What a directory lists."""

    @abstractmethod
    def look(self, path: str) -> Seen:
        """All that is told of a path."""

    def walk(self, path: str) -> dict[str, Seen]:
        """All that is below a directory."""
        found: dict[str, Seen] = {}
        for name in self.names(path):
            assert f"{path}/{name}" not in found, f"{path}/{name} is listed twice"
            seen = found[f"{path}/{name}"] = self.look(f"{path}/{name}")
            if seen.is_directory:
                found |= self.walk(f"{path}/{name}")
        return found

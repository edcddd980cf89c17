"""The mount, by the calls of the kernel."""

import mmap
import os
from pathlib import Path
from typing import ClassVar, Final

from tests.faces.file_face import FileFace
from tests.faces.seen import Seen

_MAKES: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class MountFace(FileFace):
    """One folder of it."""

    bound: ClassVar[float] = 1.0
    tells_why: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        """Name the history's folder."""
        self._folder = folder

    def open(self, path: str, flags: int) -> int:
        """A descriptor; a symbolic link is not followed."""
        return os.open(self._folder / path, flags | os.O_NOFOLLOW, 0o644)

    def create(self, path: str, content: bytes) -> None:
        self._write(self.open(path, _MAKES), 0, content)

    def create_synced(self, path: str, content: bytes) -> None:
        self._write(self.open(path, _MAKES), 0, content, synced=True)

    def patch(self, path: str, offset: int, piece: bytes) -> None:
        self._write(self.open(path, os.O_WRONLY), offset, piece)

    def patch_synced(self, path: str, offset: int, piece: bytes) -> None:
        self._write(self.open(path, os.O_WRONLY), offset, piece, synced=True)

    def append(self, path: str, piece: bytes) -> None:
        descriptor = self.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            assert os.write(descriptor, piece) == len(piece)
        finally:
            os.close(descriptor)

    def patch_mapped(self, path: str, offset: int, piece: bytes) -> None:
        """As `patch`, within what is there, by a map."""
        descriptor = self.open(path, os.O_RDWR)
        try:
            with mmap.mmap(descriptor, 0) as mapped:
                mapped[offset : offset + len(piece)] = piece
                mapped.flush()
        finally:
            os.close(descriptor)

    @staticmethod
    def _write(descriptor: int, offset: int, piece: bytes, *, synced: bool = False) -> None:
        try:
            assert os.pwrite(descriptor, piece, offset) == len(piece)
            if synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, path: str, size: int) -> None:
        os.truncate(self._folder / path, size)

    def make_directory(self, path: str) -> None:
        (self._folder / path).mkdir()

    def remove_directory(self, path: str) -> None:
        (self._folder / path).rmdir()

    def unlink(self, path: str) -> None:
        (self._folder / path).unlink()

    def rename(self, source: str, path: str) -> None:
        (self._folder / source).rename(self._folder / path)

    def link(self, source: str, path: str) -> None:
        (self._folder / path).hardlink_to(self._folder / source)

    def symlink(self, path: str, target: str) -> None:
        (self._folder / path).symlink_to(target)

    def change_mode(self, path: str, mode: int) -> None:
        (self._folder / path).chmod(mode)

    def set_extended(self, path: str, name: str, value: bytes | None) -> None:
        """Set an extended attribute, or take it away."""
        if value is None:
            os.removexattr(self._folder / path, name)
        else:
            os.setxattr(self._folder / path, name, value)

    def names(self, path: str) -> list[str]:
        return [held.name for held in (self._folder / path).iterdir()]

    def look(self, path: str) -> Seen:
        whole = self._folder / path
        told = whole.lstat()
        content, extended = None, {}
        if whole.is_symlink():
            content = str(whole.readlink()).encode()
        elif not whole.is_dir():
            content = whole.read_bytes()
            extended = {
                name: os.getxattr(whole, name) for name in os.listxattr(whole) if not name.startswith("user.s3.")
            }
        return Seen(
            told.st_mode,
            told.st_ino,
            told.st_nlink,
            told.st_size,
            told.st_mtime_ns,
            content,
            tuple(sorted(extended.items())),
        )

"""NFS 4.0, by libnfs, from a client's machine.

What Debian's libnfs 4.0.0 doesn't do of it is done around here: it sends what it is to create as EXCLUSIVE4, whatever
the flags say, so that there are two ways to `create`, and the mode follows; it writes no more than about 3,500 bytes at
once; it renews no lease, and doesn't connect again, so that who opens a file is another client each time; it asks
nobody what it is to remove, for which NFS 4 has one call.
"""

import errno
import os
import stat
from typing import ClassVar

from tests.faces.nfs_face import NfsFace
from tests.faces.seen import Seen


class Nfs4Face(NfsFace):
    """One folder of an export."""

    granule: ClassVar[int] = 3000

    def create(self, path: str, content: bytes) -> None:
        self._create(path, content, 0)

    def create_synced(self, path: str, content: bytes) -> None:
        self._create(path, content, os.O_SYNC)

    def _create(self, path: str, content: bytes, how: int) -> None:
        self._client.mount_again()
        flags = os.O_WRONLY | os.O_NOFOLLOW | how
        try:
            number = self._client.open(self._at(path), flags | os.O_TRUNC)
        except FileNotFoundError:
            number = self._client.create(self._at(path), flags | os.O_EXCL, 0o644)
        self._fill(number, 0, content)

    def _fill(self, number: int, offset: int, piece: bytes) -> None:
        try:
            for at in range(0, len(piece), self.granule):
                self._client.pwrite(number, offset + at, piece[at : at + self.granule])
            self._client.do("fsync", number)
        finally:
            self._client.do("close", number)

    def _open(self, path: str, flags: int) -> int:
        self._client.mount_again()
        return super()._open(path, flags)

    def truncate(self, path: str, size: int) -> None:
        self._client.mount_again()
        super().truncate(path, size)

    def remove_directory(self, path: str) -> None:
        self._expect(path, is_directory=True)
        super().remove_directory(path)

    def unlink(self, path: str) -> None:
        self._expect(path, is_directory=False)
        super().unlink(path)

    def _expect(self, path: str, *, is_directory: bool) -> None:
        if stat.S_ISDIR(self._client.stat(self._at(path))["mode"]) != is_directory:
            raise OSError(errno.ENOTDIR if is_directory else errno.EISDIR, path)

    def change_mode(self, path: str, mode: int) -> None:
        self._client.mount_again()
        super().change_mode(path, mode)

    def look(self, path: str) -> Seen:
        self._client.mount_again()
        return super().look(path)

"""NFS 3, by libnfs, from a client's machine."""

import os
import stat
from typing import ClassVar

from tests.faces.file_face import FileFace
from tests.faces.seen import Seen
from tests.nfs.client import Client


class NfsFace(FileFace):
    """One folder of an export."""

    bound: ClassVar[float] = 2.0
    tells_why: ClassVar[bool] = False

    def __init__(self, client: Client, folder: str) -> None:
        """Name the mounted export and the history's folder in it."""
        self._client, self._folder = client, folder

    def _at(self, path: str) -> str:
        return f"/{self._folder}/{path}"

    def create(self, path: str, content: bytes) -> None:
        self._client.write(self._at(path), content)

    def create_synced(self, path: str, content: bytes) -> None:
        # It is at each write.
        self.create(path, content)

    def patch(self, path: str, offset: int, piece: bytes) -> None:
        self._fill(self._open(path, os.O_WRONLY), offset, piece)

    def patch_synced(self, path: str, offset: int, piece: bytes) -> None:
        self._fill(self._open(path, os.O_WRONLY | os.O_SYNC), offset, piece)

    def _open(self, path: str, flags: int) -> int:
        return self._client.open(self._at(path), flags | os.O_NOFOLLOW)

    def _fill(self, number: int, offset: int, piece: bytes) -> None:
        try:
            self._client.pwrite(number, offset, piece)
            self._client.do("fsync", number)
        finally:
            self._client.do("close", number)

    def append(self, path: str, piece: bytes) -> None:
        self.patch(path, self._client.stat(self._at(path))["size"], piece)

    def truncate(self, path: str, size: int) -> None:
        self._client.do("truncate", self._at(path), size)

    def make_directory(self, path: str) -> None:
        self._client.do("mkdir", self._at(path))

    def remove_directory(self, path: str) -> None:
        self._client.do("rmdir", self._at(path))

    def unlink(self, path: str) -> None:
        self._client.do("unlink", self._at(path))

    def rename(self, source: str, path: str) -> None:
        self._client.do("rename", self._at(source), self._at(path))

    def link(self, source: str, path: str) -> None:
        self._client.do("link", self._at(source), self._at(path))

    def symlink(self, path: str, target: str) -> None:
        self._client.do("symlink", target, self._at(path))

    def change_mode(self, path: str, mode: int) -> None:
        self._client.do("chmod", self._at(path), mode)

    def names(self, path: str) -> list[str]:
        return self._client.list(self._at(path))

    def look(self, path: str) -> Seen:
        told = self._client.stat(self._at(path))
        content = self._client.read(self._at(path)) if stat.S_ISREG(told["mode"]) else None
        modified = told["mtime"] * 10**9 + told["mtime_nsec"]
        return Seen(told["mode"], told["ino"], told["nlink"], told["size"], modified, content)

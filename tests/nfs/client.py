"""An NFS client, libnfs, in a process of its own inside a network namespace: the process has the namespace's address.

Concurrency: one thread uses a client; several clients may be used at once.
"""

import base64
import errno
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

STAT = ("mode", "nlink", "uid", "gid", "size", "ino", "mtime", "mtime_nsec", "ctime", "ctime_nsec")


class Client:
    """One mounted export, as one user of the client's machine."""

    def __init__(self, namespace: str, url: str, uid: int = 0, gid: int = 0) -> None:
        """Mount `url` (nfs://HOST/PATH?version=3) from within the namespace. Raises OSError where that is refused."""
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._mounted = (url, uid, gid)
        try:
            self.mount_again()
        except OSError:
            self.close()
            raise

    def mount_again(self) -> None:
        """Be another client to the server; what was open is gone. Of NFS 4, libnfs renews no lease."""
        self._ask("mount", *self._mounted)

    def read(self, path: str) -> bytes:
        """The whole content."""
        return base64.b64decode(self._ask("read", path))

    def write(self, path: str, content: bytes, step: int = 1 << 20, flush: bool = False) -> None:
        """Make or empty the file, write it in steps, with `flush` a commit after each, and close it."""
        self._ask("write", path, base64.b64encode(content).decode(), step, flush)

    def list(self, path: str) -> list[str]:
        """Names without `.` and `..`, as they come."""
        names: list[str] = self._ask("list", path)
        return names

    def stat(self, path: str) -> dict[str, int]:
        """What `STAT` names."""
        told: dict[str, int] = self._ask("stat", path)
        return told

    def open(self, path: str, flags: int) -> int:
        """A file by its handle; `pread` and `pwrite` name no path any more."""
        number: int = self._ask("open", path, flags)
        return number

    def create(self, path: str, flags: int, mode: int) -> int:
        """The same of a file that is made."""
        number: int = self._ask("create", path, flags, mode)
        return number

    def pread(self, number: int, offset: int, size: int) -> bytes:
        return base64.b64decode(self._ask("pread", number, offset, size))

    def pwrite(self, number: int, offset: int, content: bytes) -> None:
        self._ask("pwrite", number, offset, base64.b64encode(content).decode())

    def do(self, call: str, *arguments: str | int) -> None:
        """A call of libnfs that takes paths and numbers, such as `unlink`, `rename`, `fsync`, `close`."""
        self._ask("do", call, *arguments)

    def _ask(self, *question: str | int | bool) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"fault": "the client has ended"}')
        if "errno" in answer:
            raise OSError(answer["errno"], answer["fault"])
        assert "fault" not in answer, answer
        return answer["answer"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Agent:
    """The side within the namespace."""

    def __init__(self) -> None:
        # It has no types.
        self._library: Any = importlib.import_module("libnfs")
        self._context: Any = None
        self._files: dict[int, Any] = {}

    def mount(self, url: str, uid: int, gid: int) -> None:
        library = self._library
        if self._context is not None:
            self._files.clear()
            library.nfs_destroy_context(self._context)
        context = self._context = library.nfs_init_context()
        parsed = library.nfs_parse_url_dir(context, url)
        library.nfs_set_uid(context, uid)
        library.nfs_set_gid(context, gid)
        # Ganesha listens a moment before rpcbind knows it: kernels' clients ask again.
        outcome = -1
        for _ in range(50):
            outcome = library.nfs_mount(context, parsed.server, parsed.path)
            if outcome >= 0 or "Program is not available" not in str(library.nfs_get_error(context)):
                break
            time.sleep(0.1)
        self._check(outcome)

    def read(self, path: str) -> str:
        number = self.open(path, os.O_RDONLY)
        size = self.stat(path)["size"]
        content = b"".join(
            base64.b64decode(self.pread(number, at, min(1 << 20, size - at))) for at in range(0, size, 1 << 20)
        )
        self.do("close", number)
        return base64.b64encode(content).decode()

    def write(self, path: str, encoded: str, step: int, flush: bool) -> None:
        content = base64.b64decode(encoded)
        handle = self._library.new_NFSFileHandle()
        # Durable at each write: of another verifier this client takes no notice, where kernels' write again.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_SYNC
        # In the grace period nothing is truncated: kernels' clients ask again, as this does.
        while (made := self._library.nfs_open(self._context, path, flags, handle)) == -errno.EAGAIN:
            time.sleep(0.1)
        if made == -errno.ENOENT:
            made = self._library.nfs_create(self._context, path, flags, 0o644, handle)
        self._check(made)
        number = self._keep(handle)
        for at in range(0, len(content), step):
            self._pwrite(number, at, content[at : at + step])
            if flush:
                self.do("fsync", number)
        self.do("fsync", number)
        self.do("close", number)

    def list(self, path: str) -> list[str]:
        library, names = self._library, []
        directory = library.new_NFSDirHandle()
        self._check(library.nfs_opendir(self._context, path, directory))
        handle = library.NFSDirHandle_value(directory)
        while (entry := library.nfs_readdir(self._context, handle)) is not None:
            names.append(entry.name)
        library.nfs_closedir(self._context, handle)
        return [name for name in names if name not in {".", ".."}]

    def stat(self, path: str) -> dict[str, int]:
        held = self._library.nfs_stat_64()
        self._check(self._library.nfs_lstat64(self._context, path, held))
        return {name: getattr(held, f"nfs_{name}") for name in STAT}

    def open(self, path: str, flags: int) -> int:
        handle = self._library.new_NFSFileHandle()
        self._check(self._library.nfs_open(self._context, path, flags, handle))
        return self._keep(handle)

    def create(self, path: str, flags: int, mode: int) -> int:
        handle = self._library.new_NFSFileHandle()
        self._check(self._library.nfs_create(self._context, path, flags, mode, handle))
        return self._keep(handle)

    def pread(self, number: int, offset: int, size: int) -> str:
        buffer = bytearray(size)
        count = self._check(self._library.nfs_pread(self._context, self._files[number], offset, size, buffer))
        return base64.b64encode(buffer[:count]).decode()

    def pwrite(self, number: int, offset: int, encoded: str) -> None:
        self._pwrite(number, offset, base64.b64decode(encoded))

    def do(self, call: str, *arguments: str | int) -> None:
        given = [
            self._files[argument] if at == 0 and argument in self._files else argument
            for at, argument in enumerate(arguments)
        ]
        self._check(getattr(self._library, f"nfs_{call}")(self._context, *given))

    def _pwrite(self, number: int, offset: int, content: bytes) -> None:
        while content:
            count = self._check(
                self._library.nfs_pwrite(self._context, self._files[number], offset, len(content), bytearray(content))
            )
            offset, content = offset + count, content[count:]

    def _keep(self, handle: Any) -> int:
        number = 1_000_000_000 + len(self._files)
        self._files[number] = self._library.NFSFileHandle_value(handle)
        return number

    def _check(self, outcome: int) -> int:
        if outcome < 0:
            raise OSError(-outcome, str(self._library.nfs_get_error(self._context)))
        return outcome


def main(lines: Sequence[str] | Any = sys.stdin) -> None:
    agent = Agent()
    for line in lines:
        name, *arguments = json.loads(line)
        try:
            answer = {"answer": getattr(agent, name)(*arguments)}
        except OSError as fault:
            answer = {"errno": fault.errno, "fault": str(fault.strerror)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

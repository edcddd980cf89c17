"""As much of NFS 3 and 4.1 as no client here shows: write verifiers, and sessions; RFC 1813 and RFC 8881.

Concurrency: one thread uses a wire.
"""

import ctypes
import os
import socket
import struct
import threading
import time
from itertools import count
from types import TracebackType
from typing import Final, Self

_NEW_NETWORK: Final = 0x40000000
_LAST: Final = 0x80000000
_ANYBODY: Final = bytes(16)
_GRACE: Final = 10013
_SEQUENCE, _LOOKUP, _PUT_ROOT, _PUT, _GET, _READ, _REMOVE = 53, 15, 24, 22, 10, 25, 28


class StatusError(OSError):
    """The server's status, as `errno`."""


def opaque(content: bytes) -> bytes:
    """Bytes with their length, padded."""
    return struct.pack(">I", len(content)) + content + bytes(-len(content) % 4)


class Answer:
    """What is left to be read of one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def take(self, size: int) -> bytes:
        taken, self._content = self._content[:size], self._content[size:]
        assert len(taken) == size, "the answer is too short"
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4))

    def opaque(self) -> bytes:
        size = self.number()
        return self.take(size + -size % 4)[:size]

    def expect_ok(self) -> None:
        if (status := self.number()) != 0:
            raise StatusError(status, f"status {status}")

    def skip_changes(self) -> None:
        """`wcc_data`."""
        self.take(24 if self.number() else 0)
        self.take(84 if self.number() else 0)


class Wire:
    """A connection from within a namespace."""

    def __init__(self, namespace: str, host: str, port: int) -> None:
        self._numbers = count(1)
        made: list[socket.socket] = []
        thread = threading.Thread(target=lambda: made.append(_connected(namespace, host, port)))
        thread.start()
        thread.join()
        assert made, "no connection could be made"
        self._socket = made[0]

    def call(self, program: int, version: int, procedure: int, arguments: bytes) -> Answer:
        """One call as root, by AUTH_SYS."""
        number = next(self._numbers)
        identity = struct.pack(">I", 0) + opaque(b"client") + struct.pack(">III", 0, 0, 0)
        head = struct.pack(">IIIIII", number, 0, 2, program, version, procedure)
        message = head + struct.pack(">I", 1) + opaque(identity) + struct.pack(">II", 0, 0) + arguments
        self._socket.sendall(struct.pack(">I", _LAST | len(message)) + message)
        answer = Answer(self._received())
        assert answer.number() == number
        assert answer.take(8) == struct.pack(">II", 1, 0)
        answer.number()
        answer.opaque()
        assert answer.number() == 0
        return answer

    def _received(self) -> bytes:
        content, is_last = b"", False
        while not is_last:
            mark = int.from_bytes(self._exactly(4))
            is_last = bool(mark & _LAST)
            content += self._exactly(mark & ~_LAST)
        return content

    def _exactly(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            piece = self._socket.recv(size - len(content))
            assert piece, "the server has ended the connection"
            content += piece
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()


def _connected(namespace: str, host: str, port: int) -> socket.socket:
    """Made by a thread of its own, which alone moves to the namespace."""
    held = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert ctypes.CDLL(None, use_errno=True).setns(held, _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(held)
    return socket.create_connection((host, port), timeout=60)


def mounted(namespace: str, host: str, path: str) -> bytes:
    """The handle of an export, by NFS 3's mount protocol."""
    with Wire(namespace, host, 20048) as wire:
        answer = wire.call(100005, 3, 1, opaque(path.encode()))
        answer.expect_ok()
        return answer.opaque()


class Nfs3(Wire):
    """Calls of NFS 3."""

    def lookup(self, directory: bytes, name: str) -> bytes:
        answer = self.call(100003, 3, 3, opaque(directory) + opaque(name.encode()))
        answer.expect_ok()
        return answer.opaque()

    def write(self, file: bytes, offset: int, content: bytes) -> bytes:
        """Not durable yet; the verifier."""
        terms = struct.pack(">QII", offset, len(content), 0)
        answer = self.call(100003, 3, 7, opaque(file) + terms + opaque(content))
        answer.expect_ok()
        answer.skip_changes()
        answer.take(8)
        return answer.take(8)

    def commit(self, file: bytes) -> bytes:
        """The verifier."""
        answer = self.call(100003, 3, 21, opaque(file) + struct.pack(">QI", 0, 0))
        answer.expect_ok()
        answer.skip_changes()
        return answer.take(8)


class Nfs41(Wire):
    """One session of NFS 4.1."""

    def __init__(self, namespace: str, host: str, port: int) -> None:
        super().__init__(namespace, host, port)
        owner = os.urandom(8) + opaque(os.urandom(8))
        answer = self._compound((42, owner + struct.pack(">III", 0, 0, 0)))
        client, sequence = answer.take(8), answer.number()
        channel = struct.pack(">IIIIIII", 0, 1 << 20, 1 << 20, 1 << 16, 16, 4, 0)
        terms = client + struct.pack(">II", sequence, 0) + 2 * channel + struct.pack(">III", 0x40000000, 1, 0)
        self._session = self._compound((43, terms)).take(16)
        self._calls = count(1)
        self._within((58, struct.pack(">I", 0)))

    def walk(self, *names: str) -> bytes:
        """The handle that a path leads to."""
        steps = [(_LOOKUP, opaque(name.encode())) for name in names]
        answer = self._within((_PUT_ROOT, b""), *steps, (_GET, b""))
        return answer.opaque()

    def read(self, file: bytes) -> bytes:
        answer = self._within((_PUT, opaque(file)), (_READ, _ANYBODY + struct.pack(">QI", 0, 1 << 16)))
        answer.number()
        return answer.opaque()

    def remove(self, directory: bytes, name: str) -> None:
        """Ask again for as long as the grace period lasts, as clients do."""
        while True:
            try:
                self._within((_PUT, opaque(directory)), (_REMOVE, opaque(name.encode())))
            except StatusError as fault:
                if fault.errno != _GRACE:
                    raise
                time.sleep(0.1)
            else:
                return

    def _within(self, *operations: tuple[int, bytes]) -> Answer:
        place = struct.pack(">IIII", next(self._calls), 0, 0, 0)
        return self._compound((_SEQUENCE, self._session + place), *operations)

    def _compound(self, *operations: tuple[int, bytes]) -> Answer:
        """Carry them out; what the last one answered, for operations before it that answer nothing but their status."""
        said = b"".join(struct.pack(">I", operation) + arguments for operation, arguments in operations)
        answer = self.call(100003, 4, 1, opaque(b"") + struct.pack(">II", 1, len(operations)) + said)
        answer.number()
        answer.opaque()
        for _ in range(answer.number()):
            operation = answer.number()
            answer.expect_ok()
            if operation == _SEQUENCE:
                answer.take(36)
        return answer

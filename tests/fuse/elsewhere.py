"""Mounts by a node's S3 endpoint, as another machine makes them, and connections that speak the protocol themselves.

Concurrency: one thread, that of the test; a `Relay` has its own.
"""

import os
import socket
import ssl
import struct
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import packstone_engine
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fuse.mounted import Mount
from tests.iam.conftest import Key
from tests.served import REGION, Node, environment

PATH: Final = "/.packstone/files"
ROOT: Final = 1
_SECONDS: Final = 60


class RemoteMount(Mount):
    """A mount by the endpoint, with somebody's credentials; it knows nothing of the data directory."""

    def __init__(
        self, node: Node, authority: Path, key: Key, mountpoint: Path, *options: str, endpoint: str | None = None
    ) -> None:
        super().__init__(node, mountpoint, *options)
        self._authority, self._key, self._endpoint = authority, key, endpoint

    def _node(self) -> list[str | Path]:
        return ["--endpoint", self._endpoint or self.node.endpoint, "--ca", self._authority]

    def _environment(self) -> dict[str, str]:
        named = {"AWS_ACCESS_KEY_ID": self._key.access, "AWS_SECRET_ACCESS_KEY": self._key.secret}
        return environment(named | ({"AWS_SESSION_TOKEN": self._key.token} if self._key.token else {}))


def files_of(node: Node, authority: Path, key: Key) -> packstone_engine.Files:
    """A client that may say whatever it likes, of whatever uid."""
    return packstone_engine.Files.connect_remote(
        node.endpoint, key.access, key.secret, key.token, authorities=str(authority)
    )


class Wire:
    """One connection, byte by byte."""

    def __init__(self, node: Node, authority: Path) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        address = node.address()
        self._node = node
        self._stream = context.wrap_socket(
            socket.create_connection(address, timeout=_SECONDS), server_hostname=address[0]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def upgrade(self, key: Key, target: str = PATH, service: str = "packstone", **headers: str) -> bytes:
        """Ask for the upgrade, signed with everything that is sent; return the answer, up to the end of its head."""
        asked = {"Upgrade": "packstone-files", "Connection": "Upgrade"}
        request = AWSRequest("GET", self._node.endpoint + target, headers=headers)
        SigV4Auth(Credentials(key.access, key.secret, key.token), service, REGION).add_auth(request)
        request.headers["Host"] = self._node.endpoint.partition("://")[2]
        lines = [f"{name}: {value}" for name, value in (dict(request.headers.items()) | asked).items()]
        self._stream.sendall("\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode())
        return self.head()

    def head(self) -> bytes:
        """The next answer of HTTP, up to the end of its head."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._stream.recv(1)
            assert byte, head
            head += byte
        return head

    def send(self, data: bytes) -> None:
        self._stream.sendall(data)

    def frame(self, content: bytes) -> None:
        """Send a frame."""
        self.send(struct.pack("<I", len(content)) + content)

    def answer(self) -> tuple[int, bytes]:
        """The next answer: its error number, and what follows."""
        length = struct.unpack("<I", self._exactly(4))[0]
        content = self._exactly(length)
        return struct.unpack("<I", content[:4])[0], content[4:]

    def is_ended(self) -> bool:
        """Whether the node has ended the connection: waits until it does."""
        with suppress(OSError):
            return self._stream.recv(1) == b""
        return True

    def greet(self, session: bytes, user: bytes = b"", version: int | None = None) -> int:
        """Greet as a mount does, and return the error number of the answer."""
        self.frame(greeting(session, user, version))
        return self.answer()[0]

    def _exactly(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            piece = self._stream.recv(length - len(content))
            if not piece:
                raise ConnectionError("the node ended the connection")
            content += piece
        return content


def greeting(session: bytes, user: bytes = b"", version: int | None = None, *, exclusive: bool = False) -> bytes:
    """What a connection begins with."""
    number = version if version is not None else protocol_version()
    return struct.pack("<BH", 1, number) + session + struct.pack("<H", len(user)) + user + bytes([exclusive])


def protocol_version() -> int:
    """The version that this release speaks, as its source says."""
    source = Path(__file__).parents[2] / "engine/posix/src/protocol.rs"
    line = next(line for line in source.read_text("utf-8").splitlines() if line.startswith("pub const VERSION"))
    return int(line.rpartition("=")[2].strip(" ;"))


class Relay:
    """A port of a loopback address that leads to another, for as long as it isn't cut.

    Concurrency: a thread accepts, two carry the bytes of each connection; `cut` ends these.
    """

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.target = target
        self.held = False
        self._listener = socket.create_server((host, 0))
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.held:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target, timeout=_SECONDS)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> int:
        """Reset every connection, and return how many ends there were."""
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        return len(ends)

    def close(self) -> None:
        self._listener.close()
        self.cut()


def session_id() -> bytes:
    """An id that nobody else has."""
    return os.urandom(16)

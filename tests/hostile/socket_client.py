"""Bytes on a socket, as no HTTP library would send them."""

import socket
from collections.abc import Mapping

from tests.served import Node
from tests.signing import UNSIGNED, Raw


def head(
    node: Node,
    target: str,
    headers: Mapping[str, str],
    extra: Mapping[str, str],
    digest: str = UNSIGNED,
    method: str = "PUT",
) -> bytes:
    """A signed request's head; `extra` is sent unsigned, so that it may lie."""
    host, port = node.address()
    signed = Raw(node).sign(method, target, headers, digest) | {"host": f"{host}:{port}"} | dict(extra)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def connect(node: Node, timeout: float = 20) -> socket.socket:
    return socket.create_connection(node.address(), timeout=timeout)


def read(connection: socket.socket) -> bytes:
    """Everything until the server closes; a reset after the answer is a close too."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def converse(node: Node, sent: bytes, *, ends: bool = False, timeout: float = 20) -> bytes:
    """Send it, at the end say that no more comes if `ends`, and read until the server closes."""
    with connect(node, timeout) as connection:
        try:
            connection.sendall(sent)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return read(connection)


def status(answer: bytes) -> int:
    """The status of a raw answer; 0 for a close without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

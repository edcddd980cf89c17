"""Serving the control plane from a thread of its own.

Concurrency: `bind`, `start` and `stop` belong to the thread that runs the process; the event loop lives and dies in the
server's thread.
"""

import asyncio
import os
import socket
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.errors import OperatorError
from appliance.node import Node
from appliance.quantity import Address
from gateway.nfs.report import Watch

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

SOCKET_NAME: Final = "control.sock"
_DRAIN_SECONDS: Final = 5


class ControlServer:
    """Administration on a Unix socket, health and metrics on TCP, over one node whose data lock the caller holds."""

    def __init__(self, node: Node) -> None:
        """A server that isn't bound yet."""
        self._node = node
        self._nfs = Watch()
        self._socket_path = node.configuration.data / SOCKET_NAME
        self._sockets: list[socket.socket] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control")
        self._started: Future[None] = Future()

    def bind(self) -> None:
        """Take both addresses: who connects from here on is answered as soon as there is something to answer with.

        Raises OperatorError with the address that can't be had, or when the TLS files can't be used.
        """
        self._sockets.append(bind_private(self._socket_path))
        self._sockets.append(bind_tcp(self._node.configuration.control.address))
        check_certificate(*self._tls_files)

    @property
    def address(self) -> Address:
        """The bound TCP address."""
        host, port = self._sockets[1].getsockname()[:2]
        return Address(host, port)

    @property
    def url(self) -> str:
        """The URL under which this machine reaches health and metrics."""
        scheme = "http" if self._node.configuration.control.tls_certificate is None else "https"
        return f"{scheme}://{self.address.reachable_host}"

    def start(self) -> None:
        """Begin to serve; `wait` tells when that is so."""
        self._thread.start()

    def wait(self) -> None:
        """Return once both sockets are served; raises what keeps them from it."""
        self._started.result()

    def stop(self) -> None:
        """End requests under way, or cut them off after 5 s, and remove the socket. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        while self._sockets:
            self._sockets.pop().close()
            self._socket_path.unlink(missing_ok=True)

    @property
    def _tls_files(self) -> tuple[Path | None, Path | None]:
        configuration = self._node.configuration
        control = configuration.control
        certificate, key = control.tls_certificate, control.tls_key
        return (certificate and configuration.path(certificate), key and configuration.path(key))

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as fault:
            if self._started.done():
                raise
            self._started.set_exception(fault)

    async def _serve(self) -> None:
        # Imported in this thread, while the main one recovers the engine.
        import uvicorn

        from gateway.control.observation import observation_app

        certificate, key = self._tls_files
        servers = []
        for app, tls in (
            (Administration(self._node, self._nfs), False),
            (observation_app(self._node, self._nfs), certificate is not None),
        ):
            settings = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
                ssl_certfile=certificate if tls else None,
                ssl_keyfile=key if tls else None,
            )
            servers.append(uvicorn.Server(settings))
        async with asyncio.TaskGroup() as tasks:
            for server, listener in zip(servers, self._sockets, strict=True):
                tasks.create_task(server.serve(sockets=[listener]))
            while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn has nothing to await
                await asyncio.sleep(0.002)
            self._started.set_result(None)
            await asyncio.to_thread(self._stopping.wait)
            for server in servers:
                server.should_exit = True


class Administration:
    """The administration's ASGI application, imported when it is first asked: nobody's restart waits for FastAPI."""

    def __init__(self, node: Node, nfs: Watch) -> None:
        """An application over `node` that isn't imported yet."""
        self._node = node
        self._nfs = nfs
        self._app: FastAPI | None = None
        self._importing = asyncio.Lock()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        async with self._importing:
            if self._app is None:
                self._app = await asyncio.to_thread(self._import)
        await self._app(scope, receive, send)

    def _import(self) -> "FastAPI":
        from gateway.control.admin import admin_app

        return admin_app(self._node, self._nfs)


def bind_private(path: Path) -> socket.socket:
    """A Unix socket at `path` that only this user may open, in place of one that a dead process left there.

    Raises OperatorError when the path can't be had, or is longer than the 107 bytes the system takes.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode must hold from the first moment, so the file creation mask is set rather than the mode corrected.
    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(64)
    except OSError as fault:
        listener.close()
        raise OperatorError(f"{path}: the control socket can't be made: {fault.strerror or fault}") from None
    finally:
        os.umask(mask)
    return listener


def bind_tcp(address: Address) -> socket.socket:
    """A TCP socket that listens on `address`. Raises OperatorError when it is taken or not this machine's."""
    try:
        return socket.create_server(address, family=_family(address), backlog=64)
    except OSError as fault:
        raise OperatorError(f"control address {address} can't be used: {fault.strerror or fault}") from None


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Raises OperatorError when there is a certificate that can't be used with the key."""
    if certificate is None:
        return
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as fault:
        raise OperatorError(f"control.tls_certificate {certificate} and its key can't be used: {fault}") from None


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET

"""Where a mount's node is, and how a mount comes to speak with it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import packstone_engine

Connect = Callable[[], packstone_engine.Files]
"""Begins a session with a node. Raises MountError."""

_EXCLUSIVE: Final = "another mount has the node for itself: end it, or mount it without --exclusive"
_RELEASE: Final = "is of another release of Packstone: mount with the release that it serves"


class MountError(Exception):
    """The mount can't be made: one line that says why."""


@dataclass(frozen=True)
class Credentials:
    """S3 credentials, with the token of temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def local(socket: Path, user: str = "", *, exclusive: bool = False) -> Connect:
    """The node of this machine whose socket that is; it is asked as `user` where a uid is no user's, else as root.

    With `exclusive`, it has no other mount meanwhile.
    """

    def connect() -> packstone_engine.Files:
        try:
            return packstone_engine.Files.connect(str(socket), user, exclusive=exclusive)
        except OSError as fault:
            if fault.errno == errno.ENOKEY:
                raise MountError(f"there is no user {user}: `packstone user ls` shows who there is") from fault
            if fault.errno == errno.EBUSY and exclusive:
                raise MountError(
                    "the node has other mounts, or serves NFS: end them, or leave --exclusive out"
                ) from fault
            if fault.errno == errno.EBUSY:
                raise MountError(_EXCLUSIVE) from fault
            if fault.errno == errno.EPROTONOSUPPORT:
                raise MountError(f"the node on {socket} {_RELEASE}") from fault
            raise MountError(f"no node serves files on {socket}: start `packstone serve` first") from fault

    return connect


def remote(endpoint: str, credentials: Credentials, authorities: Path | None = None) -> Connect:
    """The node of another machine, by the URL of its S3 endpoint, asked as whose the credentials are.

    `authorities` is a PEM file of who vouches for its certificate, in place of those of the system.
    """

    def connect() -> packstone_engine.Files:
        try:
            return packstone_engine.Files.connect_remote(
                endpoint,
                credentials.access_key,
                credentials.secret_key,
                credentials.token,
                authorities=None if authorities is None else str(authorities),
            )
        except OSError as fault:
            raise MountError(_told(endpoint, fault)) from fault

    return connect


def _told(endpoint: str, fault: OSError) -> str:
    match fault.errno:
        case errno.EACCES:
            said = f"{endpoint} doesn't take the credentials: {fault.strerror}"
        case errno.EKEYREJECTED:
            said = f"{endpoint}: {fault.strerror}: name the authority that vouches for it by --ca FILE"
        case errno.EBUSY:
            said = f"{endpoint}: {_EXCLUSIVE}"
        case errno.EPROTONOSUPPORT:
            said = f"the node at {endpoint} {_RELEASE}"
        case errno.EOPNOTSUPP:
            said = f"{endpoint} serves no files: {fault.strerror}"
        case errno.EINVAL:
            said = str(fault.strerror)
        case _:
            said = f"{endpoint} can't be reached: {fault.strerror}"
    return said

"""The number of the device that a mount has, which file handles are made of by those that export it.

A file system without a disk gets the lowest minor number that is free when it is mounted: whichever that is. For one
that is wanted, all free numbers below it are taken by empty file systems that are mounted nowhere, and given back
behind the mount.

Concurrency: one thread.
"""

import ctypes
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PATIENCE: Final = 10.0
_LOOK_EVERY: Final = 0.1

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
"""System calls, of the same numbers on all machines; the C library of Debian 12 has no names for them."""

_CREATE: Final = 6
_CLOSE_ON_EXEC: Final = 1

_log = logging.getLogger(__name__)


@contextmanager
def next_free(wanted: int) -> Iterator[None]:
    """While this is entered, the minor number is the next that a mount gets, if it gets free within ten seconds.

    Raises OSError where this process may make no file system.
    """
    taken: list[int] = []
    deadline = time.monotonic() + _PATIENCE
    try:
        while not _fill(wanted, taken):
            if time.monotonic() > deadline:
                _log.error("another file system has the device number that is wanted", extra={"number": wanted})
                break
            # That of a mount before this one is given back by and by: to nobody else, while lower ones are free.
            _give_back(taken)
            time.sleep(_LOOK_EVERY)
        yield
    finally:
        _give_back(taken)


def _give_back(taken: list[int]) -> None:
    while taken:
        os.close(taken.pop())


def _fill(wanted: int, taken: list[int]) -> bool:
    """Take all free numbers below the wanted one; whether that is free."""
    while True:
        descriptor = _empty_file_system()
        minor = os.minor(os.fstat(descriptor).st_dev)
        if minor >= wanted:
            os.close(descriptor)
            return minor == wanted
        taken.append(descriptor)


def _empty_file_system() -> int:
    """One that is mounted nowhere, and ends with the descriptor that is returned. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    opened = library.syscall(_FSOPEN, b"ramfs", _CLOSE_ON_EXEC)
    if opened < 0:
        raise _refused()
    try:
        if library.syscall(_FSCONFIG, opened, _CREATE, None, None, 0) < 0:
            raise _refused()
        mounted: int = library.syscall(_FSMOUNT, opened, _CLOSE_ON_EXEC, 0)
        if mounted < 0:
            raise _refused()
        return mounted
    finally:
        os.close(opened)


def _refused() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))

"""Who works on a mount: child processes that have given up root.

Concurrency: one thread, that of the test.
"""

import os
import pickle
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
_SECONDS = 60


def do_as(mount: Path, uid: int, deed: Callable[..., _T], *arguments: Any, groups: Sequence[int] = ()) -> _T:
    """What `deed` returns, or the OSError that it raises, in a process of that uid and gid whose place is the mount.

    The directory is opened by root, whoever may not walk there.
    """
    directory = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(_SECONDS)
            os.fchdir(directory)
            os.setgroups(list(groups))
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                told = pickle.dumps((True, deed(*arguments)))
            except OSError as fault:
                told = pickle.dumps((False, fault))
            with os.fdopen(there, "wb") as out:
                out.write(told)
        finally:
            os._exit(0)
    os.close(there)
    os.close(directory)
    with os.fdopen(here, "rb") as said:
        told = said.read()
    os.waitpid(child, 0)
    assert told, "the child ended by another error than the system's"
    done, outcome = pickle.loads(told)  # noqa: S301
    if not done:
        raise outcome
    made: _T = outcome
    return made

"""The data directory belongs to one process at a time."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance.errors import OperatorError

FILE_NAME: Final = "lock"


class DataLock:
    """An exclusive lock on a data directory, held until `release` or the process's end.

    The lock file stays behind and carries the holder's process id, for the message that a second process prints.
    """

    def __init__(self, data: Path) -> None:
        """Make `data` (mode 0700) where it is missing, and lock it.

        Raises OperatorError when another process holds it or it can't be written.
        """
        path = data / FILE_NAME
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as fault:
            raise OperatorError(f"{path}: can't be opened: {fault.strerror}") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise OperatorError(f"{data}: in use by another packstone, process {holder}: stop that one first") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the directory. Idempotent."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

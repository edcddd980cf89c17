"""The signals that an operator or systemd sends, in the order in which they came.

Concurrency: to be entered and asked by the main thread only. A signal may be delivered to any native thread; its number
reaches `wait` through a pipe, so that none is lost or late.
"""

import os
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self


class ProcessSignals:
    """Holds the handlers of `signals` while it is entered."""

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        """Nothing is held yet."""
        self._signals = tuple(signals)

    def __enter__(self) -> Self:
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(writer, False)
        self._writer = writer
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in self._signals:
            signal.signal(number, _arrived)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # From here on a second SIGTERM or SIGINT kills: what is acknowledged is safe, whenever the process dies.
        for number in self._signals:
            signal.signal(number, signal.SIG_IGN if number is signal.SIGHUP else signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.close(self._writer)
        os.close(self._reader)

    def fileno(self) -> int:
        """What can be polled until there is a signal to wait for."""
        return self._reader

    def wait(self) -> signal.Signals:
        """The next signal."""
        return signal.Signals(os.read(self._reader, 1)[0])


def _arrived(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the pipe has the number already."""

"""Processor time and memory of running processes, as the kernel counts them."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

_SCHEDULED = 2
"""The kernel's number for the clock that counts the time a process was on a processor (CPUCLOCK_SCHED)."""


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of all threads, past ones too, in seconds to the nanosecond.

    Linux makes the clock's id from the complement of the process id (see `clock_getcpuclockid`).
    Raises OSError when a process is gone.
    """
    return sum(time.clock_gettime((~pid << 3) | _SCHEDULED) for pid in pids)


def resident_peak(pids: Sequence[int]) -> int:
    """Bytes: the most that was resident since the mark was reset, summed over the processes."""
    return sum(_status_bytes(pid, "VmHWM") for pid in pids)


def resident(pids: Sequence[int]) -> int:
    """Bytes that are resident now, summed over the processes."""
    return sum(_status_bytes(pid, "VmRSS") for pid in pids)


def reset_resident_peak(pids: Sequence[int]) -> None:
    """Makes the resident peak count from now; needs the right to write the process's /proc files."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_bytes(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0

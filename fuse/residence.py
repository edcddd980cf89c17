"""Files mapped so that their pages stay in the page cache, and what may be kept there.

Nothing here reads a page from Python: where a page can't be had, the kernel's calls say so, and no SIGBUS comes.
Concurrency: each mapping is used by one thread at a time.
"""

import ctypes
import mmap
import os
import resource
from pathlib import Path
from typing import Final

_PAGE: Final = mmap.PAGESIZE
_POPULATE_READ: Final = 22
"""MADV_POPULATE_READ, of Linux 5.14: has pages read now, with an error where one can't be."""
_LOCK_ON_FAULT: Final = 1
"""MLOCK_ONFAULT: pages are locked as they come. A plain mlock that can't read never returns (Linux 6.18)."""
_FAILED: Final = ctypes.c_void_p(-1).value
_MAPS_OF_OUR_OWN: Final = 2000
"""Mappings that the interpreter, its libraries and its threads may come to."""
_IPC_LOCK: Final = 14

_LOWEST_BIT: Final = bytes(byte & 1 for byte in range(256))
"""What mincore(2) says of a page; its other bits are reserved."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mlock2.argtypes = _libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def whole_pages(size: int) -> int:
    """What a file of `size` bytes takes in memory."""
    return -(-size // _PAGE) * _PAGE


def _raise_last(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")


class Mapping:
    """A file that isn't empty, mapped read-only. It needs no descriptor once it is made."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Map `size` bytes of a file; nothing is read yet. Raises OSError."""
        self.size = size
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == _FAILED:
            _raise_last("mmap")
        self._address = address

    def lock(self) -> None:
        """Keep in memory what comes there, without reading anything. Raises OSError where that is not allowed."""
        if _libc.mlock2(self._address, self.size, _LOCK_ON_FAULT) != 0:
            _raise_last("mlock")

    def populate(self, offset: int, length: int) -> None:
        """Read what is not in memory of a range that begins on a page. Raises OSError where pages can't be read."""
        if _libc.madvise(self._address + offset, min(length, self.size - offset), _POPULATE_READ) != 0:
            _raise_last("madvise")

    def resident(self) -> int:
        """How many bytes are in memory, in whole pages; all, for a file of which the kernel may not tell us."""
        pages = ctypes.create_string_buffer(whole_pages(self.size) // _PAGE)
        if _libc.mincore(self._address, self.size, pages) != 0:
            _raise_last("mincore")
        return pages.raw.translate(_LOWEST_BIT).count(1) * _PAGE

    def close(self) -> None:
        """Let the pages go, once: the kernel keeps them as long as it has no better use for the memory."""
        _libc.munmap(self._address, self.size)


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's where that is less."""
    held = _meminfo()["MemTotal"]
    for group in _groups():
        try:
            text = (group / "memory.max").read_text("ascii").strip()
        except OSError:
            continue
        if text != "max":
            held = min(held, int(text))
    return held


def available() -> int:
    """Bytes that can be had without anybody being swapped out or killed, by the kernel's estimate."""
    return _meminfo()["MemAvailable"]


def _meminfo() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def _groups() -> list[Path]:
    """The directories of this process's control group (version 2), and of those that it stands in."""
    top = Path("/sys/fs/cgroup")
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        if line.startswith("0::/"):
            group = top / line.removeprefix("0::/")
            return [group, *(parent for parent in group.parents if parent.is_relative_to(top))]
    return []


def lockable() -> int | None:
    """Bytes that this process may lock, after it has asked for as many as it may have; None for any number."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    if effective >> _IPC_LOCK & 1:
        return None
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    return None if hard == resource.RLIM_INFINITY else hard


def mappable() -> int:
    """How many files may be mapped at once."""
    return max(0, int(Path("/proc/sys/vm/max_map_count").read_text("ascii")) - _MAPS_OF_OUR_OWN)

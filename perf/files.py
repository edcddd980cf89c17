"""What is done with files, and how long it takes."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

SMALL = 4096
_PIECE = 1 << 20
_FIRST = 100


@dataclass(frozen=True)
class Amount:
    """How much of it."""

    files: int
    """Small files of one turn, in one directory."""
    large: int
    """Bytes of the large file."""


@dataclass(frozen=True)
class Work:
    """One thing that is done. `work` gives how many units it did.

    Before it is timed the kernel's caches are dropped (`cold`), or it is done once (`again`).
    """

    name: str
    unit: str
    work: Callable[[Path, Amount], float]
    cold: bool = False
    again: bool = False


def _small(root: Path) -> Path:
    return root / "small"


def _create(root: Path, amount: Amount) -> float:
    body = os.urandom(SMALL)
    _small(root).mkdir()
    for number in range(amount.files):
        (_small(root) / f"{number:06}").write_bytes(body)
    return amount.files


def _read_small(root: Path, amount: Amount) -> float:
    for number in range(amount.files):
        got = (_small(root) / f"{number:06}").read_bytes()
        if len(got) != SMALL:
            raise OSError(f"{len(got)} bytes of {SMALL}")
    return amount.files


def _stat(root: Path, amount: Amount) -> float:
    for number in range(amount.files):
        (_small(root) / f"{number:06}").stat()
    return amount.files


def _find(root: Path, amount: Amount) -> float:
    found = 0
    for folder, _, names in os.walk(root):
        found += sum(1 for name in names if (Path(folder) / name).lstat().st_size == SMALL)
    if found < amount.files:
        raise OSError(f"{found} of {amount.files} files found")
    return found


def _first_names(root: Path, amount: Amount) -> float:
    with os.scandir(_small(root)) as entries:
        if len(list(islice(entries, _FIRST))) < min(_FIRST, amount.files):
            raise OSError("names are missing")
    return 1


def _rename_directory(root: Path, _: Amount) -> float:
    _small(root).rename(root / "renamed")
    (root / "renamed").rename(_small(root))
    return 2


def _write_large(root: Path, amount: Amount) -> float:
    piece = os.urandom(_PIECE)
    with (root / "large").open("wb", buffering=0) as file:
        for _ in range(amount.large // _PIECE):
            file.write(piece)
        os.fsync(file.fileno())
    return amount.large / 1e6


def _read_large(root: Path, amount: Amount) -> float:
    buffer, total = bytearray(_PIECE), 0
    with (root / "large").open("rb", buffering=0) as file:
        while got := file.readinto(buffer):
            total += got
    if total != amount.large:
        raise OSError(f"{total} bytes of {amount.large}")
    return total / 1e6


WORKS = (
    Work("create, write 4 KiB, close", "files/s", _create),
    Work("open, read 4 KiB, close; caches dropped", "files/s", _read_small, cold=True),
    Work("stat; caches dropped", "files/s", _stat, cold=True),
    Work("find with stat; caches dropped", "files/s", _find, cold=True),
    Work("first 100 names of the directory", "times/s", _first_names, cold=True),
    Work("rename of that directory", "times/s", _rename_directory),
    Work("sequential write, fsync", "MB/s", _write_large),
    Work("sequential read; caches dropped", "MB/s", _read_large, cold=True),
    Work("the same again", "MB/s", _read_large, again=True),
)
"""In this order: each stands on what the ones before it made."""


def drop_caches() -> None:
    """Have the kernel forget names, attributes and pages. Root alone may."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")


def rate(work: Work, root: Path, amount: Amount) -> float:
    """Units a second."""
    if work.cold:
        drop_caches()
    if work.again:
        work.work(root, amount)
    began = time.perf_counter()
    done = work.work(root, amount)
    return done / (time.perf_counter() - began)


def clear(root: Path) -> None:
    """Remove what a round made."""
    for folder, folders, names in os.walk(root, topdown=False):
        for name in names:
            (Path(folder) / name).unlink()
        for name in folders:
            (Path(folder) / name).rmdir()

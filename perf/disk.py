"""The disk below the data directory: how fast it takes bytes, and how many of its blocks the data take."""

import os
import time
from pathlib import Path

BLOCK = 512
"""Bytes of the unit that `st_blocks` counts in, whatever the file system's own block is."""
WRITE = 1 << 20
"""Bytes of one write of the disk's floor."""


def sequential_write(folder: Path, total: int) -> float:
    """Bytes a second that a new file in `folder` takes by writes of 1 MiB and one `fdatasync` at their end.

    `total` is in bytes. The bytes are random, and the file is removed.
    """
    block = os.urandom(WRITE)
    path = folder / "disk-floor"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        began = time.monotonic()
        for _ in range(total // WRITE):
            os.write(descriptor, block)
        os.fdatasync(descriptor)
        took = time.monotonic() - began
    finally:
        os.close(descriptor)
        path.unlink()
    return total // WRITE * WRITE / took


def sequential_read(folder: Path, total: int) -> float:
    """Bytes a second that a file in `folder` gives by reads of 1 MiB, none of it in the page cache.

    `total` is in bytes. The file is removed.
    """
    block = os.urandom(WRITE)
    path = folder / "disk-floor"
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(total // WRITE):
                file.write(block)
            os.fdatasync(file.fileno())
        forget(folder)
        began = time.monotonic()
        with path.open("rb", buffering=0) as file:
            while file.read(WRITE):
                pass
        took = time.monotonic() - began
    finally:
        path.unlink(missing_ok=True)
    return total // WRITE * WRITE / took


def forget(folder: Path) -> None:
    """Takes every file below `folder` out of the page cache, as far as it is written."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def blocks_by_folder(folder: Path) -> dict[str, int]:
    """Bytes of disk blocks below each entry of `folder`, directories' own blocks included, preallocated ones too."""
    return {entry.name: blocks(entry) for entry in sorted(folder.iterdir())}


def blocks(path: Path) -> int:
    """Bytes of disk blocks of `path` and all below it; a file that goes away while it is counted counts as nothing."""
    try:
        own = path.lstat().st_blocks * BLOCK
        children = list(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
    except FileNotFoundError:
        return 0
    return own + sum(blocks(child) for child in children)


def read_into_cache(folder: Path) -> None:
    """Reads every file below `folder` once, so that the page cache holds what it can."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(WRITE):
                    pass


def newest(folder: Path, suffix: str) -> Path | None:
    """The newest file below `folder` that ends in `suffix`, or None when there is none."""
    return max(folder.rglob(f"*{suffix}"), key=lambda path: path.stat().st_mtime_ns, default=None)


def written(path: Path) -> int:
    """Bytes up to and with the last that is not zero: a log is often preallocated."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while end > 0:
            start = max(0, end - WRITE)
            file.seek(start)
            kept = len(file.read(end - start).rstrip(b"\0"))
            if kept:
                return start + kept
            end = start
    return 0

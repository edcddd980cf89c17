"""What happens to drives while nobody looks: contents deleted, files cut short, bits flipped, the index gone."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final


def files(drive: Path) -> list[Path]:
    """The regular files of a drive that hold anything, in a fixed order."""
    return sorted(path for path in drive.rglob("*") if path.is_file() and path.stat().st_size)


def empty(drive: Path, _chance: random.Random) -> None:
    """Every file and directory of the drive is gone."""
    for path in drive.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def truncate(drive: Path, chance: random.Random) -> None:
    """Every second file is cut at a random place."""
    for path in files(drive):
        if chance.random() < 0.5:
            with path.open("r+b") as file:
                file.truncate(chance.randrange(path.stat().st_size))


def flip(drive: Path, chance: random.Random) -> None:
    """A few bits of every file flip, most of them where data is and not in zeros."""
    for path in files(drive):
        with path.open("r+b") as file:
            for _ in range(5):
                file.seek(chance.randrange(path.stat().st_size))
                (byte,) = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte ^ 1 << chance.randrange(8)]))


def remove_segments(drive: Path, _chance: random.Random) -> None:
    """The segments are gone, the rest of the drive is there."""
    shutil.rmtree(drive / "segments", ignore_errors=True)


DAMAGES: Final[tuple[Callable[[Path, random.Random], None], ...]] = (empty, truncate, flip, remove_segments)


def spoil_index(index: Path, chance: random.Random) -> None:
    """The index is deleted, or each of its files is cut short or half of it zeroed."""
    way = chance.randrange(3)
    if way == 0:
        shutil.rmtree(index)
        return
    for path in files(index):
        size = path.stat().st_size
        with path.open("r+b") as file:
            if way == 1:
                file.truncate(size // 2)
            else:
                file.seek(size // 2)
                file.write(bytes(size - size // 2))

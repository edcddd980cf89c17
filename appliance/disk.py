"""The disk below a directory: what it is called, and having its light show where it sits."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import OperatorError

SYSFS: Final = Path("/sys")
_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Disk:
    """A whole disk, as the kernel knows it."""

    name: str
    """As below /dev."""
    description: str
    sysfs: Path

    @property
    def locate(self) -> Path | None:
        """The switch of its slot's light; None where its enclosure has none."""
        return next(self.sysfs.glob("device/enclosure_device*/locate"), None)

    def show(self, seconds: float) -> str:
        """Have its light show it for so long; return what was done. Raises OperatorError where nothing can be done."""
        switch = self.locate
        try:
            if switch is None:
                return f"read for {_read_for(Path('/dev') / self.name, seconds):.0f} s: its activity light flickered"
            switch.write_text("1")
            try:
                time.sleep(seconds)
            finally:
                switch.write_text("0")
        except OSError as fault:
            raise OperatorError(f"/dev/{self.name}: {fault.strerror}: run this as root") from None
        return f"the locate light of its slot was on for {seconds:.0f} s"


def find_disk(path: Path, sysfs: Path = SYSFS) -> Disk:
    """The disk that the file system of `path` lies on. Raises OperatorError where there is none."""
    try:
        device = path.stat().st_dev
    except OSError as fault:
        raise OperatorError(f"{path}: {fault.strerror}") from None
    place = sysfs / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
    if not place.exists():
        raise OperatorError(f"{path}: lies on no disk of its own")
    disk = place.resolve()
    if (disk / "partition").exists():
        disk = disk.parent
    facts = [_fact(disk / "device" / name) for name in ("vendor", "model", "serial")]
    known = " ".join(fact for fact in facts if fact)
    return Disk(disk.name, f"/dev/{disk.name} {known}".rstrip(), disk)


def _fact(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _read_for(device: Path, seconds: float) -> float:
    began = time.monotonic()
    with device.open("rb", buffering=0) as disk:
        size = disk.seek(0, os.SEEK_END)
        at = 0
        while time.monotonic() - began < seconds and size:
            # Read from the disk itself, and nothing else leaves the page cache for it.
            os.posix_fadvise(disk.fileno(), at, _PIECE, os.POSIX_FADV_DONTNEED)
            os.pread(disk.fileno(), _PIECE, at)
            os.posix_fadvise(disk.fileno(), at, _PIECE, os.POSIX_FADV_DONTNEED)
            at = (at + 97 * _PIECE) % size
            time.sleep(0.05)
    return time.monotonic() - began

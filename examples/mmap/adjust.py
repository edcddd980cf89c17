"""Divides the prices of one symbol in a tick file by the ratio of a split, in place, through a shared writable map.

`python adjust.py FILE SYMBOL RATIO`. `flush` is msync(2): when it has returned, the change is an object's new version,
durable and seen by S3. Standard library only.
"""

import mmap
import struct
import sys
from pathlib import Path

TICK = struct.Struct("<Q8sqII")
PRICE_AT = 16
"""Where in a tick its price stands."""


def adjust(path: Path, symbol: bytes, ratio: int) -> int:
    """Return how many ticks were changed."""
    changed = 0
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as ticks:
        for at, (_, name, price, _, _) in zip(range(0, len(ticks), TICK.size), TICK.iter_unpack(ticks), strict=True):
            if name.rstrip(b"\0") == symbol:
                struct.pack_into("<q", ticks, at + PRICE_AT, price // ratio)
                changed += 1
        ticks.flush()
    return changed


if __name__ == "__main__":
    print(adjust(Path(sys.argv[1]), sys.argv[2].encode("ascii"), int(sys.argv[3])))

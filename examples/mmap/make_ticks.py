"""Writes a tick file to try the other examples on: `python make_ticks.py FILE COUNT [SEED]`. Standard library only."""

import struct
import sys
from pathlib import Path
from random import Random

TICK = struct.Struct("<Q8sqII")
SYMBOLS = {"AAPL": 2_150_000, "ES": 61_200_000, "EURUSD": 11_700, "MSFT": 4_980_000, "VOD.L": 7_300}
"""Where the prices begin, in ten-thousandths."""


def ticks(count: int, seed: int) -> bytes:
    """As many ticks of random walks, the same for one seed."""
    random, prices, time = Random(seed), dict(SYMBOLS), 1_782_900_000_000_000_000
    out = bytearray()
    for _ in range(count):
        symbol = random.choice(list(prices))
        prices[symbol] = max(1, prices[symbol] + random.randint(-50, 50))
        time += random.randint(1, 2_000_000)
        out += TICK.pack(time, symbol.encode("ascii"), prices[symbol], random.randint(1, 500), 0)
    return bytes(out)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(ticks(int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 1))

"""The volume-weighted average price of each symbol in a tick file, which is mapped and scanned where it is.

`python vwap.py FILE [--wait]`. With `--wait` it says that it has mapped the file and scans it after a line on standard
input: what S3 puts under the same key meanwhile is another file, and the map is of this one. Needs numpy.
"""

import sys
from pathlib import Path

import numpy as np

TICK = np.dtype([("time_ns", "<u8"), ("symbol", "S8"), ("price", "<i8"), ("quantity", "<u4"), ("flags", "<u4")])
"""32 bytes; prices in ten-thousandths of the currency, as in `ticks.hpp`."""


def mapped(path: Path) -> np.ndarray:
    """The ticks of a file, without reading any yet. Raises ValueError where its length is no multiple of a tick's."""
    if path.stat().st_size == 0:
        return np.empty(0, TICK)  # nothing can be mapped of an empty file
    return np.memmap(path, TICK, mode="r")


def averages(ticks: np.ndarray) -> list[tuple[str, float, int]]:
    """(symbol, average price, quantity) for each symbol that was traded, in order of the symbols."""
    symbols, which = np.unique(ticks["symbol"], return_inverse=True)
    notional, quantity = np.zeros(len(symbols), np.int64), np.zeros(len(symbols), np.int64)
    np.add.at(notional, which, ticks["price"] * ticks["quantity"].astype(np.int64))
    np.add.at(quantity, which, ticks["quantity"])
    return [
        (symbol.decode("ascii"), int(value) / int(volume) / 1e4, int(volume))
        for symbol, value, volume in zip(symbols, notional, quantity, strict=True)
        if volume
    ]


def main(arguments: list[str]) -> int:
    """Print one line a symbol; 0, or an exit code."""
    if not 1 <= len(arguments) <= 2 or arguments[1:] not in ([], ["--wait"]):
        sys.stderr.write("usage: vwap.py FILE [--wait]\n")
        return 2
    try:
        ticks = mapped(Path(arguments[0]))
    except (OSError, ValueError) as fault:
        sys.stderr.write(f"vwap.py: {fault}\n")
        return 1
    if arguments[1:]:
        print("mapped", flush=True)
        sys.stdin.readline()
    for symbol, average, quantity in averages(ticks):
        print(f"{symbol} {average:.4f} {quantity}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

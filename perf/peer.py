"""Other S3 servers, given on the command line, and what they are to be compared with."""

import socket
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from perf import process
from perf.generator import Measurement
from perf.server import Server

CONNECT_SECONDS = 5.0
"""How long a server may take to accept a connection before the measurement refuses to begin."""


class BadPeerError(ValueError):
    """An `--endpoint` that says nothing. One line for the operator."""


def parse(text: str) -> Server:
    """The server behind `NAME=URL[,pid=PID …][,key=ACCESS][,secret=SECRET]`; `pid` may be repeated."""
    name, equals, rest = text.partition("=")
    url, *settings = rest.split(",")
    if not equals or not name or not url.startswith("http://"):
        raise BadPeerError(f"--endpoint {text}: not of the form NAME=http://HOST:PORT[,pid=PID][,key=…,secret=…]")
    server = Server(name, url, "", "")
    for setting in settings:
        what, _, value = setting.partition("=")
        if what == "pid" and value.isdecimal():
            server.pids.append(int(value))
        elif what == "key":
            server.access_key = value
        elif what == "secret":
            server.secret_key = value
        else:
            raise BadPeerError(f"--endpoint {text}: {setting} is neither pid=NUMBER nor key=… nor secret=…")
    return server


def parse_all(texts: Sequence[str], taken: set[str]) -> list[Server]:
    """The servers behind all `--endpoint` values; their names must differ from each other and from `taken` ones."""
    servers = [parse(text) for text in texts]
    names = [server.name for server in servers]
    for name in names:
        if name in taken or names.count(name) > 1:
            raise BadPeerError(f"--endpoint {name}=…: the name {name} is taken")
    return servers


def require_reachable(servers: Sequence[Server]) -> None:
    """Raises BadPeerError unless every server accepts a connection and all its processes run."""
    for server in servers:
        address = urlsplit(server.url)
        try:
            socket.create_connection((address.hostname or "", address.port or 80), timeout=CONNECT_SECONDS).close()
            process.cpu_seconds(server.pids)
        except OSError as error:
            raise BadPeerError(f"--endpoint {server.name}=…: {error.strerror or error}") from None


@dataclass(frozen=True)
class Ratio:
    """Ours divided by theirs, over the rounds in which both were measured."""

    least: float
    median: float
    most: float


_QUANTITIES: dict[str, Callable[[Measurement], float | None]] = {
    "server CPU per op": lambda measured: measured.cpu_us_per_op,
    "throughput": lambda measured: measured.ops_per_second,
    "p50": lambda measured: measured.p50_us,
    "p99": lambda measured: measured.p99_us,
    "p99.9": lambda measured: measured.p999_us,
}


def ratios(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> dict[str, Ratio]:
    """By quantity, the most telling first; a quantity that either side lacks is left out."""
    found = {}
    for quantity, of in _QUANTITIES.items():
        pairs = [(of(one), of(other)) for one, other in zip(ours, theirs, strict=False)]
        quotients = [one / other for one, other in pairs if one is not None and other]
        if quotients:
            found[quantity] = Ratio(min(quotients), statistics.median(quotients), max(quotients))
    return found

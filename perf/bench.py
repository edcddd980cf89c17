"""One whole measurement: who is measured, how much, and what has been found so far."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from perf.figure import Figure
from perf.generator import Generator, Measurement
from perf.server import Packstone, Server


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    objects: int
    """Small objects that Packstone holds in the end."""
    rounds: int
    """How often every server gets its turn in a scenario."""
    seconds: float
    """Length of a turn that time ends."""
    turn_limit: float
    """Seconds after which a turn of writing ends on the other servers, however few objects they took."""
    wait: float
    """Seconds from a mass deletion to the second listing."""
    large_per_round: int
    """Objects of 16 MiB that a turn writes."""
    growth: tuple[int, ...]
    """Numbers of objects at which growth is measured."""


NORMAL = Scale(1_000_000, 5, 10.0, 20.0, 60.0, 64, (10_000, 100_000, 1_000_000))
QUICK = Scale(20_000, 2, 2.0, 5.0, 5.0, 16, (1_000, 5_000, 20_000))


@dataclass
class Bench:
    """What the scenarios work on and write to."""

    scale: Scale
    generator: Generator
    ours: Packstone
    floor: Server | None
    """The same front over a map in memory, if it is built."""
    peers: list[Server]
    scratch: Path
    console: Console
    figures: list[Figure] = field(default_factory=list)
    rounds: dict[str, dict[str, list[Measurement]]] = field(default_factory=dict)
    """By scenario and server, a measurement a round."""
    details: dict[str, object] = field(default_factory=dict)
    """What the figures were made of, for the results file."""

    problems: list[str] = field(default_factory=list)
    """Scenarios that could not be measured, and why."""

    def in_turns(self, servers: list[Server]) -> Iterator[tuple[int, Server]]:
        """Round by round every server once, so that what disturbs the machine disturbs all of them."""
        for number in range(self.scale.rounds):
            for server in servers:
                yield number, server

    def record(self, server: Server, measured: Measurement) -> None:
        """Keeps a round's measurement and says it."""
        self.rounds.setdefault(measured.scenario, {}).setdefault(server.name, []).append(measured)
        cpu = "" if measured.cpu_us_per_op is None else f"{measured.cpu_us_per_op:,.0f} µs server CPU/op, "
        self.console.print(
            f"  {measured.scenario} {server.name}: {cpu}{measured.ops_per_second:,.0f}/s, "
            f"p50 {measured.p50_us:,.0f} µs, p99 {measured.p99_us:,.0f} µs",
            highlight=False,
        )

    def of(self, scenario: str, server: Server) -> list[Measurement]:
        """The rounds of a server, none when it was not measured."""
        return self.rounds.get(scenario, {}).get(server.name, [])

    def with_floor(self) -> list[Server]:
        """All servers that store and read objects."""
        floor = [] if self.floor is None else [self.floor]
        return [self.ours.server, *floor, *self.peers]

    def with_listing(self) -> list[Server]:
        """All servers that list: not the floor."""
        return [self.ours.server, *self.peers]

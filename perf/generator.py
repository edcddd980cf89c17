"""Runs the load generator `packstone-load` and reads its report."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perf.server import NotMeasurableError, Server

REQUESTS_FAILED = 3
"""The generator's exit code when it ran to its end and requests failed."""


@dataclass(frozen=True)
class Measurement:
    """One run of one scenario against one server. Latencies are in microseconds, from first byte to last."""

    scenario: str
    ops: int
    errors: int
    failures: dict[str, int]
    requests: int
    """Requests begun, the warm-up's included."""
    seconds: float
    ops_per_second: float
    mb_per_second: float
    """10^6 bytes of object content a second."""
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    cpu_us_per_op: float | None
    """The server's user and system time per request; None when its processes are not known."""
    resident_peak: int | None
    """Bytes."""
    client_cpu_us_per_op: float
    """What the generator took from the machine."""

    def as_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


class Generator:
    """The program, and how many requests failed in all its runs."""

    def __init__(self, program: Path) -> None:
        if not program.exists():
            raise NotMeasurableError(f"{program} is not there: cargo build --release -p packstone-load")
        self._program = program
        self.errors: list[str] = []

    def run(self, server: Server, scenario: str, **options: float | str | bool) -> Measurement:
        """One run; `options` are the program's, with underscores, a flag being True.

        Raises NotMeasurableError when the run cannot be made. Failed requests are collected in `errors`.
        """
        command = [str(self._program), scenario, "--endpoint", server.url]
        for pid in server.pids:
            command += ["--pid", str(pid)]
        for option, value in options.items():
            name = "--" + option.replace("_", "-")
            command += [name] if value is True else [name, str(value)]
        credentials = {"PACKSTONE_ROOT_USER": server.access_key, "PACKSTONE_ROOT_PASSWORD": server.secret_key}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | credentials)
        if done.returncode not in (0, REQUESTS_FAILED):
            raise NotMeasurableError(f"{scenario} against {server.name}: {done.stderr.strip()}")
        measured = _read(json.loads(done.stdout))
        self.errors += [f"{server.name} {scenario}: {times} × {what}" for what, times in measured.failures.items()]
        return measured


def _read(report: dict[str, Any]) -> Measurement:
    latency, server = report["latency_us"], report["server"]
    return Measurement(
        scenario=report["scenario"],
        ops=report["ops"],
        errors=report["errors"],
        failures=report["failures"],
        requests=report["requests"],
        seconds=report["seconds"],
        ops_per_second=report["ops_per_second"],
        mb_per_second=report["mb_per_second"],
        p50_us=latency["p50"],
        p90_us=latency["p90"],
        p99_us=latency["p99"],
        p999_us=latency["p99.9"],
        max_us=latency["max"],
        cpu_us_per_op=server["cpu_us_per_op"] if server else None,
        resident_peak=server["memory_bytes"]["resident_peak"] if server else None,
        client_cpu_us_per_op=report["client_cpu_us_per_op"],
    )

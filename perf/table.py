"""Prints what was measured."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from perf.figure import Figure, Verdict
from perf.peer import Ratio

_STYLES: dict[Verdict, str] = {"met": "green", "missed": "bold red", "not measured": "yellow", "shown": "dim"}


def print_figures(console: Console, figures: Sequence[Figure]) -> None:
    """The table of targets."""
    table = Table(title="Packstone")
    for column in ("what", "target", "reached", "verdict", ""):
        table.add_column(column, justify="right" if column in ("target", "reached") else "left")
    for figure in figures:
        target = "" if figure.target is None else f"{'≥' if figure.at_least else '≤'} {figure.target:,g}"
        reached = "" if figure.reached is None else f"{_number(figure.reached)} {figure.unit}"
        verdict = f"[{_STYLES[figure.verdict]}]{figure.verdict}[/]"
        table.add_row(figure.what, target, reached, verdict, figure.note)
    console.print(table)


def print_ratios(console: Console, ratios: Mapping[str, Mapping[str, Mapping[str, Ratio]]]) -> None:
    """Ours divided by theirs, by scenario, server and quantity."""
    if not any(ratios.values()):
        return
    table = Table(title="packstone / other server, by round")
    for column in ("scenario", "server", "quantity"):
        table.add_column(column)
    for column in ("min", "median", "max"):
        table.add_column(column, justify="right")
    for scenario, servers in ratios.items():
        for server, quantities in servers.items():
            for quantity, ratio in quantities.items():
                numbers = (_number(value) for value in (ratio.least, ratio.median, ratio.most))
                table.add_row(scenario, server, quantity, *numbers)
    console.print(table)


def _number(value: float) -> str:
    """Three significant digits, thousands apart, no exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"

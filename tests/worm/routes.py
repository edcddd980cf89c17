"""The routes of this pack as a table for auditors, read from the tests themselves.

`python -m tests.worm.routes` writes it into docs/compliance.md.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.worm.clauses import Clause

HERE: Final = Path(__file__).parent
DOCUMENT: Final = HERE.parent.parent / "docs" / "compliance.md"
BEGIN: Final = "<!-- routes: written by python -m tests.worm.routes -->\n"
END: Final = "<!-- end of routes -->\n"


class Route(NamedTuple):
    """One test: where it stands, what is tried, and the clauses that it protects."""

    file: str
    test: str
    text: str
    clauses: tuple[Clause, ...]


def routes() -> list[Route]:
    """Every route, in the order of files and tests."""
    return [
        Route(file.name, node.name, " ".join((ast.get_docstring(node) or "").split()), tuple(_clauses(node)))
        for file in sorted(HERE.glob("test_*.py"))
        if file.name != "test_routes.py"
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def _clauses(node: ast.FunctionDef) -> Iterator[Clause]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "protects":
            for argument in decorator.args:
                assert isinstance(argument, ast.Attribute)
                yield Clause[argument.attr]


def table() -> str:
    """The table in Markdown."""
    lines = ["| route | test in `tests/worm` | protects |", "|---|---|---|"]
    for route in routes():
        clauses = "; ".join(clause.text for clause in route.clauses)
        lines.append(f"| {route.text.replace('|', '&#124;')} | `{route.file}`: `{route.test}` | {clauses} |")
    return "\n".join(lines) + "\n"


def documented(text: str) -> str:
    """The document with the table as it should be."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(documented(DOCUMENT.read_text("utf-8")), "utf-8")

"""What commands print: results on standard output, progress on standard error."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


def print_line(line: str) -> None:
    """One line of a result, as it is: nothing in a key or a path is taken for markup, coloured or wrapped."""
    sys.stdout.write(line + "\n")


def print_table(table: Table) -> None:
    """A table of a result; where output is no terminal, as wide as its content."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=Console(width=10_000).measure(table).maximum)
    console.print(table)


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns named in `numbers` are right-aligned."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", no_wrap=True)
    return made


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error, shown on a terminal only; by default it counts steps."""
    console = Console(stderr=True)
    shown = columns or (MofNCompleteColumn(),)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *shown,
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )

"""The agreement matrix for a reader: tables for a terminal, and Markdown for a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks import terminal
from benchmarks.correctness.matrix import NOT_REACHED, Cell, Matrix
from benchmarks.words import listed, markdown_cell, markdown_table
from benchmarks.worker import agreement, extremes
from impls.core.contract import MODES
from impls.core.text import one_line

SHOWN = 3
"""The most columns that a reason lists."""
CONTROLS = "negative controls: each is wrong on purpose and must be refused"


def text_of(cell: Cell) -> str:
    """Return what a table shows of a cell."""
    if cell.status == "ok":
        return "flushes" if cell.flushes else f"{cell.error:.0e}"
    return "–" if cell == NOT_REACHED else cell.status


def show(matrix: Matrix, console: Console) -> None:
    """Print a table per dtype: a row per implementation, a column per problem, the largest error in each cell."""
    for dtype in matrix.dtypes:
        columns = matrix.columns_of(dtype)
        for size in range(len(matrix.columns), 0, -1):  # as many columns side by side as fit into the terminal
            tables = [_table(matrix, dtype, columns[k : k + size]) for k in range(0, len(columns), size)]
            if terminal.all_fit(tables, console):
                break
        for table in tables:
            console.print(table)
    for line in notes(matrix):
        console.print(line, markup=False, highlight=False)


def markdown(matrix: Matrix, where: Sequence[str], controls: Mapping[str, str], last: str) -> str:
    """Return the whole matrix in Markdown.

    Args:
        matrix: what was compared.
        where: in words, on which machine and from which commit.
        controls: what is said of each negative control.
        last: the result in one line.
    """
    parts = ["# Agreement with the float64 reference", last, _items(where)]
    for dtype in matrix.dtypes:
        columns = matrix.columns_of(dtype)
        rows = [[markdown_cell(name), *map(text_of, _cells(matrix, name, dtype, columns))] for name in _names(matrix)]
        parts += [f"## {_title(dtype)}", markdown_table(rows, ["implementation", *columns])]
    if lines := notes(matrix):
        parts += ["## Notes", _items(lines)]
    parts.append(f"## {CONTROLS.capitalize()}")
    parts.append(_items(f"{name}: {said}" for name, said in controls.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def notes(matrix: Matrix) -> list[str]:
    """Return what the tables do not say: what their words mean, which modes are missing, and the reasons."""
    lines = [f"{name}: {meaning}" for name, meaning in extremes.EXTREMES.items() if name in matrix.columns]
    if any(cell.flushes for cell in matrix.cells.values()):
        lines.append("flushes: results below the smallest normal number become zero, a fact and no fault")
    if matrix.stopping.is_set():
        lines.append("–: not reached before this was interrupted")
    for name, modes in sorted(matrix.modes.items()):
        if missing := [mode for mode in MODES if mode not in modes]:
            lines.append(f"{name}: has no {', '.join(missing)}")
    return [*lines, *reasons(matrix)]


def reasons(matrix: Matrix) -> list[str]:
    """Return the reasons of cells that are not ok; one line for all columns and dtypes that have the same."""
    lines: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for name in _names(matrix):
        for dtype in matrix.dtypes:
            columns, having = matrix.columns_of(dtype), dict[str, list[str]]()
            for column, cell in zip(columns, _cells(matrix, name, dtype, columns), strict=True):
                if cell.reason:
                    having.setdefault(f"{cell.status}: {cell.reason}", []).append(column)
            for what, those in having.items():
                everywhere = len(those) == len(columns) > 1
                lines.setdefault((name, () if everywhere else tuple(those), what), []).append(dtype)
    return [f"{name}, {listed(dtypes)}, {_named(those)}: {what}" for (name, those, what), dtypes in lines.items()]


def _named(columns: Sequence[str]) -> str:
    """Return columns in words; none of them means all."""
    if not columns:
        return "everywhere"
    return ", ".join(columns) if len(columns) <= SHOWN else f"{len(columns)} columns"


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_cell(line)}" for line in lines)


def _title(dtype: str) -> str:
    return f"largest error, {dtype} (tolerance {agreement.tolerance_of(dtype):.0e})"


def _names(matrix: Matrix) -> list[str]:
    return [version.implementation.name for version in matrix.versions]


def _cells(matrix: Matrix, name: str, dtype: str, columns: Sequence[str]) -> list[Cell]:
    return [matrix.cells.get((name, dtype, column), NOT_REACHED) for column in columns]


def _table(matrix: Matrix, dtype: str, columns: Sequence[str]) -> Table:
    table = Table(title=_title(dtype), title_justify="left")
    table.add_column("implementation", no_wrap=True)
    for column in columns:
        table.add_column(column.replace("-", "\n"), justify="right")
    for name in _names(matrix):
        cells = _cells(matrix, name, dtype, columns)
        table.add_row(
            Text(one_line(name)), *(Text(text_of(cell), "red" if _stands_out(cell) else "") for cell in cells)
        )
    return table


def _stands_out(cell: Cell) -> bool:
    return cell.status not in ("ok", NOT_REACHED.status)

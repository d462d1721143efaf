"""The agreement matrix for a reader: tables for a terminal, and Markdown for a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks import tables
from benchmarks.correctness.matrix import NOT_REACHED, Cell, Matrix
from benchmarks.tables import Column
from benchmarks.words import listed
from benchmarks.worker import agreement, extremes
from impls.core.contract import MODES

NAMED = 3
"""The most columns that a reason lists."""
CONTROLS = "negative controls: each is wrong on purpose and must be refused"


def text_of(cell: Cell) -> str:
    """Return what a table shows of a cell."""
    if cell.status == "ok":
        return "flushes" if cell.flushes else f"{cell.error:.0e}"
    return "–" if cell == NOT_REACHED else cell.status


def show(matrix: Matrix, console: tables.CleanConsole) -> None:
    """Print a table per dtype: a row per implementation, a column per problem, the largest error in each cell."""
    for dtype in matrix.dtypes:
        columns = matrix.columns_of(dtype)
        for size in range(len(matrix.columns), 0, -1):  # as many columns side by side as fit into the terminal
            parts = [
                tables.terminal(_columns(matrix, dtype, columns[k : k + size]), matrix.versions, _title(dtype))
                for k in range(0, len(columns), size)
            ]
            if tables.all_fit(parts, console):
                break
        for part in parts:
            console.print(part)
    for line in notes(matrix):
        console.print(line, markup=False, highlight=False)


def markdown(matrix: Matrix, where: Sequence[str], controls: Mapping[str, str], last: str) -> str:
    """Return the whole matrix in Markdown, with where it was made, and the result of each negative control."""
    parts = ["# Agreement with the float64 reference", last, tables.items(where)]
    for dtype in matrix.dtypes:
        columns = _columns(matrix, dtype, matrix.columns_of(dtype))
        parts += [f"## {_title(dtype)}", tables.markdown(columns, matrix.versions)]
    if lines := notes(matrix):
        parts += ["## Notes", tables.items(lines)]
    parts.append(f"## {CONTROLS.capitalize()}")
    parts.append(tables.items(f"{name}: {result}" for name, result in controls.items()))
    return "\n\n".join(part for part in parts if part) + "\n"


def notes(matrix: Matrix) -> list[str]:
    """Return what the tables do not say: what their words mean, which modes are missing, and the reasons."""
    lines = [f"{name}: {meaning}" for name, meaning in extremes.EXTREMES.items() if name in matrix.columns]
    if any(cell.flushes for cell in matrix.cells.values()):
        lines.append("flushes: results below the smallest normal number become zero, a fact and no fault")
    if matrix.interrupted:
        lines.append("–: not reached before this was interrupted")
    for name, modes in sorted(matrix.modes.items()):
        if missing := [mode for mode in MODES if mode not in modes]:
            lines.append(f"{name}: has no {', '.join(missing)}")
    return [*lines, *reasons(matrix)]


def reasons(matrix: Matrix) -> list[str]:
    """Return the reasons of cells that are not ok; one line for all columns and dtypes that have the same."""
    lines: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for name in matrix.versions:
        for dtype in matrix.dtypes:
            columns, having = matrix.columns_of(dtype), dict[str, list[str]]()
            for column in columns:
                cell = _cell(matrix, dtype, column, name)
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
    return ", ".join(columns) if len(columns) <= NAMED else f"{len(columns)} columns"


def _title(dtype: str) -> str:
    return f"largest error, {dtype} (tolerance {agreement.tolerance_of(dtype):.0e})"


def _cell(matrix: Matrix, dtype: str, column: str, name: str) -> Cell:
    return matrix.cells.get((name, dtype, column), NOT_REACHED)


def _columns(matrix: Matrix, dtype: str, names: Sequence[str]) -> list[Column]:
    """Return the columns of a table. Its rows are the names of the implementations."""

    def column(name: str) -> Column:
        cell = partial(_cell, matrix, dtype, name)
        style = lambda row: "red" if cell(row).status not in ("ok", NOT_REACHED.status) else ""  # noqa: E731
        return Column(name, name, lambda row: text_of(cell(row)), style=style)

    return [Column("implementation", "implementation", str, words=True, breakable=False), *map(column, names)]

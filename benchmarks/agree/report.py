"""The agreement matrix for a reader: tables for a terminal, and Markdown for a file."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import tables
from benchmarks.agree.matrix import FLUSHES, Matrix
from benchmarks.judge import agreement, extremes
from benchmarks.record import Record
from benchmarks.tables import Column
from benchmarks.words import listed
from impls.core.workloads import MODES, MODES_OF

NAMED = 3
"""The most columns that a reason lists."""
CONTROLS = "negative controls: each is wrong on purpose and must be refused"


def text_of(cell: Record | None) -> str:
    """Return what a table shows of a cell; None was not reached."""
    if cell is None:
        return "–"
    return cell.status if cell.status != "ok" else cell.reason or f"{cell.error or 0.0:.0e}"


def show(matrix: Matrix, console: tables.CleanConsole) -> None:
    """Print a table per dtype: a row per implementation, a column per problem, the largest error in each cell."""
    for dtype in matrix.dtypes:
        columns = list(matrix.columns_of(dtype))
        for size in range(
            len(columns), 0, -1
        ):  # as many columns side by side as fit into the terminal
            parts = [
                tables.terminal(
                    _columns(matrix, dtype, columns[k : k + size]), matrix.versions, _title(dtype)
                )
                for k in range(0, len(columns), size)
            ]
            if tables.all_fit(parts, console):
                break
        for part in parts:
            console.print(part)
    for line in notes(matrix):
        console.print(line, markup=False, highlight=False)


def markdown(matrix: Matrix, where: Sequence[str], controls: Sequence[str], last: str) -> str:
    """Return the whole matrix in Markdown, with where it was made, and the result of each negative control."""
    parts = ["# Agreement with the float64 reference", last, tables.items(where)]
    for dtype in matrix.dtypes:
        columns = _columns(matrix, dtype, list(matrix.columns_of(dtype)))
        parts += [f"## {_title(dtype)}", tables.markdown(columns, matrix.versions)]
    if lines := notes(matrix):
        parts += ["## Notes", tables.items(lines)]
    parts += [f"## {CONTROLS.capitalize()}", tables.items(controls)]
    return "\n\n".join(part for part in parts if part) + "\n"


def notes(matrix: Matrix) -> list[str]:
    """Return what the tables do not say: what their words mean, which modes are missing, and the reasons."""
    shown = {column for dtype in matrix.dtypes for column in matrix.columns_of(dtype)}
    lines = [f"{name}: {meaning}" for name, meaning in extremes.EXTREMES.items() if name in shown]
    if any(cell.reason == FLUSHES for cell in matrix.cells.values()):
        lines.append(
            "flushes: results below the smallest normal number become zero, a fact and no fault"
        )
    if matrix.missing:
        lines.append("–: not reached before this was interrupted")
    workloads = {each.workload for benchmarks in matrix.benchmarks.values() for each in benchmarks}
    wanted = [mode for mode in MODES if any(mode in MODES_OF[workload] for workload in workloads)]
    for name, modes in sorted(matrix.modes.items()):
        if missing := [mode for mode in wanted if mode not in modes]:
            lines.append(f"{name}: has no {', '.join(missing)}")
    return [*lines, *reasons(matrix)]


def reasons(matrix: Matrix) -> list[str]:
    """Return the reasons of cells that are not ok; one line for all columns and dtypes that have the same."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name in matrix.versions:
        for dtype in matrix.dtypes:
            columns, having = matrix.columns_of(dtype), dict[str, list[str]]()
            for column in columns:
                cell = matrix.cells.get((name, dtype, column))
                if cell and cell.status != "ok":
                    having.setdefault(f"{cell.status}: {cell.reason}", []).append(column)
            for what, those in having.items():
                where = ", ".join(those) if len(those) <= NAMED else f"{len(those)} columns"
                where = "everywhere" if len(those) == len(columns) > 1 else where
                lines.setdefault((name, where, what), []).append(dtype)
    return [
        f"{name}, {listed(dtypes)}, {where}: {what}"
        for (name, where, what), dtypes in lines.items()
    ]


def _title(dtype: str) -> str:
    return f"largest error, {dtype} (tolerance {agreement.tolerance_of(dtype):.0e})"


def _columns(matrix: Matrix, dtype: str, names: Sequence[str]) -> list[Column]:
    """Return the columns of a table. Its rows are the names of the implementations."""

    def column(name: str) -> Column:
        def cell(implementation: str) -> Record | None:
            return matrix.cells.get((implementation, dtype, name))

        def style(implementation: str) -> str:
            found = cell(implementation)
            return "red" if found and found.status != "ok" else ""

        return Column(name, name, lambda row: text_of(cell(row)), style=style)

    return [
        Column("implementation", "implementation", str, words=True, breakable=False),
        *map(column, names),
    ]

"""The agreement matrix for a reader: tables for a terminal, and Markdown for a file."""

import collections
import itertools
from collections.abc import Mapping, Sequence

from benchmarks import tables
from benchmarks.agree.matrix import Matrix
from benchmarks.cases import AGREE_OPTIONS
from benchmarks.cells import Agreement, Cell
from benchmarks.judge import agreement, extremes
from benchmarks.metadata import Metadata
from benchmarks.tables import Column
from benchmarks.words import listed
from impls.core.workloads import MODES, MODES_OF

NAMED = 3
"""The most columns that a reason lists."""
IMPLEMENTATION = Column("implementation", "implementation", str, words=True, breakable=False)


def show(matrix: Matrix, console: tables.CleanConsole) -> None:
    """Print a table per dtype: a row per implementation, a column per problem, the largest error in each cell."""
    for dtype in matrix.columns:
        columns = _columns(matrix, dtype)
        # as many columns side by side as fit into the terminal
        for size in range(len(columns), 0, -1):
            parts = [
                tables.terminal(
                    [IMPLEMENTATION, *columns[k : k + size]], matrix.versions, _title(dtype)
                )
                for k in range(0, len(columns), size)
            ]
            if tables.all_fit(parts, console):
                break
        for part in parts:
            console.print(part)
    for line in notes(matrix):
        console.print(line, markup=False, highlight=False)


def markdown(
    matrix: Matrix, where: Sequence[str], refused: Mapping[str, str | None], last: str
) -> str:
    """Return the whole matrix in Markdown, with where it was made, and why each negative control was refused."""
    parts = ["# Agreement with the float64 reference", last, tables.items(where)]
    for dtype in matrix.columns:
        columns = [IMPLEMENTATION, *_columns(matrix, dtype)]
        parts += [f"## {_title(dtype)}", tables.markdown(columns, matrix.versions)]
    lines = notes(matrix)
    if lines:
        parts += ["## Notes", tables.items(lines)]
    parts.append("## Negative controls: each is wrong on purpose and must be refused")
    results = []
    for name, reason in refused.items():
        result = f"refused: {reason}" if reason else "NOT REFUSED: the check is broken"
        results.append(f"{name}: {result}")
    parts.append(tables.items(results))
    return "\n\n".join(filter(None, parts)) + "\n"


def agreement_of(matrix: Matrix, where: Metadata) -> Agreement:
    """Return a matrix as data."""
    cells = []
    for (name, dtype, column), row in matrix.cells.items():
        compared = row.status == "ok"
        is_plain = column == AGREE_OPTIONS[0]
        cells.append(
            Cell(
                implementation=name,
                column=column,
                dtype=dtype,
                versions=row.versions,
                digest=row.digest,
                status=row.status,
                reason=row.reason or "",
                error=row.error,
                kernel=row.kernel,
                modes=tuple(sorted(matrix.modes.get(name, ()))) if compared else (),
                bits=matrix.bits.get((name, dtype)) if is_plain else None,
            )
        )
    return Agreement(where=where, cells=tuple(cells))


def notes(matrix: Matrix) -> list[str]:
    """Return what the tables do not say: what their words mean, which modes are missing, and the reasons."""
    columns = collections.ChainMap(*matrix.columns.values())
    lines = [f"{name}: {meaning}" for name, meaning in extremes.EXTREMES.items() if name in columns]
    if matrix.flushes:
        lines.append(
            "flushes: results below the smallest normal number become zero, a fact and no fault"
        )
    if matrix.missing:
        lines.append("–: not reached before this was interrupted")
    wanted: set[str] = set()
    for benchmark in itertools.chain(*columns.values()):
        wanted.update(MODES_OF[benchmark.workload])
    for name, modes in sorted(matrix.modes.items()):
        missing = [mode for mode in MODES if mode in wanted and mode not in modes]
        if missing:
            lines.append(f"{name}: has no {', '.join(missing)}")
    return [*lines, *reasons(matrix)]


def reasons(matrix: Matrix) -> list[str]:
    """Return the reasons of cells that are not ok; one line for all columns and dtypes that have the same."""
    dtypes_of: dict[tuple[str, str, str], list[str]] = {}
    for name, dtype in itertools.product(matrix.versions, matrix.columns):
        columns = matrix.columns[dtype]
        columns_of: dict[str, list[str]] = {}
        for column in columns:
            cell = matrix.cells.get((name, dtype, column))
            if cell and cell.status != "ok":
                columns_of.setdefault(f"{cell.status}: {cell.reason}", []).append(column)
        for reason, failed in columns_of.items():
            where = ", ".join(failed)
            if len(failed) == len(columns) > 1:
                where = "everywhere"
            elif len(failed) > NAMED:
                where = f"{len(failed)} columns"
            dtypes_of.setdefault((name, where, reason), []).append(dtype)
    return [
        f"{name}, {listed(dtypes)}, {where}: {reason}"
        for (name, where, reason), dtypes in dtypes_of.items()
    ]


def _title(dtype: str) -> str:
    return f"largest error, {dtype} (tolerance {agreement.tolerance_of(dtype):.0e})"


def _columns(matrix: Matrix, dtype: str) -> list[Column]:
    """Return the columns of a table but the first. Its rows are the names of the implementations."""

    def column(name: str) -> Column:
        def text(implementation: str) -> str:
            key = implementation, dtype, name
            cell = matrix.cells.get(key)
            if cell is None:
                return "–"  # not reached
            if cell.status != "ok":
                return cell.status
            return "flushes" if key in matrix.flushes else f"{cell.error or 0.0:.0e}"

        def style(implementation: str) -> str:
            cell = matrix.cells.get((implementation, dtype, name))
            return "red" if cell and cell.status != "ok" else ""

        return Column(name, name, text, style=style)

    return [column(name) for name in matrix.columns[dtype]]

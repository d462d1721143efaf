"""Ways of running an LSTM, by release and option: which are right, from the files that `agree --options` has written.

A way is an implementation: torch.nn.LSTM itself, under torch.compile, exported and so on.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import cells, json_files
from benchmarks.cases import AGREE_OPTIONS
from benchmarks.cells import Agreement, Cell
from benchmarks.processors import words
from impls.core.problem import DTYPES
from reports.frames import began
from reports.history import PUBLISHED

FOLDER = PUBLISHED / "ways"
"""The folder of the published files."""
RIGHT, OTHER, WRONG, RAISES, REFUSES, MISSING = (
    "right",
    "right, another operator",
    "wrong",
    "raises",
    "refuses",
    "not installed",
)
"""What became of a way with an option.

right: it agrees with the reference. Another operator: PyTorch's fused LSTM, which runs without the option, does not.
wrong: a result is another than the reference's. raises: it ends with an error or a crash. refuses: its
library's documentation excludes the option, or it has no such option.
"""
BAD = (WRONG, RAISES)
"""What a program must show."""
OUTCOMES = {
    "ok": RIGHT,
    "disagrees": WRONG,
    "unsupported": REFUSES,
    "not_installed": MISSING,
    "no_device": MISSING,
}
"""What a status of a cell means; any other is RAISES."""
PLAIN = AGREE_OPTIONS[0]
OPTIONS = {
    "": "float32",
    "-l2": "2 layers",
    "-bi": "both directions",
    "-nobias": "no bias",
    "-p3": "projection",
    "-var": "packed rows",
    "-first": "batch first",
    "-l2-drop": "dropout",
    "-anybatch": "another batch",
    "-anylength": "another length",
    **{f"-{dtype}": dtype for dtype in DTYPES[1:]},
}
"""The options in the order of a table, by what they add to an id, with words for them."""
OF_JAX = re.compile(r"\bjax (\d+\.\d+)")
OF_TORCH = re.compile(r"\btorch (\d+\.\d+)")
FUSED = re.compile("rnn|quantized_lstm")
"""In the name of an operator of PyTorch that computes a whole LSTM."""
KEY = ["by", "isa", "library", "way", "release", "suffix"]


def read(folder: Path = FOLDER) -> list[Agreement]:
    """Return the published files, the oldest first."""
    files = [cells.read(path) for path in sorted(folder.glob("*.json"))]
    return sorted(files, key=lambda agreement: agreement.where.run.run_id)


def table(agreements: list[Agreement]) -> pd.DataFrame:
    """Return a row for each way with an option in a release; where files have the same, that of the newest.

    Columns: those of KEY, option, outcome, detail, kernel, inference (whether nothing else was compared), versions,
    bits (see cells.Bits), machine, day, commit.
    """
    rows = [row for agreement in agreements for row in _rows(agreement)]
    frame = pd.DataFrame(rows).drop_duplicates(KEY, keep="last")
    is_fused = frame["kernel"].fillna("").str.contains(FUSED)
    plain = frame[frame["suffix"] == ""][KEY[:-1]].assign(before=is_fused)
    was_fused = frame.merge(plain, how="left", on=KEY[:-1])["before"].set_axis(frame.index)
    is_other = (frame["outcome"] == RIGHT) & (was_fused == True) & ~is_fused  # noqa: E712 - some are missing
    frame.loc[is_other, "outcome"] = OTHER
    frame.loc[is_other, "detail"] = frame["kernel"]
    order = {suffix: number for number, suffix in enumerate(OPTIONS)}
    frame["order"] = frame["suffix"].map(order)
    frame["number"] = frame["release"].map(number_of)
    by = ["by", "isa", "library", "way", "order", "number"]
    return frame.sort_values(by, kind="stable", ignore_index=True)


def named(row: Any) -> str:
    """Return how a program names the way of a row: with the instructions left to it, where they were fewer."""
    return f"{row.way}@{row.isa}" if row.isa else str(row.way)


def number_of(release: str) -> tuple[int, ...]:
    """Return a release as numbers, by which releases are ordered."""
    return tuple(map(int, release.split(".")))


def _rows(agreement: Agreement) -> Iterator[dict[str, object]]:
    """Yield the rows of a file: a cell of another problem than AGREE_OPTIONS has none."""
    where = agreement.where
    isa = where.variables.get("ONEDNN_MAX_CPU_ISA", "")
    common = {
        "by": agreement.by,
        "isa": isa,
        "machine": words(where.machine),
        "day": began(where.run.run_id),
        "commit": (where.commit.id or "unknown")[:12],
    }
    versions = _versions(agreement)
    for cell in agreement.cells:
        if cell.column not in AGREE_OPTIONS or cell.implementation not in versions:
            continue
        yield {**common, **_of_cell(cell, versions[cell.implementation])}


def _versions(agreement: Agreement) -> dict[str, str]:
    """Return the versions of each implementation that has started: what is refused before has none in its cell."""
    versions = {}
    for cell in agreement.cells:
        text = cell.versions or ""
        if OF_JAX.search(text) or OF_TORCH.search(text):
            versions[cell.implementation] = text
    return versions


def _of_cell(cell: Cell, versions: str) -> dict[str, object]:
    library = "torch"
    found = OF_TORCH.search(versions)
    of_jax = OF_JAX.search(versions)
    if of_jax:
        library = "jax"
        found = of_jax
    assert found
    suffix = cell.column.removeprefix(PLAIN)
    if cell.dtype != DTYPES[0]:
        suffix = f"-{cell.dtype}"
    return {
        "library": library,
        "release": found[1],
        "way": cell.implementation.partition("@")[0],
        "suffix": suffix,
        "option": OPTIONS[suffix],
        "outcome": OUTCOMES.get(cell.status, RAISES),
        "detail": cell.reason,
        "kernel": cell.kernel,
        "inference": cell.modes == ("forward",),
        "versions": versions,
        "bits": cell.bits,
    }


def faults(agreement: Agreement) -> Iterator[str]:
    """Yield each reason why a file can't be published; none means that it can."""
    if not list(_rows(agreement)):
        yield "it has no cell of `agree --options`"
    if not agreement.where.commit.id:
        yield "its commit is not known"
    elif agreement.where.commit.dirty:
        yield "files differed from its commit: commit them, and compare again"


def publish(agreement: Agreement, folder: Path = FOLDER) -> Path:
    """Write a file to the published ones, remove those of which it has every row, and return its place."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{agreement.where.run.run_id}.json"
    json_files.write(place, agreement)
    new = _keys(agreement)
    for path in folder.glob("*.json"):
        if path != place and _keys(cells.read(path)) <= new:
            path.unlink()
    return place


def _keys(agreement: Agreement) -> set[tuple[object, ...]]:
    """Return the keys of a file's rows."""
    return {tuple(row[name] for name in KEY) for row in _rows(agreement)}

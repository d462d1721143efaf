"""The tables of which way of running an LSTM is right with which option, in which release."""

from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

import pandas as pd

from benchmarks.tables import markdown_table
from benchmarks.words import count, listed
from reports import programs, ways
from reports.publishing.figures import Published
from reports.ways import BAD, OPTIONS, OTHER, WRONG

LIBRARIES = {"torch": "PyTorch", "jax": "JAX"}
SHORT = {OTHER: "other operator"}
"""The words of a cell, where those of an outcome are too long."""


def rows() -> pd.DataFrame:
    """Return the rows of all published files: see ways.table."""
    return ways.table(ways.read())


def of_library(library: str, _: Published) -> str:
    """Return the table of a library: its ways, by the project's own machines, with all their instructions."""
    every = rows().query("by == '' and isa == ''")
    every = every[every["library"] == library]
    return _table(every)


def with_fewer_instructions(_: Published) -> str:
    """Return the table of the dtypes where newer instructions than AVX2 are kept from the libraries."""
    every = rows().query("by == '' and isa != ''")
    return _table(every)


def _table(every: pd.DataFrame) -> str:
    """Return a table with a row for each way and a column for each option, and where it was made."""
    if every.empty:
        return "None has been compared yet."
    suffixes = [suffix for suffix in OPTIONS if suffix in {*every["suffix"]}]
    found = programs.programs()
    body = []
    for way, of_way in every.groupby("way", sort=False):
        cells = [f"`{way}`"]
        cells += [_cell(of_way[of_way["suffix"] == suffix], found) for suffix in suffixes]
        body.append(cells)
    heads = ["way", *(OPTIONS[suffix] for suffix in suffixes)]
    return f"{_about(every)}\n\n{markdown_table(body, heads)}"


def _cell(of_cell: pd.DataFrame, found: list[programs.Program]) -> str:
    """Return the outcomes of a cell, the oldest release first; a new one names its release."""
    texts = []
    row: Any
    for row in of_cell.itertuples():
        text = SHORT.get(row.outcome, row.outcome)
        program = programs.of_row(found, row)
        if program:
            text = f"[{text}](programs/{program.path.name})"
        if row.outcome == WRONG:
            text = f"**{text}**"
        texts.append((text, row.release))
    words: list[str] = []
    for text, group in groupby(texts, key=lambda each: each[0]):
        _, release = next(group)
        words.append(f"{text} from {release}" if words else text)
    return ", ".join(words) or "–"


def _about(every: pd.DataFrame) -> str:
    """Return with which releases, when and where a table's cells were compared."""
    tried = []
    for library, of_library in every.groupby("library", sort=False):
        releases = listed(sorted(of_library["release"].unique(), key=ways.number_of))
        tried.append(f"{LIBRARIES[str(library)]} {releases}")
    numbers = every["outcome"].value_counts()
    counts = ", ".join(
        f"{number} {SHORT.get(str(outcome), outcome)}" for outcome, number in numbers.items()
    )
    return (
        f"{'; '.join(tried)}; {every['day'].max()}, {listed(sorted(every['machine'].unique()))}."
        f" {count(len(every), 'cell')}: {counts}."
    )


def of_others(_: Published) -> str:
    """Return for each machine that is not the project's own how many of its cells agree, and which do not."""
    every = rows().query("by != ''")
    body = []
    for (by, machine, day, commit), of_machine in every.groupby(
        ["by", "machine", "day", "commit"], sort=False
    ):
        good = of_machine["outcome"].isin([ways.RIGHT, OTHER])
        bad = of_machine[of_machine["outcome"].isin(BAD)]
        named = [f"`{row.way}`, {row.option}: {row.outcome}" for row in bad.itertuples()]
        versions = "; ".join(of_machine["versions"].unique())
        about = f"{machine}, {day}, commit {commit}; {versions}"
        body.append([by, about, f"{good.sum()} of {len(of_machine)}", "; ".join(named)])
    if not body:
        return "None has been sent yet."
    return markdown_table(body, ["by", "machine", "cells that are right", "wrong or raising"])


def same_bits(_: Published) -> str:
    """Return by how much a row's output differs in float32, of each way in the newest release of its library."""
    every = rows().query("by == '' and isa == '' and suffix == ''").dropna(subset="bits")
    body = []
    for way, of_way in every.groupby("way", sort=False):
        newest = of_way.iloc[-1]
        differences = [newest["bits"].next_call, newest["bits"].alone, newest["bits"].threads]
        release = f"{LIBRARIES[newest['library']]} {newest['release']}"
        body.append([f"`{way}`", release, *map(_difference, differences)])
    heads = ["way", "release", "next call", "alone in its batch", "two threads of PyTorch"]
    return f"{_about(every)}\n\n{markdown_table(body, heads)}"


def _difference(largest: float | None) -> str:
    """Return a difference in words."""
    if largest is None:
        return "–"
    return f"{largest:.0e}" if largest else "same bits"


def shown_programs(_: Published) -> str:
    """Return the table of the programs: what each shows, with which releases it fails, and what to do instead."""
    body = []
    for program in programs.programs():
        thread = f" [Source]({program.thread})" if program.thread else ""
        fails = ", ".join(f"`{each}`" for each in program.fails)
        link = f"[{program.path.stem}](programs/{program.path.name})"
        body.append([f"{program.claim}{thread}", fails, program.instead, link])
    return markdown_table(body, ["what goes wrong", "fails with", "instead", "program"])


BLOCKS: dict[str, Callable[[Published], str]] = {
    "ways-torch": partial(of_library, "torch"),
    "ways-jax": partial(of_library, "jax"),
    "ways-avx2": with_fewer_instructions,
    "ways-others": of_others,
    "bits": same_bits,
    "programs": shown_programs,
}

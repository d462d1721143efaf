"""The same file in several environments of a run: did a release of a framework get slower?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import listed
from reports.code_age import file_of
from reports.frames import ARM, BENCHMARK
from reports.report import PURPOSES, Answer, Report, in_order, pair_ratios
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER, verdicts


def compared(report: Report, base: Literal["first", "last"] = "last") -> pd.DataFrame:
    """Return the row of each release but a base, with the ratio of its time to the base's, oldest first.

    The base is the `last` release of a file or its `first`. Further columns: file, base, release and base_release, such
    as `jax 0.4.31`; verdict, as of a run's ratios.
    """
    rows = report.sound[[*ARM, "versions", "older", "position", "where"]]
    rows = rows.assign(file=file_of(rows["implementation"]))
    rows["order"] = rows["versions"].str.replace(
        r"\d+", lambda number: number[0].zfill(9), regex=True
    )
    rows["present"] = rows["implementation"] == rows["file"]  # again beside the release that it is
    rows = rows.sort_values(["file", "order", "present"], kind="stable")
    rows = rows.drop_duplicates([*BENCHMARK, "file", "versions"])
    rows["release"] = [name.partition("@")[2].replace("==", " ") for name in rows["implementation"]]
    for name, of in (("base", "implementation"), ("base_release", "release")):
        rows[name] = rows.groupby("file")[of].transform(base)
    found = pair_ratios(report, rows[rows["implementation"] != rows["base"]], "base")
    return found.assign(verdict=verdicts(found) if len(found) else "")


def make(report: Report) -> Iterator[Answer]:
    """Yield the ratio of the time of each release to that of the newest, of the files that have several."""
    found = compared(report)
    if found.empty:
        return
    slower = found[found["verdict"] == FASTER]
    said = "No older release is clearly faster than the newest."
    if len(slower):
        most = slower.sort_values("ratio").iloc[0]
        said = (
            f"An older release is faster in {len(slower)} of {len(found)} rows: {most['implementation']} takes"
            f" {most['ratio']:.2f} × {most['base']}'s time at {most['where']} ({PURPOSES[most['mode']].lower()})."
        )
    columns = (
        *WHERE,
        words_of("implementation"),
        words_of("versions"),
        Column("ratio", "time, × the newest [95 %]", ratio()),
        words_of("verdict"),
    )
    packages = found["implementation"].str.extract(r"@([\w-]+)", expand=False).dropna().unique()
    yield Answer(
        f"Did a release of {listed([*map(str, packages)])} get slower?",
        said,
        columns,
        in_order(found),
    )

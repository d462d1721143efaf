"""The same file in several environments of a run: did a release of a framework get slower?"""

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
        r"(\d+)", lambda number: number[0].zfill(9), regex=True
    )
    rows = rows.sort_values(["file", "order", "implementation"], kind="stable")
    # the present one may be there again, under its file's name, beside the release that it is
    rows = rows.drop_duplicates([*BENCHMARK, "file", "versions"], keep="last")
    requirement = rows["implementation"].str.replace(r"^[^@]*@?", "", regex=True)
    rows["release"] = requirement.str.replace("==", " ")
    names = rows.groupby("file")[["implementation", "release"]]
    rows[["base", "base_release"]] = names.transform(base)
    others = pair_ratios(report, rows[rows["implementation"] != rows["base"]], "base")
    return others.assign(verdict=verdicts(others))


def make(report: Report) -> Iterator[Answer]:
    """Yield the ratio of the time of each release to that of the run's newest, of the files that have several."""
    rows = compared(report)
    if rows.empty:
        return
    faster = rows[rows["verdict"] == FASTER]
    bases = listed([*rows["base"].unique()])
    sentence = f"No older release is clearly faster than {bases}."
    if len(faster):
        most = faster.sort_values("ratio").iloc[0]
        sentence = (
            f"An older release is faster in {len(faster)} of {len(rows)} rows: {most['implementation']} takes"
            f" {most['ratio']:.2f} × {most['base']}'s time at {most['where']} ({PURPOSES[most['mode']].lower()})."
        )
    columns = (
        *WHERE,
        words_of("implementation"),
        words_of("versions"),
        Column("ratio", "time, × the newest in this run [95 %]", ratio()),
        words_of("verdict"),
    )
    packages = rows["implementation"].str.extract(r"@([\w-]+)", expand=False).dropna().unique()
    question = f"Did a release of {listed([*packages])} get slower?"
    yield Answer(question, [sentence], columns, in_order(rows))

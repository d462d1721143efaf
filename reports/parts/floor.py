"""How many times the floor's time the best implementation of each track takes."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.columns import Column
from benchmarks.words import listed
from reports import formatting
from reports.answer import NAMED, WHERE, Answer, best, in_order, training
from reports.columns import ratio, words_of
from reports.report import Report
from reports.tracks import FLOOR

SECTION, ORDER = "more", 62


def make(report: Report) -> Iterator[Answer]:
    """Yield how far each track is from the floor, where the run has one."""
    known = report.sound[report.sound["floor_ratio"].notna() & (report.sound["track"] != FLOOR)]
    if known.empty:
        return
    nearest_of = best(known, "floor_ratio")
    said = ["The floor is only the matrix products that every LSTM needs."]
    steps = training(nearest_of)
    if len(steps):
        nearest = steps.loc[steps.groupby("where", sort=False)["floor_ratio"].idxmin()]
        many = len(nearest) > NAMED
        named = nearest.sort_values("floor_ratio").iloc[[0, -1]] if many else nearest
        ratios = [f"{row.floor_ratio:.2f} × at {row.where} ({row.implementation})" for row in named.itertuples()]
        said.append(f"The best training step takes {' to '.join(ratios) if many else listed(ratios)}.")
    if (nearest_of["floor_ratio_high"] < 1).any():
        said.append("Where the whole interval is below 1 ×, there are faster products for that size than the floor's.")
    columns = (
        *WHERE,
        words_of("track"),
        words_of("implementation", "nearest"),
        Column("ratio", "time, × floor [95 %]", ratio("floor_ratio")),
        Column("peak", "% of peak", lambda row: formatting.share(row.peak_share)),
    )
    yield Answer("How far is each from the floor?", " ".join(said), columns, in_order(nearest_of))

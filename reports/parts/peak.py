"""Which share of the peak the best implementation of each track reaches."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.tables import Column
from benchmarks.words import listed
from reports import formatting
from reports.frames import BENCHMARK
from reports.report import NAMED, Answer, Report, in_order, training
from reports.tables import WHERE, number, words_of

SECTION, ORDER = "more", 62


def make(report: Report) -> Iterator[Answer]:
    """Yield how far each track is from the peak, where it was timed and is a limit."""
    sound = report.sound
    known = sound[sound["peak_share_low"].notna() & (sound["device"] == "cpu")]
    if known.empty:
        return
    share = number("peak_share", formatting.share)
    of_track = known.groupby([*BENCHMARK, "track"], sort=False, observed=True)
    nearest_of = known.loc[of_track["seconds"].idxmin()]
    said = ["The peak is what multiply-adds in registers reach. No LSTM can be faster."]
    steps = training(nearest_of)
    if len(steps):
        nearest = steps.loc[steps.groupby("where", sort=False)["peak_share"].idxmax()]
        many = len(nearest) > NAMED
        named = nearest.sort_values("peak_share").iloc[[0, -1]] if many else nearest
        shares = [f"{share(row)} of it at {row.where} ({row.implementation})" for row in named.itertuples()]
        said.append(f"The best training step reaches {' to '.join(shares) if many else listed(shares)}.")
    columns = (
        *WHERE,
        words_of("track"),
        words_of("implementation", "nearest"),
        Column("peak", "% of peak", share),
    )
    yield Answer("How far is each from the peak?", " ".join(said), columns, in_order(nearest_of))

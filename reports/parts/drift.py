"""Whether the machine drifted: the time of each block relative to the median of its arms, over the run's minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import pandas as pd

from reports.charts import marks
from reports.charts.drawing import Drawing, file_name
from reports.charts.style import BLUE, SOFT
from reports.frames import ARM, BENCHMARK, KEY, Run
from reports.report import Report

SECTION, ORDER, FROM = "trust", 80, "head"
MIDDLE = {"low": 0.1, "middle": 0.5, "high": 0.9}
"""The quantiles of the turns of a block that are shown."""


def make(report: Report) -> Iterator[Drawing]:
    """Yield one chart, if turns say when they ran: a panel for each of the first problems."""
    arms = report.summary.loc[report.summary["status"] == "ok", ARM]
    found = blocks(report.run, arms)
    if found["minutes"].max() > 0:
        yield _drawing(found)


def blocks(run: Run, arms: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each block of each benchmark, of the turns of these arms, in the order of time.

    Columns: those that name the block, minutes since the first turn, and low, middle and high of the times of turns
    relative to the median of their arm.
    """
    chosen = pd.MultiIndex.from_frame(run.records[ARM]).isin(pd.MultiIndex.from_frame(arms))
    turns = run.turns.merge(run.records.loc[chosen, KEY], left_on="record", right_index=True)
    turns = turns.dropna(subset="started").sort_values("started", kind="stable")
    turns["minutes"] = (turns["started"] - turns["started"].min()) / 60
    turns["relative"] = turns["seconds"] / turns.groupby(ARM, observed=True)["seconds"].transform("median")
    of_block = turns.groupby([*BENCHMARK, "replicate", "block"], observed=True, sort=False)
    times = pd.DataFrame({name: of_block["relative"].quantile(share) for name, share in MIDDLE.items()})
    return times.assign(minutes=of_block["minutes"].mean()).reset_index().sort_values("minutes")


def _drawing(data: pd.DataFrame) -> Drawing:
    data, problems, more = marks.first(data)
    data = data.assign(**marks.words(data, "problem"))
    shown = data[["problem", "replicate", "minutes", *MIDDLE]]
    ends = [min(0.8, float(data["low"].min())), max(1.25, float(data["high"].quantile(0.98)))]
    longest = float(data["minutes"].max())

    def chart(width: int) -> Any:
        axis = alt.Axis(title="minutes since the run's first turn", tickCount=6)
        x = alt.X("minutes:Q", scale=alt.Scale(domain=[0, longest], nice=False), axis=axis)
        scale = alt.Scale(domain=ends, clamp=True, nice=False, zero=False)
        y = alt.Y("middle:Q", scale=scale, axis=alt.Axis(title=None, grid=True, tickCount=4))
        one = alt.Chart(pd.DataFrame({"at": [1]})).mark_rule(color=SOFT, strokeWidth=1)
        spread = alt.Chart().mark_area(color=BLUE, opacity=0.3)
        spread = spread.encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", detail="replicate:N")
        line = alt.Chart().mark_line(color=BLUE, strokeWidth=1.2).encode(x=x, y=y, detail="replicate:N")
        panel = alt.layer(one.encode(y=alt.Y("at:Q", scale=scale)), spread, line).properties(
            width=width - 70, height=90
        )
        return panel.facet(facet=alt.Facet("problem:N", sort=problems, title=None), columns=1, data=shown)

    text = (
        "Lines over the minutes of the run, a panel for each problem and a line for each replicate: the time of each"
        " block relative to the median of its implementations over the run, with the middle 80 % of the block's turns."
    )
    title = "Drift: time over the median of the run, block by block" + more
    return Drawing(file_name("drift"), title, text, None, None, [], chart)

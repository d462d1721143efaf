"""Who is fastest in its track: only who is statistically apart from every other; else those who are tied."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.statistics.multiplicity import holm
from reports import estimates
from reports.frames import ARM, BENCHMARK
from reports.verdict import ALPHA, FLOOR

FASTEST, TIED = "fastest", "tied"
CONTEST = [*BENCHMARK, "track"]
"""What arms are ranked within: the tracks are never mixed."""


def places(summary: pd.DataFrame, blocks: pd.DataFrame) -> pd.Series:
    """Per row of a summary: `fastest`, `tied` (with the least time; nobody is fastest then), or nothing.

    Every arm of a contest is compared with the one of least time, block by block; Holm over all those of the run.
    Of a pair that holds the baseline the table's verdict is taken. Nothing is said where there is no contest, where
    there is one replicate, or where somebody was never measured beside the one of least time.
    """
    found = pd.Series("", index=summary.index, dtype=object)
    running = summary[(summary["status"] == "ok") & (summary["track"] != FLOOR)]
    contests = [rows for _, rows in running.groupby(CONTEST, sort=False, observed=True) if len(rows) > 1]
    if not contests:
        return found
    best: list[Any] = [rows["ratio" if rows["ratio"].notna().all() else "seconds"].idxmin() for rows in contests]
    compared = _against_best(blocks, contests, best)
    apart = holm(compared["ratio_p"].to_numpy(float)) < ALPHA
    compared = compared.assign(apart=apart & (compared["ratio"].to_numpy(float) > 1), told=compared["ratio_n"] > 1)
    told = compared.groupby("contest")["told"].all()
    for k, (index, rows) in enumerate(zip(best, contests, strict=True)):
        here = compared[compared["contest"] == k]
        if not told.get(k, False) or len(here) < len(rows) - 1:
            continue
        tied = rows.index[rows["implementation"].isin(here.loc[~here["apart"], "implementation"])]
        # a pair has one verdict: what the table says of the baseline and another holds here too
        base = rows.index[rows["verdict"] == "baseline"]
        if index in base:
            tied = rows.index[(rows["verdict"] != "slower") & (rows.index != index)]
        elif len(base):
            tied = tied.drop(base, errors="ignore")
            tied = tied if rows.loc[index, "verdict"] == "faster" else tied.append(base)
        found[index] = TIED if len(tied) else FASTEST
        found[tied] = TIED
    return found


def _against_best(blocks: pd.DataFrame, contests: list[pd.DataFrame], best: list[Any]) -> pd.DataFrame:
    """Every other arm's ratio to its contest's best, all of the run in one frame, since they share a variance."""
    entered = pd.concat([rows[ARM].assign(contest=k) for k, rows in enumerate(contests)])
    entered["name"] = entered["implementation"].where(~entered.index.isin(best), _BEST)
    # words as the blocks have them: to merge those of another kind takes long
    kinds = {name: blocks[name].dtype for name in ARM}
    together = blocks.merge(entered.astype({**kinds, "name": "category", "contest": "category"}), on=ARM)
    # ratios are taken within BENCHMARK: the contest's number stands in for the workload
    together = together.drop(columns=["implementation", "workload"])
    together = together.rename(columns={"name": "implementation", "contest": "workload"})
    found = estimates.ratios_of(together, _BEST).rename(columns={"workload": "contest"})
    back = entered.loc[~entered.index.isin(best), ["contest", "implementation"]]
    return found.merge(back, on=["contest", "implementation"])


_BEST = "\0best"

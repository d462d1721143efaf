"""Near or far: how far apart a virtual machine's host keeps the processors, and the ratios in each of the two states.

A cache line that goes from one processor to the other and back takes 40 to 200 ns where they share a die, and 300 to
500 ns where they do not. Threads that wait for each other pay that at every step, so some ratios depend on it.
"""

import numpy as np
import pandas as pd

from benchmarks.words import share
from reports.estimates import Blocks, blocks_of, sound
from reports.frames import ARM, Run
from reports.history import NOTHING

FAR_SECONDS = 250e-9
"""From this round trip on, processors are far."""
STATES = ("near", "far")
LEAST_SHARE = 0.1
"""The least share of a round's turns that a state must have for ratios of its own."""


def of_turns(run: Run) -> pd.Series:
    """Return the state of each turn; nothing for those that have none."""
    seconds = run.turns["round_trip_seconds"].dropna()
    return pd.Series(np.where(seconds < FAR_SECONDS, *STATES), index=seconds.index, dtype=object)


def words(run: Run) -> str:
    """Return how near the processors were, such as `a cache line takes 112 ns to the other processor and back`."""
    seconds = run.turns["round_trip_seconds"].dropna()
    if seconds.empty:
        return ""
    low, middle, high = 1e9 * seconds.quantile([0.05, 0.5, 0.95])
    far = share((of_turns(run) == "far").mean())
    return (
        f"a cache line takes {middle:.0f} ns to the other processor and back ({low:.0f} to {high:.0f} in 90 % of turns)"
        f"; the processors were far in {far}"
    )


def ratios(run: Run) -> pd.DataFrame:
    """Return the ratios to the baseline in each state, of those rows whose ratio depends on it.

    It does where the intervals of both states, about this run only, have nothing in common. Only rounds in which no
    state is rare count, since a state that has a round of its own would look like it.

    Columns: ARM; for each state ratio_STATE with _low and _high, from the turns in that state alone.
    """
    states = of_turns(run)
    rounds = run.turns["record"].map(run.records["run_id"])
    is_far = states == STATES[1]
    share_far = is_far.groupby(rounds).transform("mean")
    both_there = share_far.between(LEAST_SHARE, 1 - LEAST_SHARE)
    turns = [run.turns.loc[states.index[both_there & (states == state)]] for state in STATES]
    near, far = (_ratios(run, in_state, NOTHING) for in_state in turns)
    this_run = near.merge(far, on=ARM, suffixes=("_near", "_far"))
    apart = (this_run["ratio_low_near"] > this_run["ratio_high_far"]) | (
        this_run["ratio_low_far"] > this_run["ratio_high_near"]
    )
    rows = this_run.loc[apart, ARM]
    for state, in_state in zip(STATES, turns, strict=True):
        ends = {f"ratio{end}": f"ratio_{state}{end}" for end in ("", "_low", "_high")}
        shown = _ratios(run, in_state, blocks_of(run).lasting).rename(columns=ends)
        rows = rows.merge(shown, on=ARM)
    return rows


def _ratios(run: Run, turns: pd.DataFrame, lasting: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios to the baseline from some turns, with their intervals and ARM."""
    columns = [*ARM, "ratio", "ratio_low", "ratio_high"]
    if turns.empty:
        return pd.DataFrame(columns=columns)
    blocks = Blocks(turns, sound(run.records), lasting)
    return blocks.with_ratios(blocks.others(run.baseline), run.baseline)[columns]

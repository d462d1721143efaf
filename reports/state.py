"""Near or far: how far apart a virtual machine's host keeps the processors, and the ratios in each of the two states.

A cache line that goes from one processor to the other and back takes 40 to 200 ns where they share a die, and 300 to
500 ns where they do not. Threads that wait for each other pay that at every step, so some ratios depend on it.
"""

import numpy as np
import pandas as pd

from benchmarks.words import share
from reports.estimates import Blocks, sound
from reports.frames import ARM, Run

FAR_SECONDS = 250e-9
"""From this round trip on, processors are far."""
STATES = ("near", "far")
LEAST_SHARE = 0.1
"""The least share of the turns that a state must have for ratios of its own."""


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

    It does where the intervals of both states have nothing in common. Where a state is rare there is no row.

    Columns: ARM; for each state ratio_STATE with _low and _high, from the turns in that state alone.
    """
    near, far = (_in_state(run, state) for state in STATES)
    both = near.merge(far, on=ARM)
    apart = (both["ratio_near_low"] > both["ratio_far_high"]) | (
        both["ratio_far_low"] > both["ratio_near_high"]
    )
    return both[apart]


def _in_state(run: Run, state: str) -> pd.DataFrame:
    """Return the ratios from the turns in a state, with ARM; no row where these are few."""
    ends = {f"ratio{end}": f"ratio_{state}{end}" for end in ("", "_low", "_high")}
    states = of_turns(run)
    turns = run.turns.loc[states.index[states == state]]
    if states.empty or len(turns) < LEAST_SHARE * len(states):
        return pd.DataFrame(columns=[*ARM, *ends.values()])
    blocks = Blocks(turns, sound(run.records))
    rows = blocks.with_ratios(blocks.others(run.baseline), run.baseline)
    return rows[[*ARM, *ends]].rename(columns=ends)

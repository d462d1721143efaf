"""One benchmark over many runs: what it took in each, and where its level changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

try:
    import ruptures
except ImportError:  # it declares no Python from 3.14 on
    ruptures = None

from reports.frames import BENCHMARK, Run

LOOKED_FOR = ruptures is not None
"""Whether changes can be looked for here."""
ESTIMATES = [f"{name}{end}" for name in ("seconds", "ratio") for end in ("", "_low", "_high")]

LEAST = 8
"""Points below which no change is looked for: the noise can't be told from the level."""
PENALTY = 12.0
"""What a change must spare, in squared standard deviations of the noise.

Where nothing changes, 2.4 to 3.0 % of series of 8 to 50 points show a change all the same (12 000 simulated series of
each of eleven lengths, the noise estimated from them); at 10 it is 3.9 to 5.5 %. A step of five standard deviations in
the middle of 20 points spares 125.
"""
LONE = 2
"""Fewest points of a level: one run that stands out is no change."""


def machine_label(run: Run) -> str:
    """What times may be compared on: processor, GPU where it has one, and threads."""
    machine, threads = run.environment["machine"], run.options.get("threads")
    gpu = f" + {machine['gpu']}" if machine.get("gpu") else ""
    return f"{machine['cpu']}{gpu}, {'unknown' if threads is None else threads} threads"


def began(run_id: str) -> Any:
    """When a run began, in UTC, as its id says; NaT where it does not."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def history(runs: Sequence[Run], summaries: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A row per machine, BENCHMARK, implementation and run in which it was measured; the oldest run first.

    Columns: machine, BENCHMARK, implementation, run_id, date, commit, versions; seconds and ratio (to the run's own
    baseline), each with _low and _high; baseline.
    """
    parts = []
    for run, summary in zip(runs, summaries, strict=True):
        run_id = str(run.options["run_id"])
        known = {
            "machine": machine_label(run),
            "run_id": run_id,
            "date": began(run_id),
            "commit": run.environment["commit"]["id"],
            "baseline": run.options["baseline"],
        }
        kept = summary.loc[summary["status"] == "ok", [*BENCHMARK, "implementation", "versions", *ESTIMATES]]
        parts.append(kept.assign(**known))
    series = ["machine", *BENCHMARK, "implementation"]
    columns = [*series, "run_id", "date", "commit", "versions", *ESTIMATES, "baseline"]
    if not parts:
        return pd.DataFrame(columns=columns)
    found = pd.concat(parts, ignore_index=True)[columns]
    return found.sort_values([*series, "date", "run_id"], kind="stable", ignore_index=True)


def noise(values: np.ndarray, errors: np.ndarray) -> float:
    """The standard deviation of values around their level, whatever steps the level takes.

    From the median distance of neighbours and next ones, which a few steps leave alone; never less than the median
    of the values' own errors.
    """
    near = np.abs(np.concatenate([values[1:] - values[:-1], values[2:] - values[:-2]]))
    known = errors[np.isfinite(errors)]
    own = float(np.median(known)) if len(known) else 0.0
    return max(float(np.median(near)) / 0.6745 / 2**0.5, own, 1e-12)


def change_points(values: np.ndarray, errors: np.ndarray) -> list[int]:
    """Where the level of a series changes: the indices of the first value of each new level.

    `values` are log ratios in the order of their runs, all of one machine; `errors` their standard errors, infinite
    where unknown. Below LEAST values there is none: none can be shown.
    """
    if not LOOKED_FOR or len(values) < LEAST:
        return []
    found = ruptures.Pelt(model="l2", min_size=LONE, jump=1).fit(values / noise(values, errors)).predict(pen=PENALTY)
    return [int(k) for k in found[:-1]]

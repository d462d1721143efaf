"""One benchmark over many runs: its time and ratio in each, and where their level changed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.metadata import UNKNOWN, name_and_driver
from benchmarks.words import count
from impls.core.precision import TF32
from reports.frames import BENCHMARK, Run

AVAILABLE = importlib.util.find_spec("ruptures") is not None
"""Whether changes can be looked for. It declares no Python from 3.14 on."""
ESTIMATES = [f"{name}{end}" for name in ("seconds", "ratio") for end in ("", "_low", "_high")]

LEAST = 8
"""With fewer points no change is looked for: noise can't be told from a change."""
PENALTY = 12.0
"""By how much a change must lower the sum of squared residuals, in squared standard deviations of the noise.

Where nothing changes, 2.4 to 3.0 % of series of 8 to 50 points still show a change (12 000 simulated series of each of
eleven lengths, the noise estimated from them); at 10 it is 3.9 to 5.5 %. A step of five standard deviations in the
middle of 20 points lowers the sum by 125.
"""
SHORTEST = 2
"""The fewest points of a level: a single run that stands out is no change."""


def machine_label(run: Run) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine, threads = run.metadata.machine, run.metadata.run.threads
    gpu = f" + {name_and_driver(machine.gpu)[0]}" if machine.gpu else ""
    gpu += ", TF32" if run.metadata.run.precision == TF32 else ""
    gpu += ", cold cache" if run.metadata.run.cold_cache else ""
    return f"{processors.key(machine)}{gpu}, {f'{UNKNOWN} threads' if threads is None else count(threads, 'thread')}"


def began(run_id: str) -> Any:
    """Return when a run began, in UTC, as its id says; NaT where the id does not say it."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def history(runs: Sequence[Run], summaries: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each machine, BENCHMARK, implementation and run in which it was measured; the oldest run first.

    Columns: machine, BENCHMARK, implementation, run_id, date, commit, versions; seconds and ratio (to the run's own
    baseline), each with _low and _high; baseline; changed, whether the level of the ratio changes with that run.
    """
    parts = []
    for run, summary in zip(runs, summaries, strict=True):
        known = {
            "machine": machine_label(run),
            "run_id": run.run_id,
            "date": began(run.run_id),
            "commit": run.metadata.commit.id,
            "baseline": run.baseline,
        }
        kept = summary.loc[summary["status"] == "ok", [*BENCHMARK, "implementation", "versions", *ESTIMATES]]
        kept = kept.assign(**known)
        if driver := name_and_driver(run.metadata.machine.gpu)[1]:
            on_gpu = kept["device"] == "cuda"
            kept["versions"] = kept["versions"].astype(str) + np.where(on_gpu, f", driver {driver}", "")
        parts.append(kept)
    series = ["machine", *BENCHMARK, "implementation"]
    columns = [*series, "run_id", "date", "commit", "versions", *ESTIMATES, "baseline"]
    if not parts:
        return pd.DataFrame(columns=[*columns, "changed"])
    past = pd.concat(parts, ignore_index=True)[columns].sort_values(
        [*series, "date", "run_id"], kind="stable", ignore_index=True
    )
    changed = np.zeros(len(past), bool)
    # a ratio to another baseline is no change
    for _, mine in past[past["ratio"].notna()].groupby([*series, "baseline"], observed=True):
        changed[mine.index[_changes(mine)]] = True
    return past.assign(changed=changed)


def _changes(ordered: pd.DataFrame) -> list[int]:
    """Return where the level of a series of ratios changes; nowhere if a ratio has no interval."""
    # half an interval is 1.96 standard errors or more
    errors = np.log(ordered["ratio_high"].to_numpy(float) / ordered["ratio_low"].to_numpy(float)) / (2 * 1.96)
    return change_points(np.log(ordered["ratio"].to_numpy(float)), errors) if (errors > 0).all() else []


def noise(values: np.ndarray, errors: np.ndarray) -> float:
    """Return the standard deviation of values around their level, which may have steps.

    It comes from the median distance between neighbours, and between values two apart, which a few steps do not
    change. It is at least the median of the values' own errors.
    """
    near = np.abs(np.concatenate([values[1:] - values[:-1], values[2:] - values[:-2]]))
    known = errors[np.isfinite(errors)]
    own = float(np.median(known)) if len(known) else 0.0
    return max(float(np.median(near)) / 0.6745 / 2**0.5, own, 1e-12)


def change_points(values: np.ndarray, errors: np.ndarray) -> list[int]:
    """Return where the level of a series changes: the index of the first value of each new level.

    Args:
        values: log ratios in the order of their runs, all of one machine, shape (runs,).
        errors: their standard errors, infinite where unknown, shape (runs,).

    Returns:
        No index where there are fewer than LEAST values: nothing could be shown.
    """
    if not AVAILABLE or len(values) < LEAST:
        return []
    import ruptures  # takes half a second, and few reports have as many runs

    search = ruptures.Pelt(model="l2", min_size=SHORTEST, jump=1).fit(values / noise(values, errors))
    return [int(end) for end in search.predict(pen=PENALTY)[:-1]]

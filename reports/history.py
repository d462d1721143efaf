"""One benchmark over many runs: its time and ratio in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.metadata import UNKNOWN, Metadata, name_and_driver
from benchmarks.words import count
from impls.core.precision import TF32
from reports.frames import BENCHMARK, Run

ESTIMATES = [f"{name}{end}" for name in ("seconds", "ratio") for end in ("", "_low", "_high")]


def machine_label(metadata: Metadata) -> str:
    """Return the processor with all that is known of it, the GPU if there is one, and the threads.

    Times are compared only where all are equal. The GPU's driver is not among it: like a version, it may be what
    changed a time.
    """
    machine, run = metadata.machine, metadata.run
    gpu = f" + {name_and_driver(machine.gpu)[0]}" if machine.gpu else ""
    gpu += ", TF32" if run.precision == TF32 else ""
    threads = count(run.threads, "thread") if run.threads else f"{UNKNOWN} threads"
    return f"{processors.key(machine)}{gpu}, {threads}"


def began(run_id: str) -> Any:
    """Return when a run began, in UTC, as its id says; NaT where the id does not say it."""
    return pd.to_datetime(run_id.partition("-")[0], format="%Y%m%dT%H%M%S", utc=True, errors="coerce")


def history(runs: Sequence[Run], summaries: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each machine, BENCHMARK, implementation and run in which it was measured; the oldest run first.

    Columns: machine, BENCHMARK, implementation, run_id, date, commit, versions; seconds and ratio (to the run's own
    baseline), each with _low and _high; baseline.
    """
    parts = []
    for run, summary in zip(runs, summaries, strict=True):
        known = {
            "machine": machine_label(run.metadata),
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
        return pd.DataFrame(columns=columns)
    past = pd.concat(parts, ignore_index=True)[columns]
    return past.sort_values([*series, "date", "run_id"], kind="stable", ignore_index=True)

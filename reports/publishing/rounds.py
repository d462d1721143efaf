"""reports/published/rounds.json: what lasts for a round on each kind of processor, from published pools and runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.calibration.pool import BASE, Pool
from benchmarks.processors import Machine
from benchmarks.statistics import rounds
from reports import frames
from reports.estimates import PUBLISHED, Lasting, blocks_of, sound
from reports.frames import ARM, Run
from reports.tracks import LIMITS

FEWEST = 5
"""With fewer rounds, nothing is said of what lasts for one."""


def of_pool(pool: Pool) -> dict[str, pd.DataFrame]:
    """Return the logs of `ratio` and `time` in a pool's base: a row for each replicate, with key, round and log."""
    found: dict[str, list[tuple[str, str, float]]] = {"ratio": [], "time": []}
    for replicate in (pool.replicates[k] for k in pool.holding([BASE])):
        logs = {key: sides[BASE].logs for key, sides in replicate.sides.items()}
        for key, mine in logs.items():
            name, _, benchmark = key.partition(" ")
            found["time"].append((key, replicate.round, float(np.median(mine))))
            if name != frames.USUAL_BASELINE:
                ratio = mine - logs[f"{frames.USUAL_BASELINE} {benchmark}"]
                found["ratio"].append((key, replicate.round, float(np.median(ratio))))
    return {
        name: pd.DataFrame(rows, columns=["key", "round", "log"]) for name, rows in found.items()
    }


def of_run(run: Run) -> dict[str, pd.DataFrame]:
    """Return the same of a run's LSTMs."""
    blocks, records = blocks_of(run), sound(run.records)
    others = blocks.arms[~blocks.arms["implementation"].isin([run.baseline, *LIMITS])]
    ratios = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    records = records[~records["implementation"].isin(LIMITS)]
    key = records.groupby(ARM, sort=False).ngroup()
    times = pd.DataFrame(
        {"key": key, "round": records["run_id"], "log": np.log(records["seconds"])}
    )
    return {"ratio": ratios.rename(columns={"pair": "key"}), "time": times}


def by_round(rows: pd.DataFrame) -> list[list[np.ndarray]]:
    """Return the logs of each round of each key."""
    return [
        [logs.to_numpy() for _, logs in mine.groupby("round")["log"]]
        for _, mine in rows.groupby("key")
    ]


Published = tuple[Machine, str, dict[str, pd.DataFrame]]


def published() -> Iterator[Published]:
    """Yield the machine, the name and the logs of each published pool or run of enough rounds."""
    for folder in sorted(PUBLISHED.glob("calibration-*/pool")):
        pool = Pool.load(folder)
        if pool.identity and len(pool.by_round(pool.holding([BASE]))) >= FEWEST:
            yield pool.identity.machine, folder.parent.name, of_pool(pool)
    for folder in frames.folders(PUBLISHED):
        run = frames.read_run(folder)
        if len(run.rounds) >= FEWEST and min(run.rounds.values()) > 1:
            yield run.metadata.machine, folder.name, of_run(run)


def known(of: Iterable[Published]) -> dict[str, Lasting]:
    """Return what lasts for a round on each kind of processor, from what shows most of it: runs have tails."""
    found: dict[str, Lasting] = {}
    for machine, name, rows in of:
        sds = {what: round(rounds.lasting(by_round(logs)), 5) for what, logs in rows.items()}
        new = Lasting(**sds, rounds=rows["time"]["round"].nunique(), of=name)
        kind = processors.key(machine)
        if kind not in found or new.ratio > found[kind].ratio:
            found[kind] = new
    return found

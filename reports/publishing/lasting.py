"""What lasts for a round on each kind of processor, from published pools and runs: reports/published/rounds.json."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from benchmarks import processors
from benchmarks.calibration.pool import BASE, Pool
from benchmarks.processors import Machine
from benchmarks.regression.decision import GateKey
from benchmarks.statistics import rounds
from reports import frames
from reports.estimates import PUBLISHED, Lasting, blocks_of, sound
from reports.frames import ARM, Run
from reports.tracks import LIMITS

FEWEST = 5
"""With fewer rounds, nothing is known of what lasts for one."""
Logs = dict[str, pd.DataFrame]
"""The logs of `ratio` and `time`: a row for each replicate, with key, round and log."""


def of_pool(pool: Pool) -> Logs:
    """Return the logs of a pool's base; ratios are to nn.LSTM."""
    rows = []
    for number in pool.holding([BASE]):
        replicate = pool.replicates[number]
        logs = {key: sides[BASE].logs for key, sides in replicate.sides.items()}
        for key, log in logs.items():
            name, _, benchmark = key.partition(" ")
            rows.append(("time", key, replicate.round, np.median(log)))
            if name != frames.USUAL_BASELINE:
                ratio = log - logs[GateKey.of(frames.USUAL_BASELINE, benchmark)]
                rows.append(("ratio", key, replicate.round, np.median(ratio)))
    table = pd.DataFrame(rows, columns=["what", "key", "round", "log"])
    return {what: table[table["what"] == what] for what in ("ratio", "time")}


def of_run(run: Run) -> Logs:
    """Return the logs of a run's LSTMs; ratios are to its baseline."""
    blocks = blocks_of(run)
    others = blocks.arms[~blocks.arms["implementation"].isin([run.baseline, *LIMITS])]
    ratios = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    times = sound(run.records)
    times = times[~times["implementation"].isin(LIMITS)]
    times["key"] = times.groupby(ARM, sort=False).ngroup()
    times = times.assign(round=times["run_id"], log=np.log(times["seconds"]))
    return {"ratio": ratios.rename(columns={"pair": "key"}), "time": times}


def by_round(rows: pd.DataFrame) -> list[list[np.ndarray]]:
    """Return the logs of each round of each key."""
    logs = rows.groupby(["key", "round"])["log"].agg(np.array)
    return logs.groupby("key").agg(list).to_list()


Published = tuple[Machine, str, Logs]


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


def by_processor(sources: Iterable[Published]) -> dict[str, Lasting]:
    """Return what lasts for a round on each kind of processor, from the source that shows most of it.

    Runs have tails.
    """
    most: dict[str, Lasting] = {}
    for machine, name, logs in sources:
        sds = {what: round(rounds.lasting(by_round(rows)), 5) for what, rows in logs.items()}
        new = Lasting(**sds, rounds=logs["time"]["round"].nunique(), of=name)
        kind = processors.key(machine)
        if kind not in most or new.ratio > most[kind].ratio:
            most[kind] = new
    return most

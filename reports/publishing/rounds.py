"""Records the rounds of what is published, for good: reports/published/rounds.parquet, see reports/history.py."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.statistics.rounds import effective
from impls.core.files import write_whole
from reports import history, peak
from reports.estimates import blocks_of, by_round, sound
from reports.frames import ARM, Run, machine_label
from reports.tracks import LIMITS

ROUND = ["round", *ARM]


def rows_of(run: Run) -> pd.DataFrame:
    """Return the rows of a run that history.read has: one for each of its rounds and LSTMs."""
    records = sound(run.records)
    records = records[~records["track"].isin(LIMITS)].rename(columns={"run_id": "round"})
    blocks = blocks_of(run)
    others = blocks.others(run.baseline)
    ratios = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    ratios = ratios.join(others, on="pair")
    times = records.assign(log=np.log(records["seconds"]))
    rows = records[[*ROUND, "digest", "versions"]].drop_duplicates(ROUND)
    # rows of before 2026-12 do not name their Python: it is the run's own
    named = rows["versions"].str.contains(", Python ")
    own = f", Python {run.metadata.versions.get('python')}"
    rows["versions"] = rows["versions"].where(named, rows["versions"] + own)
    for name, logs in (("time", times), ("ratio", ratios)):
        of_round = by_round(logs, ARM)
        of_round[f"{name}_explained"] = of_round["var"] / effective(of_round["size"].to_numpy())
        of_round = of_round.rename(columns={"value": name, "size": f"{name}_replicates"})
        rows = rows.merge(of_round.drop(columns="var"), on=ROUND, how="left")
    of_rounds = dict(list(run.records.groupby("run_id")))
    speeds = {name: peak.speed(records) for name, records in of_rounds.items()}
    errors = {name: peak.speed_error(records) for name, records in of_rounds.items()}
    return rows.assign(
        machine=machine_label(run.metadata),
        speed=rows["round"].map(speeds),
        speed_error=rows["round"].map(errors),
        commit=run.metadata.commit.id,
    )


def record(runs: Iterable[Run], folder: Path = history.PUBLISHED) -> None:
    """Add the rounds of some runs that are not on record yet in a folder of published runs; what is there stays."""
    file = folder / history.FILE.name
    rounds = [*map(rows_of, runs)]
    if not rounds:
        return
    if file.exists():
        rounds.insert(0, pd.read_parquet(file))
    every = pd.concat(rounds, ignore_index=True).drop_duplicates(ROUND)
    table = every.sort_values(ROUND, ignore_index=True)
    write_whole(file, lambda path: table.to_parquet(path, compression="zstd", index=False))
    history.read.cache_clear()

"""Times and ratios of a run's arms, with intervals: benchmarks.statistics applied to DataFrames.

The unit of an interval is the round, where a run has several: otherwise the replicate, a set of fresh processes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd

from benchmarks import ROOT, busy, json_files, processors
from benchmarks.statistics import ratios
from benchmarks.statistics.intervals import means, p_values, t_interval
from benchmarks.statistics.rounds import of_one, of_several
from reports.frames import ARM, Run
from reports.tracks import LIMITS

PUBLISHED = ROOT / "reports" / "published"


class Lasting(msgspec.Struct, frozen=True):
    """What lasts for a round on one kind of processor: standard deviations of logs, beyond what replicates explain.

    Attributes:
        ratio, time: of the ratio to another LSTM, and of the seconds.
        rounds, of: from how many rounds it is known, and the name of the published pool or run that has them.
    """

    ratio: float
    time: float
    rounds: int
    of: str


def lasting(run: Run) -> Lasting | None:
    """Return what is known of rounds on the processor of a run; None for nothing, or where a GPU computed."""
    if (
        "cuda" in set(run.records["device"].astype(str))
        or not (path := PUBLISHED / "rounds.json").exists()
    ):
        return None
    return json_files.read(path, dict[str, Lasting]).get(processors.key(run.metadata.machine))


def intervals(
    rows: pd.DataFrame, by: Sequence[str], name: str, lasts: float | None
) -> pd.DataFrame:
    """Return a row for each group of logs, one log for each replicate: its mean over rounds, and where the next lies.

    Columns: `by`; NAME, NAME_low and NAME_high on the scale of the values; NAME_p of a value of 1; and NAME_n: the
    rounds, or of one round the replicates. The variance of a group is moderated by those of the other groups. With one
    value the interval is infinite and p is 1.

    Args:
        rows: with the columns log and round, and those that tell groups apart.
        by: these.
        name: what the values are.
        lasts: the standard deviation of what lasts for a round, for logs of one round; None where it is not known.
    """
    several = len(rows["round"].unique()) > 1
    if several:
        rows = rows.groupby([*by, "round"], as_index=False, sort=False).agg({"log": "mean"})
    found = means([logs.to_numpy() for _, logs in rows.groupby(list(by), sort=False)["log"]])
    found = of_several(found) if several else of_one(found, lasts or 0.0)
    low, high = t_interval(found)
    ends = {name: np.exp(found.mean), f"{name}_low": np.exp(low), f"{name}_high": np.exp(high)}
    groups = rows[list(by)].drop_duplicates(ignore_index=True)
    return groups.assign(**ends, **{f"{name}_p": p_values(found), f"{name}_n": found.n})


def times(records: pd.DataFrame, known: Lasting | None = None) -> pd.DataFrame:
    """Return a row for each ARM of some sound records: its seconds with _low, _high and _n."""
    rows = records[ARM].assign(log=np.log(records["seconds"]), round=records["run_id"])
    return intervals(rows, ARM, "seconds", known.time if known else None).drop(columns="seconds_p")


def sound(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records that have a time."""
    return records[records["status"] == "ok"]


UNSTEADY = 0.2
"""From this noise on, reports warn that the machine was unsteady."""


@dataclass(frozen=True)
class Noise:
    """How far the replicates of a run are apart, as the median of the standard deviations of logs; how busy it was.

    Attributes:
        ratios: of the ratio of each arm to the baseline, without the peak's; NaN with one replicate, or where nothing
            but the baseline ran.
        times: of the seconds of each arm; NaN with one replicate. They show more of a machine that gets slower and
            faster than ratios do.
        waited: the share of the measured time in which a process waited for a processor, of the implementation with
            the least, since some have more threads than processors, in the busiest round; NaN where unknown.
    """

    ratios: float
    times: float
    waited: float = float("nan")

    @property
    def unsteady(self) -> bool:
        """Whether the machine was busy or unsteady."""
        return self.ratios > UNSTEADY or self.times > UNSTEADY or self.waited > busy.BUSY

    @property
    def warning(self) -> str:
        """What to tell of a busy or unsteady machine; empty where it was neither."""
        return busy.warning(self.waited, self.unsteady)

    @property
    def words(self) -> str:
        """Such as `ratios differ by 9.3 % between replicates, times by 12.1 %`; empty with one replicate."""
        both = (("ratios", self.ratios), ("times", self.times))
        found = [f"{name} by {100 * value:.1f} %" for name, value in both if not np.isnan(value)]
        said = [f"{name.replace(' ', ' differ ', 1)} between replicates" for name in found[:1]]
        return ", ".join([*said, *found[1:]])


@functools.cache  # every table of a run says it, and the page too
def noise(run: Run) -> Noise:
    """Return the noise of a run."""
    groups = [
        logs
        for arm, logs in log_ratios(run).items()
        if arm[ARM.index("implementation")] not in LIMITS
    ]
    seconds = [np.log(of.to_numpy(float)) for _, of in sound(run.records).groupby(ARM)["seconds"]]
    return Noise(median_sd(groups), median_sd(seconds), float(waited(run).max()))


def waited(run: Run) -> pd.Series:
    """Return by round the share of the measured time in which a process waited for a processor, as in Noise."""
    known = run.turns[["record", "pressure_seconds", "outside_seconds"]].dropna()
    rounds, names = (
        known["record"].map(run.records[name].astype(str)) for name in ("run_id", "implementation")
    )
    shares = {}
    for number, turns in known.groupby(rounds):
        pressure, outside = (
            turns["pressure_seconds"].to_numpy(),
            turns["outside_seconds"].to_numpy(),
        )
        shares[number] = busy.waited(names[turns.index].to_numpy(), pressure, outside)
    return pd.Series(shares, dtype=float)


def log_ratios(run: Run) -> dict[tuple[str, ...], np.ndarray]:
    """Return by ARM the logs of the ratio to the run's baseline, one for each replicate."""
    blocks = blocks_of(run)
    others = blocks.arms[blocks.arms["implementation"] != run.baseline].reset_index(drop=True)
    logs = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    return {
        tuple(map(str, others.loc[pair])): mine.to_numpy()
        for pair, mine in logs.groupby("pair")["log"]
    }


def median_sd(groups: Sequence[np.ndarray]) -> float:
    """Return the median of the standard deviations of some groups of logs; NaN where no group has two."""
    found = means([group for group in groups if len(group)], most_freedom=0)
    return float(np.median(found.sd[found.n > 1])) if (found.n > 1).any() else float("nan")


@functools.lru_cache(maxsize=1)
def blocks_of(run: Run) -> Blocks:
    """Return the blocks of a run's sound records: what all its ratios are taken from."""
    return Blocks(run.turns, sound(run.records), lasting(run))


class Blocks:
    """The mean log time of each arm of some records in each block: what ratios are taken from.

    `arms` has a row for each ARM, in the order of the records.

    Args:
        turns: with the columns record, block and seconds.
        records: those of which ratios are taken.
        known: what lasts for a round, where that is known.
    """

    def __init__(
        self, turns: pd.DataFrame, records: pd.DataFrame, known: Lasting | None = None
    ) -> None:
        self.lasts = known.ratio if known else None
        chosen = turns["record"].isin(records.index).to_numpy()
        seconds, row, block = (
            turns[name].to_numpy()[chosen] for name in ("seconds", "record", "block")
        )
        self.logs = ratios.block_logs(seconds, row, block)
        self.records = records[ARM].astype(str)
        self.arms = self.records.drop_duplicates(ignore_index=True)
        self.records["replicate"] = records.groupby(["run_id", "replicate"], sort=False).ngroup()
        self.records["round"], self.records["record"] = records["run_id"], records.index

    def replicate_log_ratios(
        self, numerators: pd.DataFrame, denominators: pd.DataFrame
    ) -> pd.DataFrame:
        """Return a row for each pair of ARMs and each replicate that has both.

        Its columns are pair, which counts from 0, round, and log: that of the ratio, the median over the blocks that
        both have.
        """
        over, under = (
            side[ARM]
            .assign(pair=range(len(side)))
            .merge(self.records, on=ARM)[["pair", "replicate", "round", "record"]]
            for side in (numerators, denominators)
        )
        both = over.merge(under, on=["pair", "replicate", "round"], suffixes=("", "_under"))
        both["log"] = ratios.log_ratios(
            self.logs, both["record"].to_numpy(), both["record_under"].to_numpy()
        )
        return both.loc[both["log"].notna(), ["pair", "round", "log"]]

    def ratios(self, numerators: pd.DataFrame, denominators: pd.DataFrame) -> pd.DataFrame:
        """Return the ratio of the times of each pair, with _low, _high, _p and _n; NaN where no block has both.

        Variances are moderated over all pairs of the call. The index is that of the numerators.
        """
        logs = self.replicate_log_ratios(numerators, denominators)
        estimates = intervals(logs, ["pair"], "ratio", self.lasts).set_index("pair")
        return estimates.reindex(range(len(numerators))).set_axis(numerators.index)

    def against(self, name: str) -> pd.DataFrame:
        """Return a row for each ARM that has a block with that implementation, and its ratio to it, as in `ratios`."""
        others = self.arms[self.arms["implementation"] != name]
        estimates = self.ratios(others, others.assign(implementation=name))
        return pd.concat([others, estimates], axis=1)[estimates["ratio"].notna()]

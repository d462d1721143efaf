"""Times and ratios of a run's arms, with intervals: benchmarks.statistics applied to DataFrames.

The unit of an interval is the round, where a run has several: otherwise the replicate, a set of fresh processes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd

from benchmarks import ROOT, busy, json_files, processors
from benchmarks.statistics import ratios
from benchmarks.statistics.intervals import means, p_values, t_interval
from benchmarks.statistics.rounds import mean_of_replicates, mean_of_rounds
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


NOT_KNOWN = Lasting(ratio=0.0, time=0.0, rounds=0, of="")


def lasting(run: Run) -> Lasting:
    """Return what lasts for a round on the processor of a run; NOT_KNOWN also where a GPU computed."""
    if (run.records["device"] == "cuda").any():
        return NOT_KNOWN
    by_processor = json_files.read(PUBLISHED / "rounds.json", dict[str, Lasting])
    return by_processor.get(processors.key(run.metadata.machine), NOT_KNOWN)


def intervals(rows: pd.DataFrame, by: list[str], name: str, lasts: float) -> pd.DataFrame:
    """Return a row for each group of logs, one log for each replicate: its mean over rounds, and where the next lies.

    Columns: `by`; NAME, NAME_low and NAME_high on the scale of the values; NAME_p of a value of 1; and NAME_n: the
    rounds, or of one round the replicates. The variance of a group is moderated by the other groups. With one
    value the interval is infinite and p is 1.

    Args:
        rows: with the columns log and round, and `by`.
        by: the columns that tell groups apart.
        name: what the values are.
        lasts: the standard deviation of what lasts for a round, for logs of one round.
    """
    several = len(rows["round"].unique()) > 1
    if several:
        rows = rows.groupby([*by, "round"], as_index=False, sort=False).agg({"log": "mean"})
    groups = rows.groupby(by, sort=False)["log"]
    estimates = means([logs.to_numpy() for _, logs in groups])
    estimates = mean_of_rounds(estimates) if several else mean_of_replicates(estimates, lasts)
    low, high = t_interval(estimates)
    columns = {
        name: np.exp(estimates.mean),
        f"{name}_low": np.exp(low),
        f"{name}_high": np.exp(high),
        f"{name}_p": p_values(estimates),
        f"{name}_n": estimates.n,
    }
    return rows[by].drop_duplicates(ignore_index=True).assign(**columns)


def times(run: Run) -> pd.DataFrame:
    """Return a row for each ARM that is ok in every replicate of a run: its seconds with _low, _high and _n."""
    records = sound(run.records)
    rows = records[ARM].assign(log=np.log(records["seconds"]), round=records["run_id"])
    times = intervals(rows, ARM, "seconds", lasting(run).time)
    return times.drop(columns="seconds_p")


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
    waited: float

    @property
    def warning(self) -> str:
        """What to tell of a busy or unsteady machine; empty where it was neither."""
        return busy.warning(self.waited, self.ratios > UNSTEADY or self.times > UNSTEADY)

    @property
    def words(self) -> str:
        """Such as `ratios differ by 9.3 % between replicates, times by 12.1 %`; empty with one replicate."""
        if np.isnan(self.times):
            return ""
        if np.isnan(self.ratios):
            return f"times differ by {100 * self.times:.1f} % between replicates"
        return (
            f"ratios differ by {100 * self.ratios:.1f} % between replicates,"
            f" times by {100 * self.times:.1f} %"
        )


@functools.cache  # every table of a run says it, and the page too
def noise(run: Run) -> Noise:
    """Return the noise of a run."""
    records = sound(run.records)
    times = records.assign(log=np.log(records["seconds"]))
    ratios = log_ratios(run)
    ratios = ratios[~ratios["implementation"].isin(LIMITS)]
    return Noise(_median_sd(ratios), _median_sd(times), waited(run).max())


def _median_sd(logs: pd.DataFrame) -> float:
    """Return the median of the standard deviations of each ARM's log; NaN where no ARM has two."""
    return logs.groupby(ARM)["log"].std().median()


def waited(run: Run) -> pd.Series:
    """Return by round the share of the measured time in which a process waited for a processor: see busy.waited_of."""
    turns = run.turns[["record", "pressure_seconds", "outside_seconds"]].dropna()
    turns = turns.join(run.records[["run_id", "implementation"]], on="record")
    sums = turns.groupby(["run_id", "implementation"]).sum()
    shares = sums["pressure_seconds"] / sums["outside_seconds"]
    return shares.groupby("run_id").min()


def log_ratios(run: Run) -> pd.DataFrame:
    """Return a row for each replicate of each ARM: ARM, and the log of its ratio to the run's baseline."""
    blocks = blocks_of(run)
    others = blocks.others(run.baseline)
    logs = blocks.replicate_log_ratios(others, others.assign(implementation=run.baseline))
    return logs.join(others, on="pair")


@functools.lru_cache(maxsize=1)
def blocks_of(run: Run) -> Blocks:
    """Return the blocks of a run's sound records: what all its ratios are taken from."""
    return Blocks(run.turns, sound(run.records), lasting(run).ratio)


class Blocks:
    """The mean log time of each arm of some records in each block: what ratios are taken from.

    `arms` has a row for each ARM, in the order of the records.

    Args:
        turns: with the columns record, block and seconds.
        records: those of which ratios are taken.
        lasts: the standard deviation of what lasts for a round in a log ratio.
    """

    def __init__(self, turns: pd.DataFrame, records: pd.DataFrame, lasts: float = 0.0) -> None:
        self.lasts = lasts
        self.logs = ratios.block_logs(
            turns["seconds"].to_numpy(), turns["record"].to_numpy(), turns["block"].to_numpy()
        )
        self.arms = records[ARM].drop_duplicates(ignore_index=True)
        self.records = records[[*ARM, "replicate"]].assign(
            round=records["run_id"], record=records.index
        )

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

    def ratios(self, arms: pd.DataFrame, rivals: str | pd.Series) -> pd.DataFrame:
        """Return the ratio of the time of each ARM to its rival's, with _low, _high, _p and _n; NaN without a block.

        Variances are moderated over all ARMs of the call. The index is theirs.

        Args:
            arms: with the columns ARM.
            rivals: the implementations that they are compared with, at the same benchmarks.
        """
        logs = self.replicate_log_ratios(arms, arms.assign(implementation=rivals))
        estimates = intervals(logs, ["pair"], "ratio", self.lasts).set_index("pair")
        return estimates.reindex(range(len(arms))).set_axis(arms.index)

    def with_ratios(self, arms: pd.DataFrame, rivals: str | pd.Series) -> pd.DataFrame:
        """Return the ARMs that have a block with their rivals, with the columns of `ratios`."""
        return arms.join(self.ratios(arms, rivals)).dropna(subset="ratio")

    def others(self, name: str) -> pd.DataFrame:
        """Return the ARMs of all implementations but this one."""
        return self.arms[self.arms["implementation"] != name].reset_index(drop=True)

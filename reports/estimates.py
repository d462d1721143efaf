"""Times and ratios of a run's arms, with intervals: benchmarks.statistics applied to DataFrames.

The unit of an interval is the round, where a run has several: otherwise the replicate, a set of fresh processes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks import busy
from benchmarks.statistics import ratios
from benchmarks.statistics.intervals import Means, p_values, t_interval
from benchmarks.statistics.moderation import moderated
from benchmarks.statistics.rounds import effective, mean_of_rounds, one_more
from reports import history
from reports.frames import ARM, BENCHMARK, Run
from reports.tracks import LIMITS


def intervals(rows: pd.DataFrame, by: list[str], name: str, lasting: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each group of logs, one log for each replicate: see intervals_of_rounds.

    Args:
        rows: with the columns log and round, and `by`.
        by, name, lasting: as there.
    """
    return intervals_of_rounds(by_round(rows, by), by, name, lasting)


def intervals_of_rounds(
    of_round: pd.DataFrame, by: list[str], name: str, lasting: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each group of rounds: the median of its rounds, and where one more lies.

    A round's value is the median of its replicates. Where nothing is known of rounds, the interval is about this one.

    Columns: `by`; NAME, NAME_low and NAME_high on the scale of the values; NAME_p of a median of 1; and NAME_n: the
    rounds, or of one round the replicates. With one replicate the interval is infinite and p is 1.

    Args:
        of_round: a row for each round of each group, as by_round has it.
        by: the columns that tell groups apart, BENCHMARK among them.
        name: what the values are.
        lasting: what lasts for a round on such a machine, by BENCHMARK: see history.lasting. Where the rounds of these
            rows show more of it, that counts.
    """
    groups = of_round[by].drop_duplicates(ignore_index=True)
    values = _over_rounds(of_round, by)
    several = bool((values.n > 1).any())
    number = of_round.groupby(by, sort=False)["size"].agg("size" if several else "sum").to_numpy()
    if several:
        of_group = groups.assign(explained=values.sd**2)
        own = history.between(of_round.merge(of_group, on=by), BENCHMARK, by)
        lasting = _with_own(lasting, own)
    lasts = groups[BENCHMARK].merge(lasting, on=BENCHMARK, how="left")
    sd = lasts["sd"].fillna(0.0).to_numpy()
    freedom = lasts["freedom"].fillna(np.inf).to_numpy()
    mean = mean_of_rounds(values, sd, freedom)
    few = freedom < history.LEAST_FREEDOM  # which may show next to nothing by chance
    mean = replace(mean, freedom=np.where(few, freedom, mean.freedom))
    next_round = one_more(mean)
    shown = replace(mean, sd=np.where(lasts["sd"].notna(), next_round.sd, mean.sd))
    low, high = t_interval(shown)
    columns = {
        name: np.exp(mean.mean),
        f"{name}_low": np.exp(low),
        f"{name}_high": np.exp(high),
        f"{name}_p": p_values(mean),
        f"{name}_n": number,
    }
    return groups.assign(**columns)


def by_round(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return a row for each round of each group: the median of its replicates' logs, their variance and number.

    Columns: `by`, round, value, var and size. The rows have `by`, round and log.
    """
    rounds = rows.groupby([*by, "round"], sort=False)["log"].agg(["median", "var", "size"])
    return rounds.reset_index().rename(columns={"median": "value"})


def _over_rounds(of_round: pd.DataFrame, by: list[str]) -> Means:
    """Return the median of each group over its rounds, with the spread of a round that its replicates explain.

    The variances of the groups' replicates moderate each other. Of rounds with one replicate each, replicates explain
    nothing: all of the rounds' spread lasts, as far as anybody can tell.

    Args:
        of_round: `by`, and the value of each round, with the variance and the number of its replicates: var and size.
        by: the columns that tell groups apart.
    """
    number = of_round["size"].to_numpy()
    rounds = of_round.assign(
        squares=of_round["var"].fillna(0.0) * (number - 1),
        share=1 / effective(number),
    )
    groups = rounds.groupby(by, sort=False)
    n = groups.size().to_numpy()
    freedom = (groups["size"].sum() - n).to_numpy(float)
    variance = groups["squares"].sum().to_numpy() / np.maximum(freedom, 1.0)
    variance, freedom = moderated(variance, freedom)
    if (n > 1).any() and not freedom.any():
        freedom = np.full(len(n), np.inf)
    of_value = variance * groups["share"].mean().to_numpy()
    return Means(groups["value"].median().to_numpy(), np.sqrt(of_value), freedom, effective(n))


def _with_own(lasting: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return what lasts by BENCHMARK: of what is on record and what a run's own rounds show, the larger.

    A few rounds show little, so they count only where nothing is on record.
    """
    enough = own[own["freedom"] >= history.LEAST_FREEDOM]
    larger = pd.concat([lasting, enough]).sort_values("sd", ascending=False, kind="stable")
    return pd.concat([larger, own]).drop_duplicates(BENCHMARK)


def times(run: Run) -> pd.DataFrame:
    """Return a row for each LSTM's ARM that is ok in every replicate of a run: its seconds with _low, _high and _n."""
    records = sound(run.records)
    records = records[~records["track"].isin(LIMITS)]
    rows = records[ARM].assign(log=np.log(records["seconds"]), round=records["run_id"])
    times = intervals(rows, ARM, "seconds", history.lasting(run, "time"))
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


ALONE = 1.5
"""A replicate stands alone if its ratio is this many times the median of all, or as many times less."""


def alone(run: Run) -> pd.DataFrame:
    """Return a row for each replicate that stands alone: ARM, and its ratio to the baseline over the median of all.

    Where more than a third of an ARM's would, none is alone.
    """
    logs = log_ratios(run)
    distance = logs["log"] - logs.groupby(ARM)["log"].transform("median")
    rows: pd.DataFrame = logs.assign(times=np.exp(distance), far=distance.abs() > np.log(ALONE))
    few = rows.groupby(ARM)["far"].transform("mean") <= 1 / 3
    return rows.loc[rows["far"] & few, [*ARM, "times"]]


@functools.cache  # every table of a run says it, and the page too
def noise(run: Run) -> Noise:
    """Return the noise of a run."""
    records = sound(run.records)
    times = records.assign(log=np.log(records["seconds"]))
    return Noise(_median_sd(log_ratios(run)), _median_sd(times), waited(run).max())


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
    return Blocks(run.turns, sound(run.records), history.lasting(run, "ratio"))


class Blocks:
    """The mean log time of each arm of some records in each block: what ratios are taken from.

    `arms` has a row for each ARM, in the order of the records.

    Args:
        turns: with the columns record, block and seconds.
        records: those of which ratios are taken.
        lasting: what lasts for a round in a log ratio: see history.lasting.
    """

    def __init__(
        self, turns: pd.DataFrame, records: pd.DataFrame, lasting: pd.DataFrame = history.NOTHING
    ) -> None:
        self.lasting = lasting
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
        logs = logs.join(arms[BENCHMARK].reset_index(drop=True), on="pair")
        estimates = intervals(logs, ["pair", *BENCHMARK], "ratio", self.lasting)
        estimates = estimates.set_index("pair").drop(columns=BENCHMARK)
        return estimates.reindex(range(len(arms))).set_axis(arms.index)

    def with_ratios(self, arms: pd.DataFrame, rivals: str | pd.Series) -> pd.DataFrame:
        """Return the ARMs that have a block with their rivals, with the columns of `ratios`."""
        return arms.join(self.ratios(arms, rivals)).dropna(subset="ratio")

    def others(self, name: str) -> pd.DataFrame:
        """Return the ARMs of all LSTMs but this one."""
        names = self.arms["implementation"]
        return self.arms[~names.isin([name, *LIMITS])].reset_index(drop=True)

"""Every round that was ever published, and what lasts for a round: its replicates share it, another round does not.

Rounds are compared with each other on the same kind of machine and with such a peak. On a shared host the peak says how
fast the processors may be, and the LSTMs follow it, each by another amount: docs/decisions/0035-beyond-the-hour.md.
"""

import functools
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from benchmarks import ROOT
from reports import peak
from reports.frames import ARM, BENCHMARK, Run, machine_label

PUBLISHED = ROOT / "reports" / "published"
FILE = PUBLISHED / "rounds.parquet"
PYTHON = ", Python 3.11.7"
"""That of every round whose versions name none: all that were measured before 2026-12-02."""
GAP = 0.02
"""Between the peaks of rounds of one state and those of the next, at least."""
GAP_ERRORS = 2
"""The same, in standard errors of the difference of the two peaks."""
MOST_EXPLAINED = 4
"""Replicates explain at most this many times what they explain of the median round.

An odd one would explain all that lasts in a benchmark, though it hardly moves a median.
"""
LEAST_FREEDOM = 3
"""With fewer degrees of freedom, nothing is known of a benchmark."""
NOTHING = pd.DataFrame(columns=[*BENCHMARK, "sd", "freedom"]).astype(
    {"sd": float, "freedom": float}
)
"""What lasts for a round where nothing is on record."""
WHERE = BENCHMARK[1:]
"""The columns that name a benchmark but for its problem."""
ALIKE = ["digest", "versions", "state"]
"""The columns that are the same in rounds that are compared with each other."""


@functools.cache
def read() -> pd.DataFrame:
    """Return a row for each round of each ARM: its code, the log of its ratio and of its seconds, and the peak's speed.

    Beside each log is the variance that its replicates explain, beside the speed the standard error of its log: NaN
    where that was not recorded.
    """
    rounds = pd.read_parquet(FILE)
    names_python = rounds["versions"].str.contains(r"\bPython \d")
    return rounds.assign(
        versions=rounds["versions"].where(names_python, rounds["versions"] + PYTHON),
        speed_error=rounds.get("speed_error", np.nan),
    )


def sizes(problem: str) -> str:
    """Return a problem's id without its options: `t64-b16-i128-h128` of `t64-b16-i128-h128-l2-drop`."""
    return "-".join(problem.split("-")[:4])


def of_machine(label: str) -> pd.DataFrame:
    """Return the rounds on record of a kind of machine, with their state: a number for peaks that are alike."""
    rounds = read()
    rounds = rounds[rounds["machine"] == label].sort_values("speed")
    return rounds.assign(state=states(rounds["speed"], rounds["speed_error"]))


def states(speeds: pd.Series, errors: pd.Series) -> pd.Series:
    """Return a number for each of some peaks, the same for those without a gap between them; −1 where none is known.

    `errors`: the standard errors of their logs.
    """
    ordered = speeds.sort_values()
    of_ordered = errors.reindex(ordered.index)
    gaps: pd.Series = np.log(ordered).diff() > _least_gap(of_ordered, of_ordered.shift())
    return gaps.cumsum().where(ordered.notna(), -1).reindex(speeds.index)


def _least_gap(errors: pd.Series, others: pd.Series | float) -> pd.Series:
    """Return by how much the logs of peaks with these errors must differ, to be those of two states."""
    of_others = pd.Series(others, errors.index)
    of_difference = (errors.fillna(0.0) ** 2 + of_others.fillna(0.0) ** 2) ** 0.5
    return (GAP_ERRORS * of_difference).clip(lower=GAP)


def has_peak_of(run: Run, rounds: Collection[str]) -> bool:
    """Return whether the peak of a run is such as in the state of these rounds, which are on record."""
    on_record = of_machine(machine_label(run.metadata))
    states = on_record.loc[on_record["round"].isin(rounds), "state"]
    others = on_record[on_record["state"].isin(states)]
    apart = np.abs(np.log(others["speed"] / peak.speed(run.records))).dropna()
    least_gap = _least_gap(others["speed_error"], peak.speed_error(run.records))
    return apart.empty or bool((apart <= least_gap[apart.index]).any())


def lasting(run: Run, what: str) -> pd.DataFrame:
    """Return what lasts for a round at each benchmark of a run, on its kind of machine: see lasting_on."""
    return lasting_on(machine_label(run.metadata), run.records, what)


def lasting_on(label: str, rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return what lasts for a round at each benchmark of some rows, as `between`; none where nothing is known.

    A benchmark that has too few rounds on record gets what the same sizes have with other options, or else what all
    problems have, or all benchmarks.

    Args:
        label: only rounds of this kind of machine count.
        rows: with the columns BENCHMARK.
        what: ratio or time.
    """
    rounds = of_machine(label).rename(columns={what: "value", f"{what}_explained": "explained"})
    rounds = rounds.dropna(subset="value")
    if rounds.empty:
        return NOTHING
    rounds["sizes"] = rounds["problem"].map(sizes)
    benchmarks = rows[BENCHMARK].drop_duplicates(ignore_index=True)
    benchmarks["sizes"] = benchmarks["problem"].map(sizes)
    known = []
    for level in (BENCHMARK, ["sizes", *WHERE], WHERE, ["device"]):
        lasts = between(rounds, level, ARM, ALIKE)
        known.append(benchmarks.merge(lasts[lasts["freedom"] >= LEAST_FREEDOM], on=level))
        if len(known[-1]) == len(benchmarks):
            break
    return pd.concat(known)[[*BENCHMARK, "sd", "freedom"]].drop_duplicates(BENCHMARK)


def between(
    rounds: pd.DataFrame, level: Sequence[str], arm: Sequence[str], alike: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the standard deviation of what lasts for a round, for all arms of a level together.

    Columns: the level's, sd, and its degrees of freedom: those of the arm with most rounds. The arms of a benchmark
    share the baseline, so their number adds none.

    Args:
        rounds: a row for each round of each arm, with value, explained (the variance that its replicates explain; NaN
            of one replicate, which explains nothing), and the columns of the others.
        level: the columns of what has one standard deviation.
        arm: those that tell arms apart.
        alike: those that are the same in rounds that are compared with each other.
    """
    explained = rounds["explained"].fillna(0.0)
    median = explained.groupby([rounds[name] for name in level]).transform("median")
    rounds = rounds.assign(explained=explained.clip(upper=MOST_EXPLAINED * median))
    groups = rounds.groupby([*dict.fromkeys([*level, *arm, *alike])], sort=False, dropna=False)
    table = groups.agg(
        squares=("value", "var"), explained=("explained", "mean"), freedom=("value", "size")
    ).reset_index()
    table["freedom"] -= 1
    table = table[table["freedom"] > 0]
    table["squares"] = (table["squares"] - table["explained"]) * table["freedom"]
    sums = table.groupby([*level], sort=False)[["squares", "freedom"]].sum()
    of_arm = table.groupby([*dict.fromkeys([*level, *arm])], sort=False)["freedom"].sum()
    variance = (sums["squares"] / sums["freedom"]).clip(lower=0)
    freedom = of_arm.groupby([*level], sort=False).max()
    return pd.DataFrame({"sd": np.sqrt(variance), "freedom": freedom}).reset_index()

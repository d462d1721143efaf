"""Each row's ratio over its rounds on record, and which rows have left the intervals of their earlier rounds."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.statistics.rounds import effective
from benchmarks.words import interval, span
from reports import history
from reports.code_age import is_today
from reports.estimates import intervals_of_rounds
from reports.frames import ARM, BENCHMARK, USUAL_BASELINE, began

CODE = ["digest", "release"]
"""The columns of what a row can move with: its code, its versions and the baseline's."""


def rounds(label: str, what: str = "ratio") -> pd.DataFrame:
    """Return the rounds on record of a kind of machine, the oldest first.

    Columns: round, ARM, CODE, commit, speed, state (see history.of_machine), older (whether it is of older code), and
    value, var and size as estimates.by_round has them.

    Args:
        label: of the machine.
        what: ratio or time.
    """
    every = history.of_machine(label).sort_values(["round", *ARM], ignore_index=True)
    baselines = every[every["implementation"] == USUAL_BASELINE].drop_duplicates("round")
    baseline = dict(zip(baselines["round"], baselines["versions"], strict=True))
    rows = every.dropna(subset=what)
    release = [
        _release(versions, baseline.get(of_round, ""))
        for of_round, versions in zip(rows["round"], rows["versions"], strict=True)
    ]
    size = rows[f"{what}_replicates"].astype(int)
    return rows[["round", *ARM, "digest", "commit", "speed", "state"]].assign(
        release=release,
        older=~is_today(rows),
        value=rows[what],
        var=rows[f"{what}_explained"] * effective(size.to_numpy()),
        size=size,
    )


def _release(versions: str, baseline: str) -> str:
    """Return the versions of a row, and after `torch_lstm's` each of the baseline's that is another."""
    own = versions.split(", ")
    others = [part for part in baseline.split(", ") if part and part not in own]
    return ", ".join([*own, *(f"{USUAL_BASELINE}'s {part}" for part in others)])


def with_intervals(rows: pd.DataFrame, lasting: pd.DataFrame) -> pd.DataFrame:
    """Return rounds with value, low and high: each with the interval that a run of this round alone has.

    Args:
        rows: see rounds.
        lasting: what lasts for a round on the machine.
    """
    found = []
    for name, of_round in rows.groupby("round"):
        estimates = intervals_of_rounds(of_round, ARM, "value", lasting)
        found.append(estimates.assign(round=name))
    ends = pd.concat(found).rename(columns={"value_low": "low", "value_high": "high"})
    columns = rows.drop(columns=["value", "var", "size"])
    return columns.merge(ends[["round", *ARM, "value", "low", "high"]], on=["round", *ARM])


def moved(label: str) -> pd.DataFrame:
    """Return the rows of a kind of machine that have left the intervals of their earlier rounds; most moved first.

    The newest rounds of a row, of one code and release, are compared with those of each other code or release where the
    peak was such. All their intervals lie apart. Of a machine whose rounds nothing is known of, there is no row.

    Columns: ARM, and twice CODE, ratio, ratio_low, ratio_high, first and last round: of the newest rounds, and with
    _before of the newest of those before.
    """
    rows = rounds(label)
    lasting = history.lasting_on(label, rows, "ratio")
    rows = rows.merge(lasting[BENCHMARK], on=BENCHMARK)
    if rows.empty:
        return rows
    by = [*ARM, *CODE, "state"]
    dates = rows.groupby(by)["round"].agg(first="min", last="max")
    groups = intervals_of_rounds(rows, by, "ratio", lasting).join(dates, on=by).sort_values("last")
    newest = groups.drop_duplicates(ARM, keep="last")
    pairs = newest.merge(groups, on=[*ARM, "state"], suffixes=("", "_before"))
    pairs = pairs[
        (pairs[CODE].to_numpy() != pairs[[f"{name}_before" for name in CODE]]).any(axis=1)
    ]
    apart = (pairs["ratio_low"] > pairs["ratio_high_before"]) | (
        pairs["ratio_high"] < pairs["ratio_low_before"]
    )
    pairs = pairs[apart.groupby([pairs[name] for name in ARM]).transform("all")]
    pairs = pairs.drop_duplicates(ARM, keep="last")
    far = np.log(pairs["ratio"] / pairs["ratio_before"]).abs()
    most_moved_first: pd.DataFrame = pairs.loc[far.sort_values(ascending=False).index]
    return most_moved_first


def sentence(row: Any) -> str:
    """Return what a row of `moved` says: where, and its ratio before and now, each with what differs and the days."""
    before, now = differing([row.release_before, row.release])
    code = " and other code" if row.digest != row.digest_before else ""
    was = interval(row.ratio_before, row.ratio_low_before, row.ratio_high_before)
    then = f"{was} with {before}{code} on {_days(row.first_before, row.last_before)}"
    ratio = interval(row.ratio, row.ratio_low, row.ratio_high)
    since = f"{ratio} with {now} on {_days(row.first, row.last)}"
    where = f"{row.implementation}, {row.mode} of {row.workload} at {row.problem}"
    return f"{where}: {then}, {since}"


def _days(first: str, last: str) -> str:
    return span([began(first), began(last)])


def differing(releases: Sequence[str]) -> list[str]:
    """Return of each release the parts that not all of them have: `jax 0.10.2` of `jax 0.10.2, Python 3.11.7`."""
    parts = [release.split(", ") for release in releases]
    common = set.intersection(*map(set, parts))
    return [
        ", ".join(part for part in own if part not in common) or release
        for own, release in zip(parts, releases, strict=True)
    ]


def machines() -> Iterable[str]:
    """Return the kinds of machine on record, the one with the newest round first."""
    newest = history.read().sort_values("round", ascending=False)
    return newest["machine"].unique()

"""Whether what the bound on false alarms rests on holds in a pool, and what injected slowdowns measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.regression.decision import BORROWED, FEWEST
from benchmarks.statistics.intervals import means, t_interval


def sizes(pool: Pool, sides: Iterable[str]) -> dict[tuple[str, str], np.ndarray]:
    """Return what each injected slowdown measures, by side and kind of work, as ratio − 1 with its 95 % limits.

    The arrays have shape (3, benchmarks).
    """
    found = {}
    for side in sides:
        by_work: dict[str, list[int]] = {}
        for name, own in pool.by_round(pool.holding([BASE, side])).items():
            by_work.setdefault(pool.works.get(name, ""), []).extend(own)
        for work, held in sorted(by_work.items()):
            if len(held) >= FEWEST:
                groups = means(
                    [pool.logs(held, side, name) for name in pool.benchmarks], most_freedom=BORROWED
                )
                found[side, work] = np.expm1([groups.mean, *t_interval(groups)])
    return found


@dataclass(frozen=True)
class Between:
    """The variance between rounds as a share of that between replicates, and its upper 95 % bound."""

    share: float
    bound: float


def several(pool: Pool, held: Sequence[int]) -> list[list[int]]:
    """Return the replicates of each round that has several."""
    return [own for own in pool.by_round(held).values() if len(own) > 1]


def variance_within(values: Sequence[np.ndarray]) -> float:
    """Return the variance within rounds of log ratios, one array for each round."""
    return float(
        sum(((value - value.mean()) ** 2).sum() for value in values)
        / sum(len(value) - 1 for value in values)
    )


def between_rounds(pool: Pool, held: Sequence[int]) -> Between | None:
    """Return how far rounds differ: an analysis of variance, all benchmarks together; None with one round.

    The means of the rounds are compared with 0, which they would be without an effect of the round: the two copies are
    the same code. So a copy that is slower in every round counts as an effect, too. The mean squares of each benchmark
    are divided by its variance within rounds, so that all count alike. The bound takes the benchmarks as independent.
    """
    groups = several(pool, held)
    if len(groups) < 2:
        return None
    total = sum(map(len, groups))
    n = total / len(groups)
    ratios = []
    for benchmark in pool.benchmarks:
        values = [pool.logs(group, COPY, benchmark) for group in groups]
        ratios.append(
            sum(len(value) * value.mean() ** 2 for value in values)
            / len(groups)
            / variance_within(values)
        )
    f = float(np.mean(ratios))
    freedom = len(pool.benchmarks) * len(groups), len(pool.benchmarks) * (total - len(groups))
    return Between(
        max(0.0, (f - 1) / n), max(0.0, (f / float(stats.f.ppf(0.05, *freedom)) - 1) / n)
    )

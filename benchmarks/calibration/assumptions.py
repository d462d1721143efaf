"""Whether what the bound on false alarms rests on holds in a pool, and what injected slowdowns measured."""

from collections import defaultdict
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
    measured = {}
    for side in sides:
        by_work: dict[str, list[int]] = defaultdict(list)
        for name, replicates in pool.by_round(pool.holding([BASE, side])).items():
            by_work[pool.works.get(name, "")] += replicates
        for work, replicates in sorted(by_work.items()):
            if len(replicates) >= FEWEST:
                logs = [pool.logs(replicates, side, name) for name in pool.benchmarks]
                groups = means(logs, most_freedom=BORROWED)
                measured[side, work] = np.expm1([groups.mean, *t_interval(groups)])
    return measured


@dataclass(frozen=True)
class Between:
    """The variance between rounds as a share of that between replicates, and its upper 95 % bound."""

    share: float
    bound: float


def several(pool: Pool, replicates: Sequence[int]) -> list[list[int]]:
    """Return the replicates of each round that has several."""
    return [of_round for of_round in pool.by_round(replicates).values() if len(of_round) > 1]


def variance_within(rounds: Sequence[np.ndarray]) -> float:
    """Return the variance within rounds of log ratios, one array for each round."""
    squares = sum(((logs - logs.mean()) ** 2).sum() for logs in rounds)
    return float(squares / (sum(map(len, rounds)) - len(rounds)))


def between_rounds(pool: Pool, replicates: Sequence[int]) -> Between | None:
    """Return how far rounds differ: an analysis of variance, all benchmarks together; None with one round.

    The means of the rounds are compared with 0, which they would be without an effect of the round: the two copies are
    the same code. So a copy that is slower in every round counts as an effect, too. The mean squares of each benchmark
    are divided by its variance within rounds, so that all count alike. The bound takes the benchmarks as independent.
    """
    rounds = several(pool, replicates)
    if len(rounds) < 2:
        return None
    ratios = []
    for benchmark in pool.benchmarks:
        logs = [pool.logs(of_round, COPY, benchmark) for of_round in rounds]
        squares = sum(len(of_round) * of_round.mean() ** 2 for of_round in logs)
        ratios.append(squares / len(rounds) / variance_within(logs))
    f = float(np.mean(ratios))
    total = sum(map(len, rounds))
    size = total / len(rounds)
    freedom = len(pool.benchmarks) * len(rounds)
    freedom_within = len(pool.benchmarks) * (total - len(rounds))
    most = f / float(stats.f.ppf(0.05, freedom, freedom_within))
    return Between(max(0.0, (f - 1) / size), max(0.0, (most - 1) / size))

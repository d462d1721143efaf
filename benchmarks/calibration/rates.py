"""How often replayed gates raise a false alarm, with a bound, and how often they find a slowdown."""

from __future__ import annotations

import functools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration.assumptions import several, variance_within
from benchmarks.calibration.pool import COPY
from benchmarks.calibration.replay import Case, Head, Replay
from benchmarks.regression.decision import MOST, TESTED

RESAMPLES, DRAWS = 2000, 50
"""How often the rounds are drawn anew for a bound: where nothing has to be replayed for it, and where it has."""

LONG_ENOUGH = TESTED + 3
"""The fewest replicates of a round in which a whole gate is replayed."""


@dataclass(frozen=True)
class Rate:
    """A share of replayed gates, its 5 % and 95 % limits, the mean replicates of a gate, and how many gates there were.

    remark: what a table adds to it.
    """

    rate: float
    low: float
    high: float
    replicates: float
    gates: int
    remark: str = ""


@dataclass(frozen=True)
class Count:
    """A count over gates of a replay.

    held: the replicates that have what is compared.
    case: what a gate compares.
    gates: how many there are, in all rounds together.
    seed: of all draws.
    """

    held: Sequence[int]
    case: Case
    gates: int
    seed: int

    def within_rounds(self, replay: Replay) -> Rate | None:
        """Replay gates each of which has all its replicates from one round, as a real gate.

        What lasts for a round is then seen. Only rounds of LONG_ENOUGH replicates count; None where there is none. The
        limits are quantiles of a bootstrap over rounds. They are at least as wide as chance makes the rate of so many
        gates, so that "never seen" is not "at most 0".
        """
        rng, numbers = random.Random(self.seed), np.random.default_rng(self.seed)
        long = [own for own in replay.pool.by_round(self.held).values() if len(own) >= LONG_ENOUGH]
        if not long:
            return None
        each, used = -(-self.gates // len(long)), 0
        hits = np.zeros(len(long))
        for k, own in enumerate(long):
            sample = functools.partial(rng.sample, own, min(len(own), MOST))
            hits[k], some = self._replayed(replay, each, rng, sample)
            used += some
        drawn = numbers.choice(hits / each, (RESAMPLES, len(long))).mean(axis=1)
        return _limited(int(hits.sum()), each * len(long), drawn, used / (each * len(long)))

    def across_rounds(self, replay: Replay, again: int) -> Rate | None:
        """Replay gates whose replicates come from several rounds; None where there are too few.

        Such a gate can have more replicates than a round. The limits are as those of within_rounds, but `again` gates
        have to be replayed for each of DRAWS draws of the rounds. With one round, they are what chance makes them.
        """
        if len(self.held) < TESTED:
            return None
        rng, numbers = random.Random(self.seed), np.random.default_rng(self.seed)
        by_round = replay.pool.by_round(self.held)

        def counted(drawn: Sequence[str], gates: int) -> tuple[int, int]:
            weights = Counter(
                drawn
            )  # the replicates of a round that was drawn twice are twice as likely
            those = [k for name in weights for k in by_round[name]]
            chances = np.array([weights[replay.pool.replicates[k].round] for k in those], float)
            chances /= chances.sum()
            many = min(len(those), MOST)
            return self._replayed(
                replay,
                gates,
                rng,
                lambda: numbers.choice(those, many, replace=False, p=chances).tolist(),
            )

        rounds = sorted(by_round)
        hits, used = counted(rounds, self.gates)
        draws = DRAWS if len(rounds) > 1 else 0  # a single round can only be drawn again
        rates = [
            counted(rng.choices(rounds, k=len(rounds)), again)[0] / again for _ in range(draws)
        ]
        return _limited(hits, self.gates, rates or [hits / self.gates], used / self.gates)

    def _replayed(
        self, replay: Replay, gates: int, rng: random.Random, drawn: Callable[[], Sequence[int]]
    ) -> tuple[int, int]:
        """Replay so many gates; return how many found what they should, or raised an alarm, and all their replicates.

        Which of the two copies is called base is drawn once for a gate; `drawn` draws its replicates.
        """
        draws = []
        for _ in range(gates):
            heads = self.case.draw(replay.pool.benchmarks, rng)
            order, swapped = drawn(), rng.random() < 0.5
            draws.append((heads, (order, [swapped] * len(order))))
        done = replay.gates(draws)
        hits = sum(gate.found(heads) for gate, (heads, _) in zip(done, draws, strict=True))
        return hits, sum(gate.replicates for gate in done)

    def simulated(self, replay: Replay, share: float, freedom: float = math.inf) -> Rate:
        """Simulate gates in which nothing changed, each in a round of its own.

        A gate's replicates are drawn from all that were measured, with repetitions: their spreads and their outliers
        are real. Which of the two copies is called base is drawn for each replicate, so that a difference that lasted
        in the pool, by chance or not, does not last in the gate. What lasts for a gate is drawn instead, for the log
        ratio of each benchmark's times: on average a `share` of the variance within rounds. In a gate it is normal.
        With `freedom`, its variance differs between gates, so that over all of them it has a t distribution: most
        rounds have little, and a few have much. Start and memory get nothing. The limits are those that chance sets.
        """
        rng, pool = random.Random(self.seed), replay.pool
        groups = several(pool, self.held)
        spreads = {
            name: math.sqrt(variance_within([pool.logs(group, COPY, name) for group in groups]))
            for name in pool.benchmarks
        }
        draws = []
        for _ in range(self.gates):
            drawn = self.case.draw(pool.benchmarks, rng)
            times = (
                1.0
                if math.isinf(freedom)
                else (freedom - 2) / (2 * rng.gammavariate(freedom / 2, 1.0))
            )
            lasting = math.sqrt(share * times)
            heads = {name: Head(shift=rng.gauss(0.0, lasting * spreads[name])) for name in drawn}
            order = rng.choices(self.held, k=MOST)
            draws.append((heads, (order, [rng.random() < 0.5 for _ in order])))
        done = replay.gates(draws)
        hits, used = sum(bool(gate.slower) for gate in done), sum(gate.replicates for gate in done)
        return Rate(hits / self.gates, *by_chance(hits, self.gates), used / self.gates, self.gates)


def _limited(hits: int, gates: int, drawn: Sequence[float] | np.ndarray, replicates: float) -> Rate:
    """Return a rate with its limits: quantiles of the rates of drawn rounds, or what chance makes if wider."""
    low, high = np.quantile(drawn, [0.05, 0.95])
    least, most = by_chance(hits, gates)
    return Rate(hits / gates, min(float(low), least), max(float(high), most), replicates, gates)


def by_chance(hits: int, trials: int) -> tuple[float, float]:
    """Return the one-sided 95 % limits of a chance, lower and upper, by Clopper and Pearson."""
    limits = stats.binomtest(hits, trials).proportion_ci(confidence_level=0.9, method="exact")
    return float(limits.low), float(limits.high)

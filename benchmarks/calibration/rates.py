"""How often replayed gates raise a false alarm, with a bound, and how often they find a slowdown."""

import functools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration.assumptions import several, variance_within
from benchmarks.calibration.pool import COPY, Pool
from benchmarks.calibration.replay import Decide, Draw, Replay, run_gates
from benchmarks.regression.decision import MOST, TESTED, GateKey

RESAMPLES = 2000
"""How often the rounds are drawn anew for a bound where nothing has to be replayed for it."""
SEED = 1
"""Of those draws."""
DRAWS = 50
"""How often where gates have to be replayed."""
LONG_ENOUGH = TESTED + 3
"""The fewest replicates of a round in which a whole gate is replayed."""


@dataclass(frozen=True)
class Rate:
    """A share of gates, its 5 % and 95 % limits, the mean replicates of a gate, and how many gates there were.

    independent: from how many rounds their replicates are; for a rule that takes more than a round has, how many of
        its comparisons can have no replicate in common.
    """

    rate: float
    low: float
    high: float
    replicates: float
    gates: int
    independent: int


Rates = Mapping[str, Mapping[str, Rate | None]]
"""What was counted, by row of the table, and by slowdown or what is counted beside it."""
Counts = dict[tuple[str, str], Callable[[Pool], Rate | None]]
"""What gives each of them."""


@dataclass(frozen=True)
class Count:
    """A count over gates of a replay.

    replicates: the indices of the replicates that have what is compared.
    gates: how many there are, in all rounds together.
    seed: of all draws.
    side: what is compared with base at one benchmark, which is drawn for each gate; by default, it is not slowed.
    shift: what is added to its log ratios, for a slowdown of exactly that size.
    alone: whether a gate compares only the benchmarks of the slowed implementation, or of one that is drawn.
    decide: the rule of the gates; by default, that of a real gate.
    """

    replicates: Sequence[int]
    gates: int
    seed: int
    side: str = COPY
    shift: float = 0.0
    alone: bool = False
    decide: Decide = run_gates

    def compared(
        self, benchmarks: Sequence[GateKey], rng: random.Random
    ) -> tuple[dict[GateKey, float], GateKey | None]:
        """Return the shift of each benchmark of a gate, and which benchmark is slowed."""
        shifts = dict.fromkeys(benchmarks, 0.0)
        slowed = self.side != COPY or self.shift > 0
        if not (slowed or self.alone):
            return shifts, None
        target = rng.choice(benchmarks)
        if self.alone:
            own = target.implementation
            shifts = {key: 0.0 for key in benchmarks if key.implementation == own}
        shifts[target] = self.shift
        return shifts, target if slowed else None

    def within_rounds(self, pool: Pool) -> Rate | None:
        """Replay gates each of which has all its replicates from one round, as a real gate.

        What lasts for a round is then seen. Only rounds of LONG_ENOUGH replicates count; None where there is none. The
        limits are quantiles of a bootstrap over rounds. They are at least as wide as chance makes the rate of so many
        gates, so that "never seen" is not "at most 0".
        """
        rounds = pool.by_round(self.replicates).values()
        long = [replicates for replicates in rounds if len(replicates) >= LONG_ENOUGH]
        if not long:
            return None
        replay = Replay(pool, self.replicates, self.side)
        rng = random.Random(self.seed)
        gates = math.ceil(self.gates / len(long))
        hits = np.zeros(len(long), int)
        used = 0
        for k, replicates in enumerate(long):
            sample = functools.partial(rng.sample, replicates, min(len(replicates), MOST))
            hits[k], of_round = self._replayed(replay, gates, rng, sample)
            used += of_round
        return of_rounds(hits, np.full(len(long), gates), used / (gates * len(long)))

    def across_rounds(self, pool: Pool, again: int) -> Rate | None:
        """Replay gates whose replicates come from several rounds; None where there are too few.

        Such a gate can have more replicates than a round. The limits are made as in within_rounds, but `again` gates
        have to be replayed for each of DRAWS draws of the rounds. With one round, they are what chance makes them.
        """
        if len(self.replicates) < TESTED:
            return None
        replay = Replay(pool, self.replicates, self.side)
        rng = random.Random(self.seed)
        numbers = np.random.default_rng(self.seed)
        by_round = pool.by_round(self.replicates)

        def count(rounds: Sequence[str], gates: int) -> tuple[int, int]:
            replicates: list[int] = []
            weights: list[int] = []
            for name, times in Counter(rounds).items():
                replicates += by_round[name]
                # the replicates of a round that was drawn twice are twice as likely
                weights += [times] * len(by_round[name])
            chances = np.array(weights) / sum(weights)
            most = min(len(replicates), MOST)

            def sample() -> list[int]:
                return list(numbers.choice(replicates, most, replace=False, p=chances))

            return self._replayed(replay, gates, rng, sample)

        rounds = sorted(by_round)
        hits, used = count(rounds, self.gates)
        rates = [hits / self.gates]
        if len(rounds) > 1:  # a single one can only be drawn again
            rates = []
            for _ in range(DRAWS):
                drawn, _ = count(rng.choices(rounds, k=len(rounds)), again)
                rates.append(drawn / again)
        return limited(hits, self.gates, rates, used / self.gates, len(rounds))

    def _replayed(
        self, replay: Replay, gates: int, rng: random.Random, sample: Callable[[], Sequence[int]]
    ) -> tuple[int, int]:
        """Replay so many gates; return how many find what they should, or raise an alarm, and all their replicates.

        Which of the two copies is called base is drawn once for a gate; `sample` draws its replicates.
        """
        draws = []
        for _ in range(gates):
            shifts, slowed = self.compared(replay.benchmarks, rng)
            order = sample()
            draws.append(Draw(shifts, slowed, order, [rng.random() < 0.5] * len(order)))
        return replay.count(draws, self.decide)

    def simulated(self, pool: Pool, share: float, freedom: float = math.inf) -> Rate:
        """Simulate gates in which nothing changed, each in a round of its own.

        A gate's replicates are drawn from all that were measured, with repetitions: their spreads and their outliers
        are real. Which of the two copies is called base is drawn for each replicate, so that a difference that lasted
        in the pool, by chance or not, does not last in the gate. What lasts for a gate is drawn instead, for the log
        ratio of each benchmark's times: on average a `share` of the variance within rounds. In a gate it is normal.
        With `freedom`, its variance differs between gates, so that over all of them it has a t distribution: most
        rounds have little, and a few have much. Start and memory get nothing. The limits are by chance.
        """
        rng = random.Random(self.seed)
        rounds = several(pool, self.replicates)
        spreads = {}
        for name in pool.benchmarks:
            logs = [pool.logs(replicates, COPY, name) for replicates in rounds]
            spreads[name] = math.sqrt(variance_within(logs))
        draws = []
        for _ in range(self.gates):
            names, _ = self.compared(pool.benchmarks, rng)
            lasting = share
            if math.isfinite(freedom):
                lasting *= (freedom - 2) / (2 * rng.gammavariate(freedom / 2, 1.0))
            sd = math.sqrt(lasting)
            shifts = {name: rng.gauss(0.0, sd * spreads[name]) for name in names}
            order = rng.choices(self.replicates, k=MOST)
            draws.append(Draw(shifts, None, order, [rng.random() < 0.5 for _ in order]))
        hits, used = Replay(pool, self.replicates, self.side).count(draws)
        low, high = by_chance(hits, self.gates)
        return Rate(hits / self.gates, low, high, used / self.gates, self.gates, len(rounds))


def of_rounds(hits: np.ndarray, gates: np.ndarray, replicates: float) -> Rate:
    """Return the rate of gates each of which is of one round, with limits from drawing the rounds anew.

    Args:
        hits, gates: of each round, shape (rounds,). Gates that are far from independent may count as fewer.
        replicates: the mean of a gate.
    """
    shape = RESAMPLES, len(hits)
    drawn = np.random.default_rng(SEED).integers(len(hits), size=shape)
    rates = hits[drawn].sum(axis=1) / gates[drawn].sum(axis=1)
    return limited(float(hits.sum()), round(gates.sum()), rates, replicates, len(hits))


def limited(
    hits: float,
    gates: int,
    rates: Sequence[float] | np.ndarray,
    replicates: float,
    independent: int,
) -> Rate:
    """Return a rate with its limits: quantiles of the rates of drawn rounds, or what chance makes if wider."""
    low, high = np.quantile(rates, [0.05, 0.95])
    least, most = by_chance(round(hits), gates)
    low = min(float(low), least)
    high = max(float(high), most)
    return Rate(hits / gates, low, high, replicates, gates, independent)


def by_chance(hits: int, trials: int) -> tuple[float, float]:
    """Return the one-sided 95 % limits of a chance, lower and upper, by Clopper and Pearson."""
    limits = stats.binomtest(hits, trials).proportion_ci(confidence_level=0.9, method="exact")
    return float(limits.low), float(limits.high)


def count_all(pool: Pool, counts: Counts, advance: Callable[[int, int], None]) -> Rates:
    """Return the result of each count on the replicates of a pool.

    `advance` gets how many counts are done, and how many there are.
    """
    rates: dict[str, dict[str, Rate | None]] = defaultdict(dict)
    for done, ((row, column), count) in enumerate(counts.items(), 1):
        rates[row][column] = count(pool)
        advance(done, len(counts))
    return rates

"""What a pool says of the gate: false alarms with a bound, power by size, and whether the assumptions hold."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.replay import Gate, Head, Order, Replay
from benchmarks.regression.decision import BORROWED, FEWEST, MOST, SMALLEST_SD, TESTED
from benchmarks.statistics.intervals import means, p_values, t_interval

UNRECORDED = "not recorded"
"""The kind of work in sessions that did not record it."""
RESAMPLES, DRAWS = 2000, 50
"""How often the sessions are drawn anew for a bound: where nothing has to be replayed for it, and where it has."""

LONG_ENOUGH = TESTED + 3
"""The fewest replicates of a session in which a whole gate is replayed."""

Heads = dict[str, Head]
Draw = Callable[[random.Random], Heads]
"""Draws what a gate compares. Those of this module can be sent to another process."""
Happened = Callable[[Gate, Heads], bool]


@dataclass(frozen=True)
class Rate:
    """A share of replayed gates, its 5 % and 95 % limits, the mean replicates of a gate, and how many gates there were.

    sessions: of the pool.
    """

    rate: float
    low: float
    high: float
    replicates: float
    gates: int
    sessions: int


def by_session(pool: Pool, held: Sequence[int]) -> dict[str, list[int]]:
    """Return the replicates of each session."""
    sessions: dict[str, list[int]] = {}
    for k in held:
        sessions.setdefault(pool.sessions[k], []).append(k)
    return sessions


def _labelled(rng: random.Random, replicates: Sequence[int]) -> Order:
    """Return the replicates of a gate. Which of the two copies is called base is drawn once."""
    swapped = rng.random() < 0.5
    return [(k, swapped) for k in replicates]


def rate_within_sessions(
    replay: Replay, held: Sequence[int], draw: Draw, happened: Happened, gates: int, seed: int
) -> Rate | None:
    """Replay gates each of which has all its replicates from one session, as a real gate.

    What lasts for a session is then seen. Only sessions of LONG_ENOUGH replicates count; None where there is none. The
    limits are quantiles of a bootstrap over sessions. They are at least as wide as chance makes the rate of so many
    gates, so that "never seen" is not "at most 0".

    Args:
        replay: the gates of a pool.
        held: the replicates that have all the sides.
        draw: draws what a gate compares.
        happened: whether what is counted has happened in a gate.
        gates: how many gates are replayed, in all sessions together.
        seed: of all draws.
    """
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    long = [own for own in by_session(replay.pool, held).values() if len(own) >= LONG_ENOUGH]
    if not long:
        return None
    each, used = -(-gates // len(long)), 0
    hits = np.zeros(len(long))
    for k, own in enumerate(long):
        for _ in range(each):
            compared = draw(rng)
            gate = replay.gate(compared, _labelled(rng, rng.sample(own, min(len(own), MOST))))
            hits[k] += happened(gate, compared)
            used += gate.replicates
    drawn = numbers.choice(hits / each, (RESAMPLES, len(long))).mean(axis=1)
    total = each * len(long)
    return _limited(int(hits.sum()), total, drawn, used / total, len(long))


def alarms_of_simulated_gates(
    replay: Replay, held: Sequence[int], draw: Draw, between: Between, gates: int, seed: int
) -> Rate:
    """Simulate gates in which nothing changed, each in a session of its own.

    A gate's replicates are drawn from all that were measured, with repetitions: their spreads and their outliers are
    real. Which of the two copies is called base is drawn for each replicate, so that a difference that lasted in the
    pool, by chance or not, does not last in the gate. What a session adds to a benchmark's log ratio of times is drawn
    from a normal distribution instead. Its variance is the largest that all benchmarks together allow: between.bound
    times that within sessions. Start and memory get nothing. The limits are those that chance sets.

    Args:
        replay: the gates of a pool.
        held: the replicates that have both copies.
        draw: draws what a gate compares.
        between: how far sessions differ.
        gates: how many gates are simulated.
        seed: of all draws.
    """
    rng, pool = random.Random(seed), replay.pool
    groups = _groups(pool, held)
    spreads = {
        name: math.sqrt(between.bound * _within([logs(pool, group, COPY, name) for group in groups]))
        for name in pool.benchmarks
    }
    hits = used = 0
    for _ in range(gates):
        heads = {name: Head(head.side, rng.gauss(0.0, spreads[name])) for name, head in draw(rng).items()}
        gate = replay.gate(heads, [(k, rng.random() < 0.5) for k in rng.choices(held, k=MOST)])
        hits, used = hits + alarmed(gate, heads), used + gate.replicates
    return Rate(hits / gates, *by_chance(hits, gates), used / gates, gates, len(by_session(pool, held)))


def rate(
    replay: Replay, held: Sequence[int], draw: Draw, happened: Happened, gates: int, again: int, seed: int
) -> Rate | None:
    """Replay gates whose replicates come from several sessions; None where there are too few.

    Such a gate can have more replicates than a session. The limits are as those of rate_within_sessions, but gates have
    to be replayed for each draw of the sessions. With one session, they are what chance makes them.

    Args:
        replay, held, draw, happened, gates, seed: as for rate_within_sessions.
        again: how many gates are replayed for each of DRAWS draws of the sessions.
    """
    if len(held) < TESTED:
        return None
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    of_session = by_session(replay.pool, held)

    def counted(drawn: Sequence[str], count: int) -> tuple[int, float]:
        weights = Counter(drawn)  # the replicates of a session that was drawn twice are twice as likely
        those = [k for name in weights for k in of_session[name]]
        chances = np.array([weights[replay.pool.sessions[k]] for k in those], float)
        hits = used = 0
        for _ in range(count):
            compared = draw(rng)
            order = numbers.choice(len(those), min(len(those), MOST), replace=False, p=chances / chances.sum())
            gate = replay.gate(compared, _labelled(rng, [those[k] for k in order]))
            hits, used = hits + happened(gate, compared), used + gate.replicates
        return hits, used / count

    sessions = sorted(of_session)
    hits, used = counted(sessions, gates)
    draws = DRAWS if len(sessions) > 1 else 0  # a single session can only be drawn again
    rates = [counted(rng.choices(sessions, k=len(sessions)), again)[0] / again for _ in range(draws)]
    return _limited(hits, gates, rates or [hits / gates], used, len(sessions))


@dataclass(frozen=True)
class Share:
    """How often the slowdown of a benchmark is found, with the 5 % and 95 % limits that chance sets."""

    benchmark: str
    share: float
    low: float
    high: float


def least_found(replay: Replay, held: Sequence[int], shift: float, gates: int, seed: int) -> Share | None:
    """Return the benchmark at which a slowdown is found least often; None where there are too few replicates.

    Args:
        replay: the gates of a pool.
        held: the replicates that have both copies.
        shift: the slowdown, as a log ratio.
        gates: how many gates are replayed for each benchmark.
        seed: of all draws.
    """
    if len(held) < TESTED:
        return None
    rng, shares = random.Random(seed), []
    for benchmark in replay.pool.benchmarks:
        draw = slowed(replay.pool, shift=shift, benchmark=benchmark)
        hits = 0
        for _ in range(gates):
            compared = draw(rng)
            order = _labelled(rng, rng.sample(held, min(len(held), MOST)))
            hits += found(replay.gate(compared, order), compared)
        shares.append(Share(benchmark, hits / gates, *by_chance(hits, gates)))
    return min(shares, key=lambda one: one.share)


def _limited(hits: int, gates: int, drawn: Sequence[float] | np.ndarray, replicates: float, sessions: int) -> Rate:
    """Return a rate with its limits: quantiles of the rates of drawn sessions, or what chance makes if wider."""
    low, high = np.quantile(drawn, [0.05, 0.95])
    least, most = by_chance(hits, gates)
    return Rate(hits / gates, min(float(low), least), max(float(high), most), replicates, gates, sessions)


def by_chance(hits: int, trials: int) -> tuple[float, float]:
    """Return the one-sided 95 % limits of a chance, lower and upper, by Clopper and Pearson."""
    low = float(stats.beta.ppf(0.05, hits, trials - hits + 1)) if hits else 0.0
    high = float(stats.beta.ppf(0.95, hits + 1, trials - hits)) if hits < trials else 1.0
    return low, high


def unchanged(pool: Pool) -> Draw:
    """Return what draws a gate in which nothing changed."""
    return partial(_unchanged, pool.benchmarks)


def _unchanged(benchmarks: Sequence[str], _: random.Random) -> Heads:
    return {benchmark: Head() for benchmark in benchmarks}


def slowed(pool: Pool, side: str = COPY, shift: float = 0.0, benchmark: str | None = None) -> Draw:
    """Return what draws a gate in which one benchmark, by default a random one, is slower.

    Args:
        pool: the pool.
        side: the slower side; the copy, where the log ratio is shifted instead.
        shift: what is added to the log ratio: a slowdown of exactly this size.
        benchmark: the slower benchmark.
    """
    return partial(_slowed, pool.benchmarks, Head(side, shift), benchmark)


def _slowed(benchmarks: Sequence[str], slower: Head, benchmark: str | None, rng: random.Random) -> Heads:
    target = benchmark or rng.choice(benchmarks)
    return {**_unchanged(benchmarks, rng), target: slower}


def implementation_of(benchmark: str) -> str:
    """Return the implementation of a benchmark of a pool, such as torch_cell of `torch_cell t64-…/sequence/forward`."""
    return benchmark.rpartition(" ")[0]


def of_one(draw: Draw) -> Draw:
    """Return what draws gates of one implementation: the slower one of a gate that `draw` draws, or a random one."""
    return partial(_narrowed, draw)


def _narrowed(draw: Draw, rng: random.Random) -> Heads:
    heads = draw(rng)
    target = next((name for name, head in heads.items() if head.slowed), None) or rng.choice(sorted(heads))
    return {name: head for name, head in heads.items() if implementation_of(name) == implementation_of(target)}


def alarmed(gate: Gate, _: Heads) -> bool:
    """Whether a gate called anything slower, by any metric."""
    return bool(gate.slower())


def found(gate: Gate, compared: Heads) -> bool:
    """Whether a gate called the slowed benchmark slower, by its time."""
    return any(compared[name].slowed for name in gate.slower(["time"]))


def logs(pool: Pool, held: Sequence[int], side: str, benchmark: str) -> np.ndarray:
    """Return the log ratios of a side to base in these replicates."""
    return np.array([pool.log_ratio(k, benchmark, BASE, side) for k in held])


@dataclass(frozen=True)
class Size:
    """The measured size of an injected slowdown at a benchmark, as ratio − 1, with its 95 % interval."""

    benchmark: str
    side: str
    work: str
    ratio: float
    low: float
    high: float
    n: int


def sizes(pool: Pool, sides: Sequence[str]) -> list[Size]:
    """Return what each injected slowdown measures, by the kind of work."""
    found = []
    for side in sides:
        holding = pool.holding([BASE, side])
        works = {k: pool.works.get(pool.sessions[k], UNRECORDED) for k in holding}
        for work in sorted(set(works.values())):
            held = [k for k in holding if works[k] == work]
            if len(held) < FEWEST:
                continue
            groups = means([logs(pool, held, side, benchmark) for benchmark in pool.benchmarks], most_freedom=BORROWED)
            for benchmark, mean, low, high in zip(
                pool.benchmarks, *np.expm1([groups.mean, *t_interval(groups)]), strict=True
            ):
                found.append(Size(benchmark, side, work, float(mean), float(low), float(high), len(held)))
    return found


def p_values_of_copies(pool: Pool, held: Sequence[int]) -> np.ndarray:
    """Return the one-sided p values of base against its copy, for each session and benchmark: uniform, if all holds."""
    found: list[float] = []
    for own in by_session(pool, held).values():
        if len(own) >= FEWEST:
            groups = [logs(pool, own, COPY, benchmark) for benchmark in pool.benchmarks]
            found += p_values(means(groups, least_sd=SMALLEST_SD, most_freedom=BORROWED), 1).tolist()
    return np.array(found)


@dataclass(frozen=True)
class Between:
    """The variance between sessions as a share of that between replicates, and its upper 95 % bound."""

    share: float
    bound: float


def _groups(pool: Pool, held: Sequence[int]) -> list[list[int]]:
    """Return the replicates of each session that has several."""
    return [group for group in by_session(pool, held).values() if len(group) > 1]


def _within(values: Sequence[np.ndarray]) -> float:
    """Return the variance within sessions of log ratios, one array for each session."""
    return float(sum(((value - value.mean()) ** 2).sum() for value in values) / sum(len(value) - 1 for value in values))


def between_sessions(pool: Pool, held: Sequence[int]) -> Between | None:
    """Return how far sessions differ: an analysis of variance, all benchmarks together; None with one session.

    The means of the sessions are compared with 0, which they would be without an effect of the session: the two copies
    are the same code. So a copy that is slower in every session counts as an effect, too. The mean squares of each
    benchmark are divided by its variance within sessions, so that all count alike. The bound takes the benchmarks as
    independent.
    """
    groups = _groups(pool, held)
    if len(groups) < 2:
        return None
    total = sum(map(len, groups))
    n = total / len(groups)
    ratios = []
    for benchmark in pool.benchmarks:
        values = [logs(pool, group, COPY, benchmark) for group in groups]
        ratios.append(sum(len(value) * value.mean() ** 2 for value in values) / len(groups) / _within(values))
    f = float(np.mean(ratios))
    freedom = len(pool.benchmarks) * len(groups), len(pool.benchmarks) * (total - len(groups))
    return Between(max(0.0, (f - 1) / n), max(0.0, (f / float(stats.f.ppf(0.05, *freedom)) - 1) / n))

"""Gates that are replayed on the replicates of a pool, by the decision that a real gate takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.regression import decision
from benchmarks.regression.decision import FEWEST, Evidence, GateKey, LogRatios, Rule
from benchmarks.regression.log_ratios import compare

AT_ONCE = 400
"""How many gates are replayed at once; more would take memory and not be faster."""
RULES = decision.rules(decision.MARGIN)
"""Those of all gates; that of time is the first."""
Decide = Callable[
    [Sequence[Rule], np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]
]
"""What decides many gates: it takes and returns what run_gates does."""


@dataclass(frozen=True)
class Draw:
    """A gate to be replayed.

    shifts: what is added to the log ratios of each benchmark that is compared: a slowdown of exactly that size, with
        the noise of a real one.
    slowed: the benchmark that the gate should find; None where nothing is slowed.
    order: the replicates, in the order in which the gate gets them.
    swapped: whether base and its copy swap their labels in each of them.
    """

    shifts: Mapping[GateKey, float]
    slowed: GateKey | None
    order: Sequence[int]
    swapped: Sequence[bool]


def run_gates(
    rules: Sequence[Rule], logs: np.ndarray, base: np.ndarray, head: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decide many gates, as if each had measured one replicate after the other.

    Args:
        rules: that of each metric.
        logs: log ratios, shape (metrics, gates, benchmarks, replicates); with the last replicate a gate ends.
        base, head: both sides' values, of the same shape.

    Returns:
        What is slower, shape (metrics, gates, benchmarks), and how many replicates each gate took.
    """
    _, gates, benchmarks, most = logs.shape
    dropped = np.zeros(logs.shape[:3], bool)
    n = np.full((gates, benchmarks), min(FEWEST, most) - 1)
    unsettled = np.ones(n.shape, bool)

    def evidence(m: int, some: np.ndarray) -> Evidence:
        ratios = LogRatios(rules[m], logs[m, some], base[m, some], head[m, some], n[some])
        return ratios.evidence(benchmarks)

    while unsettled.any():
        n += unsettled
        measuring = unsettled.any(axis=1)
        unsettled[:] = False
        for m in range(len(rules)):
            some = measuring & ~dropped[m].all(axis=1)
            if some.any():  # start and memory are soon dropped everywhere
                dropped[m, some], needed = evidence(m, some).look(dropped[m, some], most)
                unsettled[some] |= needed
    slower = np.zeros(dropped.shape, bool)
    for m in range(len(rules)):
        some = ~dropped[m].all(axis=1)
        slower[m, some] = evidence(m, some).slower()
    return slower & ~dropped, n.max(axis=1)


class Replay:
    """Gates on some replicates of a pool. They compare base with its copy, but with `side` at the slowed benchmark."""

    def __init__(self, pool: Pool, replicates: Sequence[int], side: str) -> None:
        self.benchmarks = pool.benchmarks
        pairs = [(BASE, COPY), (COPY, BASE)]
        if side != COPY:
            pairs += [(BASE, side), (COPY, side)]
        shape = len(pairs), len(self.benchmarks), len(pool.replicates), len(RULES), 3
        self.table = np.zeros(shape)
        """Log ratio, base's value and head's, by pair of sides, benchmark, replicate and metric."""
        for p, (base, head) in enumerate(pairs):
            for b, name in enumerate(self.benchmarks):
                for k in replicates:
                    sides = pool.replicates[k].sides[name]
                    for m, rule in enumerate(RULES):
                        self.table[p, b, k, m] = compare(rule.metric, sides[base], sides[head])

    def count(self, draws: Sequence[Draw], decide: Decide = run_gates) -> tuple[int, int]:
        """Replay gates, all of as many benchmarks and replicates. Each is settled when its replicates end.

        Returns:
            How many call what is slowed slower, by its time, or raise an alarm where nothing is slowed; and the number
            of replicates that they all take.
        """
        hits = 0
        used = 0
        for first in range(0, len(draws), AT_ONCE):
            some = draws[first : first + AT_ONCE]
            slower, replicates = decide(RULES, *self._values(some))
            used += int(replicates.sum())
            for k, draw in enumerate(some):
                if draw.slowed is None:
                    hits += int(slower[:, k].any())
                else:
                    hits += int(slower[0, k, list(draw.shifts).index(draw.slowed)])
        return hits, used

    def _values(self, draws: Sequence[Draw]) -> np.ndarray:
        """Return log ratio, base's value and head's of gates: shape (3, metrics, gates, benchmarks, replicates)."""
        gates = len(draws), len(draws[0].shifts), 1
        benchmark = np.zeros(gates, int)
        pair = np.zeros(gates, int)
        shift = np.zeros(gates)
        swapped = []
        order = []
        for k, draw in enumerate(draws):
            for b, name in enumerate(draw.shifts):
                benchmark[k, b] = self.benchmarks.index(name)
                shift[k, b] = draw.shifts[name]
                if name == draw.slowed:
                    pair[k, b] = len(self.table) - 2
            swapped.append([draw.swapped])
            order.append([draw.order])
        values = self.table[pair + np.array(swapped, int), benchmark, np.array(order)]
        values[..., 0, 0] += shift
        return np.ascontiguousarray(values.transpose(4, 3, 0, 1, 2))

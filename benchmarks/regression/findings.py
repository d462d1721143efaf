"""What a gate finds: the verdict on each benchmark and metric, with the numbers that it follows from."""

import math
from collections.abc import Sequence

import msgspec

from benchmarks.regression.decision import GateKey, LogRatios, Sampling
from benchmarks.regression.sensitivity import smallest_and_alarms
from benchmarks.statistics.intervals import first_medians, t_interval


class Finding(msgspec.Struct, frozen=True):
    """The verdict on a benchmark and metric, with its numbers. regression.json has these fields.

    Attributes:
        benchmark: implementation and benchmark.
        metric: time, start or memory.
        verdict: slower, faster, same or unclear.
        ratio: head over base.
        low, high: the ends of its 95 % interval; None where there is none, with a single replicate.
        smallest: the smallest slowdown of time that such gates find nine times of ten, as ratio − 1; None where it is
            not known, with a single replicate.
        replicates: how many there were.
        tests: how many tests share the chance of a false alarm.
        base, head: the medians of both sides, in the metric's unit.
        dropped: whether sampling had ended early, because a slowdown of the margin would hardly give these ratios.
        spread: the standard deviation of a replicate's log ratio. Five benchmarks or more share their variances.
        alarms: the share of such gates that would call it slower if nothing changed, but 8 % of a replicate's variance
            lasted for the gate; None like smallest.
    """

    benchmark: GateKey
    metric: str
    verdict: str
    ratio: float
    low: float | None
    high: float | None
    smallest: float | None
    replicates: int
    tests: int
    base: float = 0.0
    head: float = 0.0
    dropped: bool = False
    spread: float = 0.0
    alarms: float | None = None


def verdicts(measured: Sequence[LogRatios], sampling: Sampling) -> list[Finding]:
    """Return the Finding of each benchmark and metric, once sampling has ended."""
    findings = []
    for ratios in measured:
        evidence = ratios.evidence(sampling.benchmarks)
        dropped = sampling.dropped_of(ratios)
        words = evidence.verdicts(dropped)
        low, high = t_interval(evidence)
        base = first_medians(ratios.base, ratios.n)
        head = first_medians(ratios.head, ratios.n)
        for k, key in enumerate(ratios.keys):
            smallest, alarms = smallest_and_alarms(evidence[k], sampling.most)
            finding = Finding(
                benchmark=key,
                metric=ratios.rule.metric,
                verdict=str(words[k]),
                ratio=math.exp(evidence.mean[k]),
                low=_ratio(low[k]),
                high=_ratio(high[k]),
                smallest=smallest,
                replicates=int(ratios.n[k]),
                tests=sampling.benchmarks,
                base=float(base[k]),
                head=float(head[k]),
                dropped=bool(dropped[k]),
                spread=float(evidence.sd[k]),
                alarms=alarms,
            )
            findings.append(finding)
    keys = [finding.benchmark for finding in findings]
    return sorted(findings, key=lambda finding: keys.index(finding.benchmark))


def _ratio(log: float) -> float | None:
    """Return the ratio of an interval's end; None where there is no interval."""
    return math.exp(min(log, 700.0)) if math.isfinite(log) else None

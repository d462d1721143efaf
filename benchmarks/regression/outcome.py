"""The regression gate: admit, screen, confirm, decide, and say what could not be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Benchmark
from benchmarks.correctness.agreement import TOLERANCES
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import ArmFailed
from benchmarks.measurement.rows import withdraw
from benchmarks.measurement.session import Session
from benchmarks.record import Record
from benchmarks.regression import decision, log_ratios
from benchmarks.regression.decision import Finding, Rule
from benchmarks.words import count


@dataclass(frozen=True)
class Steps:
    """How much is measured: replicates and blocks of the screen, blocks of a confirming replicate."""

    replicates: int = 4
    blocks: int = 10
    confirm_blocks: int = 24


@dataclass(frozen=True)
class Standing:
    """Why a benchmark has no verdict, or a regression in its agreement.

    kind: disagrees or inaccurate, which are regressions; missing, lost or unmeasured, which could not be measured; new;
    absent.
    """

    benchmark: str
    kind: str
    reason: str


REGRESSIONS = ("disagrees", "inaccurate")
UNMEASURED = ("missing", "lost", "unmeasured")
ABSENT = ("unsupported", "not_installed")
"""Statuses of arms that are not there to be compared, and need not be."""


@dataclass
class Result:
    """The result of a gate."""

    margin: float
    findings: list[Finding] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @property
    def regressions(self) -> list[str]:
        """Each regression in words."""
        return [
            *(
                f"{standing.benchmark}: {standing.reason}"
                for standing in self.standings
                if standing.kind in REGRESSIONS
            ),
            *(
                f"{finding.benchmark}: {finding.metric} {finding.ratio - 1:+.1%}"
                f" [{finding.low - 1:+.1%}, {finding.high - 1:+.1%}]"
                for finding in self.findings
                if finding.verdict == "slower"
            ),
        ]

    @property
    def unmeasured(self) -> list[str]:
        """Each benchmark that could not be measured, in words; an entry also where nothing could be compared."""
        reasons = [
            f"{standing.benchmark}: {standing.reason}" for standing in self.standings if standing.kind in UNMEASURED
        ]
        return reasons or ([] if self.findings else ["nothing could be compared"])

    def unknown(self) -> list[Finding]:
        """Return the findings whose verdict is unknown."""
        return [finding for finding in self.findings if finding.verdict == "unknown"]

    def exit_code(self, strict: bool) -> int:
        """Return 0 for no regression, 1 for a regression, 3 for what was not measured or, with `strict`, is unknown."""
        if self.regressions:
            return 1
        return 3 if self.unmeasured or (strict and self.unknown()) else 0

    def last_line(self, strict: bool) -> str:
        """Return the verdict in a sentence."""
        if self.regressions:
            return f"{count(len(self.regressions), 'regression')} found: {'; '.join(self.regressions)}"
        if self.unmeasured:
            return f"could not measure: {'; '.join(self.unmeasured)}"
        smallest = max(finding.smallest for finding in self.findings if finding.metric == "time")
        size = f"of {smallest:+.1%}" if math.isfinite(smallest) else "of unknown size"
        line = f"no regression found; a slowdown {size} would have been found on every benchmark"
        if strict and self.unknown():
            unknown = "; ".join(f"{finding.benchmark} {finding.metric}" for finding in self.unknown())
            return f"{line}; but unknown: {unknown}"
        return line


def standing_of(key: str, base: Admission | None, head: Admission | None, dtype: str) -> Standing | None:
    """Return the Standing of a benchmark from both sides' admissions; None where both agree with the reference."""
    before = "not there" if base is None else base.status if base.status == "ok" else f"{base.status} ({base.reason})"
    if head is None:
        if base is None or base.status in ABSENT:
            return Standing(key, "absent", f"base: {before}; head: not there")
        return Standing(key, "missing", "it is in the base, and not in the head")
    if head.status == "disagrees":
        if base is not None and base.status == "disagrees":
            return Standing(key, "absent", f"disagrees on both sides: {head.reason}")
        return Standing(key, "disagrees", f"disagrees with the reference, and did not in the base: {head.reason}")
    if base is None or base.status in ABSENT:
        if head.status in ABSENT:
            return Standing(key, "absent", f"base: {before}; head: {head.status} ({head.reason})")
        if head.status != "ok":
            return Standing(key, "lost", f"base: {before}; {head.status} in the head: {head.reason}")
        return Standing(key, "new", f"base: {before}")
    if head.status != "ok":
        return Standing(key, "lost", f"{head.status} in the head, {before} in the base: {head.reason}")
    if base.status == "disagrees":
        return Standing(key, "new", f"base: {before}")
    if base.status != "ok":
        return Standing(key, "unmeasured", f"{before} in the base, ok in the head")
    if base.error is not None and head.error is not None:
        grown = head.error > 10 * base.error and head.error > TOLERANCES[dtype] / 10
        if grown:
            return Standing(
                key,
                "inaccurate",
                f"error of {head.error_tensor} grew from {base.error:.0e} to {head.error:.0e}",
            )
    return None


def standing_after(key: str, base: ArmFailed | None, head: ArmFailed | None) -> Standing | None:
    """Return the Standing of a benchmark that failed while it was measured; None where it did not fail."""
    if head is not None:
        if head.status == "disagrees" and base is None:
            return Standing(key, "disagrees", f"disagrees with the reference while it was measured: {head.reason}")
        return Standing(key, "lost", f"{head.status} in the head while it was measured: {head.reason}")
    if base is not None:
        return Standing(key, "unmeasured", f"{base.status} in the base while it was measured: {base.reason}")
    return None


def measure_and_decide(session: Session, rules: Sequence[Rule], steps: Steps) -> Result:
    """Run a whole gate: admit, screen, confirm, decide.

    Args:
        session: a session with two sides, base and head.
        rules: the rule of each metric, that of time first.
        steps: how much is measured.
    """
    result = Result(margin=rules[0].ratio)
    session.admit()
    session.close()  # the screen's workers are fresh
    for replicate in range(steps.replicates):
        result.records += session.replicate(
            replicate, steps.blocks, phase="screen", what="screening, replicate", of_all=steps.replicates
        )
    screen = log_ratios.of_records(_whole(result.records, session), rules)
    suspected = decision.suspects(screen)
    counts = decision.confirming_replicates(screen, suspected)
    keys = {f"{name} {benchmark.id}": (name, benchmark) for name in session.names for benchmark in session.benchmarks}
    most = max(counts.values(), default=0)
    for replicate in range(most):
        wanted: dict[str, list[Benchmark]] = {}
        for key, number in counts.items():
            if replicate < number:
                name, benchmark = keys[key]
                wanted.setdefault(name, []).append(benchmark)
        result.records += session.replicate(
            replicate, steps.confirm_blocks, wanted, phase="confirm", what="confirming, replicate", of_all=most
        )
    result.standings = _standings(session, keys)
    # a benchmark that failed while it was measured has no verdict, whatever was measured before
    without = {standing.benchmark for standing in result.standings if standing.kind != "inaccurate"}
    confirm = {
        (ratios.benchmark, ratios.rule.metric): ratios
        for ratios in log_ratios.of_records((row for row in result.records if row.phase == "confirm"), rules)
    }
    fresh = [confirm.get((screen[k].benchmark, screen[k].rule.metric)) for k in suspected]
    kept = [(k, ratios) for k, ratios in zip(suspected, fresh, strict=True) if ratios is not None]
    findings = decision.verdicts(screen, [k for k, _ in kept], [ratios for _, ratios in kept])
    result.findings = [finding for finding in findings if finding.benchmark not in without]
    withdraw(result.records)
    return result


def _standings(session: Session, keys: Mapping[str, tuple[str, Benchmark]]) -> list[Standing]:
    """Return the Standing of each benchmark that has one."""
    standings = []
    for key, (name, benchmark) in keys.items():
        base, head = ((side.label, name, benchmark.id) for side in session.sides)
        admitted = session.admissions.get(base), session.admissions.get(head)
        standing = standing_of(key, *admitted, benchmark.problem.dtype)
        standing = standing or standing_after(key, session.failures.get(base), session.failures.get(head))
        standings += [standing] if standing else []
    return standings


def _whole(records: Sequence[Record], session: Session) -> list[Record]:
    """Return the records of benchmarks at which no side has failed since."""
    return [row for row in records if session.ok(row.implementation, row.benchmark)]

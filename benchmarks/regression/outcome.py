"""One gate from measuring to its verdict: admit, screen, confirm; and what is said of what could not be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Benchmark
from benchmarks.correctness.agreement import TOLERANCES
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import ArmFailed
from benchmarks.measurement.session import Session
from benchmarks.record import Record
from benchmarks.regression import decision
from benchmarks.regression.decision import Finding, Rule
from benchmarks.regression.series import series
from benchmarks.words import count


@dataclass(frozen=True)
class Steps:
    """How much is measured: replicates and blocks of the screen, and blocks of a confirming replicate."""

    replicates: int = 4
    blocks: int = 10
    confirm_blocks: int = 24


@dataclass(frozen=True)
class Standing:
    """What is said of a benchmark besides its metrics.

    kind: disagrees, inaccurate (both regressions); missing, lost, unmeasured (could not be measured); new, absent.
    """

    benchmark: str
    kind: str
    reason: str


REGRESSIONS = ("disagrees", "inaccurate")
UNMEASURED = ("missing", "lost", "unmeasured")
ABSENT = ("unsupported", "not_installed")
"""Statuses of what is not there to be compared, and need not be."""


@dataclass
class Result:
    """All that a gate found."""

    margin: float
    findings: list[Finding] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @property
    def regressions(self) -> list[str]:
        """In words, one each."""
        return [
            *(f"{one.benchmark}: {one.reason}" for one in self.standings if one.kind in REGRESSIONS),
            *(
                f"{one.benchmark}: {one.metric} {one.ratio - 1:+.1%} [{one.low - 1:+.1%}, {one.high - 1:+.1%}]"
                for one in self.findings
                if one.verdict == "slower"
            ),
        ]

    @property
    def unmeasured(self) -> list[str]:
        """In words, one each; also where nothing at all could be compared."""
        found = [f"{one.benchmark}: {one.reason}" for one in self.standings if one.kind in UNMEASURED]
        return found or ([] if self.findings else ["nothing could be compared"])

    def unknown(self) -> list[Finding]:
        """Findings that are no verdict."""
        return [one for one in self.findings if one.verdict == "unknown"]

    def exit_code(self, strict: bool) -> int:
        """0 no regression found, 1 regression, 3 could not measure (with `strict` also: unknown)."""
        if self.regressions:
            return 1
        return 3 if self.unmeasured or (strict and self.unknown()) else 0

    def last_line(self, strict: bool) -> str:
        """The verdict in a sentence."""
        if self.regressions:
            return f"{count(len(self.regressions), 'regression')} found: {'; '.join(self.regressions)}"
        if self.unmeasured:
            return f"could not measure: {'; '.join(self.unmeasured)}"
        found = max(one.smallest for one in self.findings if one.metric == "time")
        would = f"{found:+.1%} would have been, on every benchmark" if math.isfinite(found) else "what would is unknown"
        line = f"no regression found; {would}"
        if strict and self.unknown():
            return f"{line}; but unknown: {'; '.join(f'{one.benchmark} {one.metric}' for one in self.unknown())}"
        return line


def standing_of(key: str, base: Admission | None, head: Admission | None, dtype: str) -> Standing | None:
    """What is to be said of a benchmark before its metrics; None where both sides are well."""
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
    """What is to be said of a benchmark that failed while it was measured; None where it did not."""
    if head is not None:
        return Standing(key, "lost", f"{head.status} in the head while it was measured: {head.reason}")
    if base is not None:
        return Standing(key, "unmeasured", f"{base.status} in the base while it was measured: {base.reason}")
    return None


def measure_and_decide(session: Session, rules: Sequence[Rule], steps: Steps) -> Result:
    """Do a whole gate: admit, screen, confirm, decide. The session has two sides, base and head."""
    result = Result(margin=rules[0].ratio)
    session.admit()
    session.close()  # the screen's workers are fresh
    for replicate in range(steps.replicates):
        result.records += session.replicate(
            replicate, steps.blocks, phase="screen", what="screening, replicate", of_all=steps.replicates
        )
    screen = series(_whole(result.records, session), rules)
    suspected = decision.suspects(screen)
    counts = decision.plan(screen, suspected)
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
    # what failed while it was measured has no verdict, whatever it did before
    well = {one.benchmark for one in screen} - {s.benchmark for s in result.standings if s.kind != "inaccurate"}
    confirm = {
        (one.benchmark, one.rule.metric): one
        for one in series((row for row in result.records if row.phase == "confirm"), rules)
    }
    fresh = [confirm.get((screen[k].benchmark, screen[k].rule.metric)) for k in suspected]
    kept = [(k, one) for k, one in zip(suspected, fresh, strict=True) if one is not None]
    findings = decision.verdicts(screen, [k for k, _ in kept], [one for _, one in kept])
    result.findings = [finding for finding in findings if finding.benchmark in well]
    return result


def _standings(session: Session, keys: Mapping[str, tuple[str, Benchmark]]) -> list[Standing]:
    """What is to be said of each benchmark besides its metrics."""
    standings = []
    for key, (name, benchmark) in keys.items():
        base, head = ((side.label, name, benchmark.id) for side in session.sides)
        admitted = session.admissions.get(base), session.admissions.get(head)
        standing = standing_of(key, *admitted, benchmark.problem.dtype)
        standing = standing or standing_after(key, session.failures.get(base), session.failures.get(head))
        standings += [standing] if standing else []
    return standings


def _whole(records: Sequence[Record], session: Session) -> list[Record]:
    """The records of what no side has failed at since."""
    return [row for row in records if session.ok(row.implementation, row.benchmark)]

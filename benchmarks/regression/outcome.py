"""One gate, from measuring to its verdict: gate, screen, confirm, and what became of what could not be compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Benchmark
from benchmarks.correctness.agreement import TOLERANCES
from benchmarks.measurement.admission import Admission
from benchmarks.measurement.arm import ArmFailed
from benchmarks.record import Record, benchmark_id
from benchmarks.regression import decision
from benchmarks.regression.decision import Finding, Rule
from benchmarks.regression.measure import Measurement
from benchmarks.regression.series import series


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
            n = len(self.regressions)
            return f"{n} regression{'s' if n > 1 else ''} found: {'; '.join(self.regressions)}"
        if self.unmeasured:
            return f"could not measure: {'; '.join(self.unmeasured)}"
        found = max(one.smallest for one in self.findings if one.metric == "time")
        would = f"{found:+.1%} would have been, on every benchmark" if math.isfinite(found) else "what would is unknown"
        line = f"no regression found; {would}"
        if strict and self.unknown():
            return f"{line}; but unknown: {'; '.join(f'{one.benchmark} {one.metric}' for one in self.unknown())}"
        return line


def stand(key: str, base: Admission | None, head: Admission | None, dtype: str) -> Standing | None:
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


def broke(key: str, base: ArmFailed | None, head: ArmFailed | None) -> Standing | None:
    """What is to be said of what failed while it was measured; None where nothing did."""
    if head is not None:
        return Standing(key, "lost", f"{head.status} in the head while it was measured: {head.reason}")
    if base is not None:
        return Standing(key, "unmeasured", f"{base.status} in the base while it was measured: {base.reason}")
    return None


def judge(measurement: Measurement, rules: Sequence[Rule], steps: Steps) -> Result:
    """Measure and decide. `measurement` has two sides, base and head."""
    result = Result(margin=rules[0].ratio)
    measurement.pass_gate()
    sides = [side.label for side in measurement.sides]
    everything = {name: list(measurement.benchmarks) for name in measurement.names}
    keys = [(name, benchmark) for name in everything for benchmark in measurement.benchmarks]

    for replicate in range(steps.replicates):
        measurement.advance(f"screening, replicate {replicate + 1} of {steps.replicates}", replicate, steps.replicates)
        result.records += measurement.replicate("screen", replicate, everything, steps.blocks)
    screen = series(_whole(result.records, measurement), rules)
    suspected = decision.suspects(screen)
    counts = decision.plan(screen, suspected)
    by_key = {f"{name} {benchmark.id}": (name, benchmark) for name, benchmark in keys}
    for replicate in range(max(counts.values(), default=0)):
        most = max(counts.values())
        measurement.advance(f"confirming, replicate {replicate + 1} of {most}", replicate, most)
        wanted: dict[str, list[Benchmark]] = {}
        for key, count in counts.items():
            if replicate < count:
                name, benchmark = by_key[key]
                wanted.setdefault(name, []).append(benchmark)
        result.records += measurement.replicate("confirm", replicate, wanted, steps.confirm_blocks)

    for name, benchmark in keys:
        key, place = f"{name} {benchmark.id}", (name, benchmark.id)
        base, head = (measurement.admissions.get((side, place)) for side in sides)
        broken_base, broken_head = (measurement.failures.get((side, place)) for side in sides)
        standing = stand(key, base, head, benchmark.problem.dtype) or broke(key, broken_base, broken_head)
        if standing is not None:
            result.standings.append(standing)
    # what failed while it was measured has no verdict, whatever it did before
    well = {one.benchmark for one in screen} - {s.benchmark for s in result.standings if s.kind != "inaccurate"}
    confirm = {
        (one.benchmark, one.rule.metric): one
        for one in series((row for row in result.records if row["phase"] == "confirm"), rules)
    }
    fresh = [confirm.get((screen[k].benchmark, screen[k].rule.metric)) for k in suspected]
    kept = [(k, one) for k, one in zip(suspected, fresh, strict=True) if one is not None]
    found = decision.verdicts(screen, [k for k, _ in kept], [one for _, one in kept])
    result.findings = [one for one in found if one.benchmark in well]
    return result


def _whole(records: Sequence[Record], measurement: Measurement) -> list[Record]:
    """Records of what no side has failed at since."""
    return [row for row in records if measurement.ok((row["implementation"], benchmark_id(row)))]

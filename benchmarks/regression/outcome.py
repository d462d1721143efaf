"""The regression gate: admit, measure, decide, and say what could not be compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks import json_files
from benchmarks.cases import Benchmark
from benchmarks.judge.agreement import TOLERANCES
from benchmarks.progress import Stage
from benchmarks.record import Record, withdraw
from benchmarks.regression import decision, log_ratios
from benchmarks.regression.decision import UNCLEAR, Finding, GateKey, LogRatios, Rule, Sampling
from benchmarks.regression.slowdowns import Slowdown
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed
from benchmarks.words import count

FILE = "regression.json"
"""The result of a gate, for programs. A fleet's verdict is made of these."""
ONE_OF = "; one of a fleet's "
"""In the title of a gate of a fleet: how many there are follows."""


@dataclass(frozen=True)
class Standing:
    """Why a benchmark has no verdict, or a regression in its agreement.

    kind: disagrees or inaccurate, which are regressions; missing, lost or unmeasured, which could not be measured; new;
    absent; alike, where both sides are the same and nothing was measured.
    """

    benchmark: GateKey
    kind: str
    reason: str


REGRESSIONS = ("disagrees", "inaccurate")
UNMEASURED = ("missing", "lost", "unmeasured")
ALIKE = "no regression found; base and head are the same, so nothing was measured; --even-if-same measures them"
"""The last line of a gate where nothing can differ."""
ABSENT = ("missing", "unsupported", "not_installed", "no_device")
"""Statuses of arms that are not there to be compared, and need not be; missing where there is no such file."""


class Written(msgspec.Struct, frozen=True):
    """The content of FILE. `verdict` is the last line of the report, `code` a hash of each side's files."""

    title: str
    verdict: str
    exit_code: int
    margin: float
    code: dict[str, str]
    findings: tuple[Finding, ...]
    standings: tuple[Standing, ...]
    left_out: tuple[str, ...] = ()


def read(folder: Path) -> Written:
    """Read what a gate has written."""
    return json_files.read(folder / FILE, Written)


def change(finding: Finding) -> str:
    """Return such as `+5.1 % [+4.6, +5.5]`, with a question mark for an end that is not known."""
    ends = (
        f"{100 * (end - 1):+.1f}" if end is not None and 0 < end < 100 else "?"
        for end in (finding.low, finding.high)
    )
    return f"{100 * (finding.ratio - 1):+.1f} % [{', '.join(ends)}]"


@dataclass
class Result:
    """The result of a gate."""

    margin: float
    findings: list[Finding] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    located: dict[GateKey, Slowdown] = field(default_factory=dict)  # where each benchmark is slower
    left_out: tuple[str, ...] = ()  # lines on what neither side has

    @property
    def worse(self) -> dict[tuple[GateKey, str], str]:
        """Each regression in words, by the benchmark, and the metric or `agreement`."""
        wrong = [each for each in self.standings if each.kind in REGRESSIONS]
        worse = {(each.benchmark, "agreement"): each.reason for each in wrong}
        worse |= {
            (each.benchmark, each.metric): f"{each.metric} {change(each)}" for each in self.slower
        }
        return {key: f"{key[0]}: {said}" for key, said in worse.items()}

    @property
    def unmeasured(self) -> list[str]:
        """Each benchmark that could not be measured, in words.

        An entry also where nothing could be compared, unless that is because something is new, or nothing differs.
        """
        reasons = [
            f"{each.benchmark}: {each.reason}" for each in self.standings if each.kind in UNMEASURED
        ]
        compared = self.findings or any(
            standing.kind in ("new", "alike") for standing in self.standings
        )
        return reasons or ([] if compared else ["nothing could be compared"])

    @property
    def slower(self) -> list[Finding]:
        """The findings of what got slower, or takes more memory."""
        return [finding for finding in self.findings if finding.verdict == "slower"]

    @property
    def unclear(self) -> list[Finding]:
        """The findings whose verdict is unclear."""
        return [finding for finding in self.findings if finding.verdict == UNCLEAR]

    def exit_code(self, strict: bool) -> int:
        """Return 0 for no regression, 1 for a regression, 3 for what was not measured or, with `strict`, is unclear."""
        if self.worse:
            return 1
        return 3 if self.unmeasured or (strict and self.unclear) else 0

    def last_line(self, strict: bool) -> str:
        """Return the verdict in a sentence."""
        if self.worse:
            return f"{count(len(self.worse), 'regression')} found: {'; '.join(self.worse.values())}"
        if self.unmeasured:
            return f"could not measure: {'; '.join(self.unmeasured)}"
        if not self.findings:
            new = sum(standing.kind == "new" for standing in self.standings)
            if any(standing.kind == "alike" for standing in self.standings):
                return ALIKE
            return (
                f"no regression found; there is nothing to compare {count(new, 'benchmark')} with"
            )
        sizes = [finding.smallest for finding in self.findings if finding.metric == "time"]
        known = [size for size in sizes if size is not None]
        if len(known) == len(sizes):
            found = f"a slowdown of {max(known):+.1%} would have been found 9 times of 10, on each benchmark"
        else:
            found = "there are too few replicates to say which slowdown would have been found"
            open_ones = sum(finding.metric == "time" for finding in self.unclear)
            found += f", and {open_ones} of {count(len(sizes), 'benchmark')} stay unclear" * bool(
                open_ones
            )
        line = f"no regression found; {found}"
        if strict and self.unclear:
            unclear = "; ".join(f"{finding.benchmark} {finding.metric}" for finding in self.unclear)
            return f"{line}; but unclear: {unclear}"
        return line

    def written(self, title: str, strict: bool, code: dict[str, str]) -> Written:
        """Return what FILE says of this."""
        verdict, findings, standings = (
            self.last_line(strict),
            tuple(self.findings),
            tuple(self.standings),
        )
        return Written(
            title,
            verdict,
            self.exit_code(strict),
            self.margin,
            code,
            findings,
            standings,
            self.left_out,
        )


def standing_of(
    key: GateKey, base: Record | None, head: Record | None, dtype: str
) -> Standing | None:
    """Return the Standing of a benchmark from both sides' admissions; None where both agree with the reference."""
    before, now = (admission.status if admission else "missing" for admission in (base, head))
    both = f"{_told(head)} in the head, {_told(base)} in the base"
    if _told(head) == _told(base):
        both = f"{_told(head)} on both sides"
    if head is None:
        return Standing(key, "absent" if before in ABSENT else "missing", both)
    if now == "disagrees":
        if before == "disagrees":
            return Standing(key, "absent", f"disagrees on both sides: {head.reason}")
        return Standing(
            key,
            "disagrees",
            f"disagrees with the reference, {_told(base)} in the base: {head.reason}",
        )
    if now != "ok":
        return Standing(key, "absent" if before in ABSENT and now in ABSENT else "lost", both)
    # an environment of base that lacks what head's has would hide a regression
    if base is None or before in ("unsupported", "disagrees"):
        return Standing(key, "new", both)
    if before != "ok":
        return Standing(key, "unmeasured", both)
    if base.error is None or head.error is None:
        return None
    if head.error > 10 * base.error and head.error > TOLERANCES[dtype] / 10:
        grew = f"error of {head.error_tensor} grew from {base.error:.0e} to {head.error:.0e}"
        return Standing(key, "inaccurate", grew)
    return None


def _told(admission: Record | None) -> str:
    """Return an admission's status in words, with its reason."""
    if admission is None:
        return "missing"
    return admission.status + (f" ({admission.reason})" if admission.status != "ok" else "")


def standing_after(key: GateKey, base: ArmFailed | None, head: ArmFailed | None) -> Standing | None:
    """Return the Standing of a benchmark that failed while it was measured; None where it did not fail."""
    if head is not None:
        kind = "disagrees" if head.status == "disagrees" and base is None else "lost"
        return Standing(
            key, kind, f"{head.status} in the head while it was measured: {head.reason}"
        )
    if base is not None:
        return Standing(
            key, "unmeasured", f"{base.status} in the base while it was measured: {base.reason}"
        )
    return None


def alike(names: Iterable[str], benchmarks: Sequence[str], margin: float) -> Result:
    """Return the Result where both sides have the same implementations: nothing can differ, so nothing is measured."""
    keys = [GateKey(f"{name} {benchmark}") for name in names for benchmark in benchmarks]
    return Result(
        margin,
        standings=[Standing(key, "alike", "the same files in base and head") for key in keys],
    )


def measure_and_decide(
    session: Session, rules: Sequence[Rule], replicates: int, blocks: int, gates: int = 1
) -> Result:
    """Run a whole gate of at most so many replicates: admit, measure until everything is settled, decide.

    The rule of time comes first. `gates` share the chance of a false alarm, such as one on each node of a fleet.
    """
    result = Result(margin=rules[0].ratio)
    session.admit()
    session.close()  # the workers of every replicate are fresh
    pairs = itertools.product(session.names, session.benchmarks)
    keys = {GateKey(f"{name} {benchmark.id}"): (name, benchmark) for name, benchmark in pairs}
    unsettled = {key for key, (name, benchmark) in keys.items() if session.ok(name, benchmark.id)}
    sampling = Sampling(max(1, len(unsettled)) * gates, replicates)
    measured: list[LogRatios] = []
    for replicate in range(replicates):
        if not unsettled and replicate:
            break
        wanted: dict[str, list[Benchmark]] = {}
        for key, (name, benchmark) in keys.items():
            if (
                key in unsettled or not replicate
            ):  # the first one has the rows of those that were refused, too
                wanted.setdefault(name, []).append(benchmark)
        first = replicate < decision.FEWEST
        stage, of_all = (
            (Stage.COMPARING, decision.FEWEST) if first else (Stage.MEASURING, replicates)
        )
        result.records += session.replicate(
            replicate, blocks, wanted, stage=stage, of_all=min(of_all, replicates)
        )
        # a benchmark that failed while it was measured has no verdict, whatever was measured before
        whole = [row for row in result.records if session.ok(row.implementation, row.benchmark)]
        measured = log_ratios.of_records(whole, rules)
        unsettled = sampling.unsettled(measured)
    result.standings = _standings(session, keys)
    result.findings = decision.verdicts(measured, sampling)
    withdraw(result.records)
    return result


def _standings(session: Session, keys: Mapping[GateKey, tuple[str, Benchmark]]) -> list[Standing]:
    """Return the Standing of each benchmark that has one."""
    standings = []
    for key, (name, benchmark) in keys.items():
        base, head = ((side.label, name, benchmark.id) for side in session.sides)
        admitted = session.admissions.get(base), session.admissions.get(head)
        standing = standing_of(key, *admitted, benchmark.problem.dtype)
        standing = standing or standing_after(
            key, session.failures.get(base), session.failures.get(head)
        )
        standings += [standing] if standing else []
    return standings

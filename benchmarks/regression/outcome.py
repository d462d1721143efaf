"""The regression gate: admit, measure, decide, and say what could not be compared."""

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks import busy, json_files
from benchmarks.cases import Benchmark
from benchmarks.judge.agreement import TOLERANCES
from benchmarks.progress import Stage
from benchmarks.record import Record
from benchmarks.regression import decision, findings, log_ratios
from benchmarks.regression.decision import UNCLEAR, GateKey, LogRatios, Rule, Sampling
from benchmarks.regression.findings import Finding
from benchmarks.regression.slowdowns import Slowdown
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed
from benchmarks.words import count

FILE = "regression.json"
"""The result of a gate, for programs. A fleet's verdict is made of these."""


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


NOISY = 0.03
"""From this sum of its findings' alarms on, a gate calls its machine noisy.

On the three calibrated machines, at most 2 % of replayed gates have as much. Of simulated gates of twelve benchmarks,
2 % have where the spread is 0.6 of the margin, 23 % at 0.7, 72 % at 0.8, and 97 % at the margin.
"""


class Written(msgspec.Struct, frozen=True):
    """The content of FILE. `verdict` is the last line of the report, `code` a hash of each side's files.

    `gates` is how many a fleet has of it, and `strict` whether an unclear verdict is an exit code.
    """

    title: str
    verdict: str
    exit_code: int
    margin: float
    code: dict[str, str]
    findings: list[Finding]
    standings: list[Standing]
    left_out: tuple[str, ...] = ()
    gates: int = 1
    strict: bool = False

    @property
    def heading(self) -> str:
        """What was compared, and how many gates share the chance of a false alarm."""
        return self.title + (f"; one of a fleet's {self.gates} gates" if self.gates > 1 else "")


def read(folder: Path) -> Written:
    """Read what a gate has written."""
    return json_files.read(folder / FILE, Written)


def change(finding: Finding) -> str:
    """Return such as `+5.1 % [+4.6, +5.5]`, with a question mark for an end that is not known."""
    ends = []
    for end in (finding.low, finding.high):
        if end is not None and 0 < end < 100:
            ends.append(f"{100 * (end - 1):+.1f}")
        else:
            ends.append("?")
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
        worse = {}
        for standing in self.standings:
            if standing.kind in REGRESSIONS:
                worse[standing.benchmark, "agreement"] = f"{standing.benchmark}: {standing.reason}"
        for finding in self.slower:
            words = f"{finding.benchmark}: {finding.metric} {change(finding)}"
            worse[finding.benchmark, finding.metric] = words
        return worse

    @property
    def unmeasured(self) -> list[str]:
        """Each benchmark that the gate could not measure, in words.

        An entry also where nothing could be compared, unless that is because something is new, or nothing differs.
        """
        reasons = [
            f"{standing.benchmark}: {standing.reason}"
            for standing in self.standings
            if standing.kind in UNMEASURED
        ]
        if reasons or self.findings or "new" in self.kinds or "alike" in self.kinds:
            return reasons
        return ["nothing could be compared"]

    @property
    def slower(self) -> list[Finding]:
        """The findings of what got slower, or takes more memory."""
        return [finding for finding in self.findings if finding.verdict == "slower"]

    @property
    def unclear(self) -> list[Finding]:
        """The findings whose verdict is unclear."""
        return [finding for finding in self.findings if finding.verdict == UNCLEAR]

    @property
    def kinds(self) -> list[str]:
        """The kind of each standing."""
        return [standing.kind for standing in self.standings]

    def exit_code(self, strict: bool) -> int:
        """Return 0 for no regression, 1 for a regression, 3 for what was not measured or, with `strict`, is unclear."""
        if self.worse:
            return 1
        return 3 if self.unmeasured or (strict and self.unclear) else 0

    @property
    def warning(self) -> str:
        """What to tell of a busy or noisy machine; empty where it was neither."""
        times = [finding for finding in self.findings if finding.metric == "time"]
        alarms = sum(finding.alarms or 0.0 for finding in times)
        disturbed = busy.warning(busy.waited_of(self.records))
        if disturbed or alarms < NOISY:
            return disturbed
        spread = statistics.mean(finding.spread for finding in times)
        margin = math.ceil(200 * spread)  # twice the spread, in percent
        return (
            f"this machine is noisy: replicates differ by {spread:.1%}, and false alarms may be as often as"
            f" {100 * alarms:.0f} in 100, so use --margin {margin}% or a quieter machine"
        )

    def last_line(self, strict: bool) -> str:
        """Return the verdict in a sentence, and what to tell of the machine."""
        return "; ".join(filter(None, [self._verdict(strict), self.warning]))

    def _verdict(self, strict: bool) -> str:
        if self.worse:
            return f"{count(len(self.worse), 'regression')} found: {'; '.join(self.worse.values())}"
        if self.unmeasured:
            return f"could not measure: {'; '.join(self.unmeasured)}"
        if self.findings:
            line = f"no regression found; {self._size_in_words()}"
            if strict and self.unclear:
                unclear = [f"{finding.benchmark} {finding.metric}" for finding in self.unclear]
                line += f"; but unclear: {'; '.join(unclear)}"
            return line
        if "alike" in self.kinds:
            return ALIKE
        new = count(self.kinds.count("new"), "benchmark")
        return f"no regression found; there is nothing to compare {new} with"

    def _size_in_words(self) -> str:
        """Return which slowdown would have been found."""
        times = [finding for finding in self.findings if finding.metric == "time"]
        sizes = [finding.smallest or math.inf for finding in times]
        largest = max(sizes, default=math.inf)
        if largest < math.inf:
            return f"a slowdown of {largest:+.1%} would have been found 9 times of 10, on each benchmark"
        words = "there are too few replicates to say which slowdown would have been found"
        unclear = [finding for finding in times if finding.verdict == UNCLEAR]
        if unclear:
            words += f", and {len(unclear)} of {count(len(times), 'benchmark')} stay unclear"
        return words

    def written(self, title: str, strict: bool, code: dict[str, str], gates: int = 1) -> Written:
        """Return the content of FILE."""
        return Written(
            title,
            self.last_line(strict),
            self.exit_code(strict),
            self.margin,
            code,
            self.findings,
            self.standings,
            self.left_out,
            gates,
            strict,
        )


def standing_of(key: GateKey, base: Record | None, head: Record | None) -> Standing | None:
    """Return the Standing of a benchmark from both sides' admissions; None where both agree with the reference."""
    before = base.status if base else "missing"
    now = head.status if head else "missing"
    in_base = _status_in_words(base)
    in_head = _status_in_words(head)
    both = f"{in_head} in the head, {in_base} in the base"
    if in_head == in_base:
        both = f"{in_head} on both sides"
    if head and now == "disagrees":
        if before == "disagrees":
            return Standing(key, "absent", f"disagrees on both sides: {head.reason}")
        reason = f"disagrees with the reference, {in_base} in the base: {head.reason}"
        return Standing(key, "disagrees", reason)
    if before in ABSENT and now in ABSENT:
        return Standing(key, "absent", both)
    if now != "ok":
        return Standing(key, "lost" if head else "missing", both)
    # an environment of base that lacks what head's has would hide a regression
    if before in ("missing", "unsupported", "disagrees"):
        return Standing(key, "new", both)
    if before != "ok":
        return Standing(key, "unmeasured", both)
    assert base
    assert head
    if base.error is None or head.error is None:
        return None
    if head.error > 10 * base.error and head.error > TOLERANCES[str(head.dtype)] / 10:
        grew = f"error of {head.error_tensor} grew from {base.error:.0e} to {head.error:.0e}"
        return Standing(key, "inaccurate", grew)
    return None


def _status_in_words(admission: Record | None) -> str:
    """Return an admission's status, with its reason."""
    if admission is None:
        return "missing"
    if admission.status == "ok":
        return "ok"
    return f"{admission.status} ({admission.reason})"


def standing_after(key: GateKey, base: ArmFailed | None, head: ArmFailed | None) -> Standing | None:
    """Return the Standing of a benchmark that failed while it was measured; None where it did not fail."""
    if head:
        kind = "disagrees" if head.status == "disagrees" and not base else "lost"
        reason = f"{head.status} in the head while it was measured: {head.reason}"
        return Standing(key, kind, reason)
    if base:
        reason = f"{base.status} in the base while it was measured: {base.reason}"
        return Standing(key, "unmeasured", reason)
    return None


def alike(names: Iterable[str], benchmarks: Iterable[str], margin: float) -> Result:
    """Return the Result where both sides have the same implementations: nothing can differ, so nothing is measured."""
    result = Result(margin)
    for name, benchmark in itertools.product(names, benchmarks):
        key = GateKey(f"{name} {benchmark}")
        result.standings.append(Standing(key, "alike", "the same files in base and head"))
    return result


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
    keys = [GateKey(f"{name} {benchmark.id}") for name, benchmark in pairs]
    unsettled = {key for key in keys if session.ok(key.implementation, key.benchmark)}
    sampling = Sampling(max(1, len(unsettled)) * gates, replicates)
    measured: list[LogRatios] = []
    for replicate in range(replicates):
        if replicate and not unsettled:
            break
        wanted: dict[str, list[Benchmark]] = {}
        for key in keys:
            # the first replicate has the rows of what was refused, too
            if key in unsettled or replicate == 0:
                wanted.setdefault(key.implementation, []).append(Benchmark.parse(key.benchmark))
        stage = Stage.MEASURING
        of_all = replicates
        if replicate < decision.FEWEST:
            stage = Stage.COMPARING
            of_all = min(decision.FEWEST, replicates)
        result.records += session.replicate(replicate, blocks, wanted, stage=stage, of_all=of_all)
        measured = log_ratios.of_records(result.records, rules)
        unsettled = sampling.unsettled(measured)
    for key in keys:
        base = "base", key.implementation, key.benchmark
        head = "head", key.implementation, key.benchmark
        admissions = session.admissions
        standing = standing_of(key, admissions.get(base), admissions.get(head))
        if not standing:
            standing = standing_after(key, session.failures.get(base), session.failures.get(head))
        if standing:
            result.standings.append(standing)
    result.findings = findings.verdicts(measured, sampling)
    return result

"""What a gate says of what could not be compared, or fails while it is measured, and its exit codes."""

from types import SimpleNamespace

import msgspec
import pytest

from benchmarks.record import Record
from benchmarks.regression import decision, outcome
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from tests.helpers import sessions
from tests.helpers.records import failed, record
from tests.helpers.sessions import BENCHMARK, session_of


def admission(status="ok", error=1e-7):
    return sessions.admission("i", status, "why", error=error, error_tensor="output")


@pytest.mark.parametrize(
    ("base", "head", "kind"),
    [
        (admission(), admission(), None),
        (admission(), None, "missing"),
        (admission(), admission("disagrees"), "disagrees"),
        (admission(), admission("crashed"), "lost"),
        (admission(), admission("unsupported"), "lost"),
        (admission(), admission(error=5e-6), "inaccurate"),
        (admission(error=1e-6), admission(error=5e-6), None),
        (None, admission(), "new"),
        (None, admission("disagrees"), "disagrees"),
        (None, admission("crashed"), "lost"),
        (admission("not_installed"), admission(), "unmeasured"),  # base's environment could not be built
        (admission("not_installed"), admission("not_installed"), "absent"),
        (admission("no_device"), admission(), "unmeasured"),
        (admission("unsupported"), admission(), "new"),
        (admission("unsupported"), admission("unsupported"), "absent"),
        (admission("disagrees"), admission(), "new"),
        (admission("disagrees"), admission("disagrees"), "absent"),
        (admission("out_of_memory"), admission(), "unmeasured"),
        (admission("crashed"), admission("crashed"), "lost"),
    ],
)
def test_what_is_said_of_what_can_not_be_compared(base, head, kind):
    found = outcome.standing_of("b", base, head, "float32")
    assert (found and found.kind) == kind


def test_only_what_could_be_measured_passes():
    def code(kind, strict=False):
        return outcome.Result(0.02, standings=[outcome.Standing("b", kind, "why")] if kind else []).exit_code(strict)

    assert code("disagrees") == code("inaccurate") == 1
    assert code("missing") == code("lost") == code("unmeasured") == 3
    assert code(None) == code("absent") == 3  # nothing was compared at all
    assert code("new") == code("alike") == code("alike", strict=True) == 0


def test_what_is_new_has_nothing_to_be_compared_with():
    """The pull request that brings an implementation must pass."""
    made = outcome.Result(0.02, standings=[outcome.Standing("b", "new", "base: not there")])
    assert made.last_line(strict=True) == "no regression found; there is nothing to compare 1 benchmark with"


def test_with_too_few_replicates_what_stays_unclear_is_in_the_last_line():
    """A slowdown of a third is unclear with two replicates: that no regression was found is not all there is to say."""
    few = "no regression found; there are too few replicates to say which slowdown would have been found"
    for verdicts, said in ((["same"], ""), (["same", "unclear"], ", and 1 of 2 benchmarks stay unclear")):
        findings = [SimpleNamespace(metric="time", verdict=verdict, smallest=None) for verdict in verdicts]
        start = SimpleNamespace(metric="start", verdict="unclear", smallest=None)
        result = outcome.Result(0.02, findings=[*findings, start])
        assert result.last_line(strict=False) == few + said


def test_the_reason_says_what_was_in_the_base():
    wrong = admission("disagrees")
    for base, said in ((admission(), "ok"), (None, "missing"), (admission("crashed"), "crashed (why)")):
        reason = outcome.standing_of("b", base, wrong, "float32").reason
        assert reason == f"disagrees with the reference, {said} in the base: why"
    assert outcome.standing_of("b", admission(), None, "float32").reason == "missing in the head, ok in the base"


class Scripted(Session):
    """A gate of two implementations, a and b, without workers: all are admitted, and no time ever changes.

    In the second replicate, a fails on the sides in `failing`, with these statuses.
    """

    def admit(self, **_):
        self.asked = []
        for side in self.sides:
            for name in self.names:
                self.admissions[side.label, name, BENCHMARK] = sessions.admission(name)

    def replicate(self, number, count, wanted=None, stage=None, of_all=1):
        self.asked.append("".join(wanted))
        rows = [self.row(side.label, name, number) for name in wanted for side in self.sides]
        self.learn(rows)
        return rows

    def row(self, side, name, number):
        problem, workload, mode = BENCHMARK.split("/")
        where = {"side": side, "problem": problem, "workload": workload, "mode": mode}
        if number == 1 and name == "a" and side in self.failing:
            return msgspec.convert(failed(name, number, self.failing[side], "why", **where), Record)
        return msgspec.convert(record(name, number, 1e-3, warm_first_call_seconds=0.1, **where), Record)


def gate(folder, **failing):
    """A whole gate in which these sides of a fail; its session and its result."""
    session = session_of(folder, *(Side(label, dict.fromkeys("ab")) for label in ("base", "head")), kind=Scripted)
    session.failing = failing
    return session, outcome.measure_and_decide(session, decision.rules(0.02), decision.MOST, blocks=24)


A, B = (f"{name} {BENCHMARK}" for name in "ab")


def test_where_nothing_fails_everything_has_a_finding(tmp_path):
    session, result = gate(tmp_path)
    assert result.exit_code(strict=True) == 0
    assert result.standings == []
    assert {finding.benchmark for finding in result.findings} == {A, B}
    assert session.asked == ["ab"] * decision.FEWEST


@pytest.mark.parametrize(
    ("failing", "kind", "code"),
    [
        ({"head": "disagrees"}, "disagrees", 1),
        ({"head": "crashed"}, "lost", 3),
        ({"base": "disagrees"}, "unmeasured", 3),
        ({"base": "crashed"}, "unmeasured", 3),
        ({"base": "disagrees", "head": "disagrees"}, "lost", 3),
        ({"base": "crashed", "head": "disagrees"}, "lost", 3),
    ],
)
def test_what_fails_while_it_is_measured_is_named_and_has_no_finding(failing, kind, code, tmp_path):
    session, result = gate(tmp_path, **failing)
    assert result.exit_code(strict=False) == code
    assert [(standing.benchmark, standing.kind) for standing in result.standings] == [(A, kind)]
    assert "while it was measured: why" in result.standings[0].reason
    told = result.worse.values() if code == 1 else result.unmeasured
    assert [text.partition(":")[0] for text in told] == [A]
    assert A in result.last_line(strict=False)
    assert {finding.benchmark for finding in result.findings} == {B}
    assert session.asked == ["ab", "ab", "b", "b"]  # what has failed is not measured again


def test_the_records_of_a_gate_have_no_times_of_what_disagreed_later(tmp_path):
    _, result = gate(tmp_path, head="disagrees")
    rows = {(row.implementation, row.side): row for row in result.records if row.replicate == 0}
    assert (rows["a", "head"].status, rows["a", "head"].seconds) == ("disagrees", None)
    for other in (("a", "base"), ("b", "base"), ("b", "head")):
        assert (rows[other].status, rows[other].seconds) == ("ok", 1e-3)

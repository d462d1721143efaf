"""What a gate says of what could not be compared, or fails while it is measured, and its exit codes."""

import msgspec
import pytest

from benchmarks.record import Record
from benchmarks.regression import decision, outcome
from benchmarks.regression.decision import GateKey
from benchmarks.regression.findings import Finding
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side
from benchmarks.worker.timing import Turn
from tests.helpers import sessions
from tests.helpers.records import failed, record
from tests.helpers.sessions import BENCHMARK, row_of, session_of


def finding(verdict, size, **known):
    return Finding(GateKey("b"), "time", verdict, 1.1, 1.0, 1.2, size, replicates=8, tests=1, **known)


def admission(status="ok", error=1e-7):
    return sessions.admission("i", status, "why", error=error, error_tensor="output", dtype="float32")


@pytest.mark.parametrize(
    ("base", "head", "kind"),
    [
        ("ok", "ok", None),
        ("ok", None, "missing"),
        ("ok", "disagrees", "disagrees"),
        ("ok", "crashed", "lost"),
        ("ok", "unsupported", "lost"),
        (None, "ok", "new"),
        (None, "disagrees", "disagrees"),
        (None, "crashed", "lost"),
        ("not_installed", "ok", "unmeasured"),  # base's environment could not be built
        ("not_installed", None, "absent"),
        ("not_installed", "not_installed", "absent"),
        ("no_device", "ok", "unmeasured"),
        ("unsupported", "ok", "new"),
        ("unsupported", "unsupported", "absent"),
        ("disagrees", "ok", "new"),
        ("disagrees", "disagrees", "absent"),
        ("out_of_memory", "ok", "unmeasured"),
        ("crashed", "crashed", "lost"),
    ],
)
def test_what_is_said_of_what_can_not_be_compared(base, head, kind):
    sides = [status and admission(status) for status in (base, head)]
    found = outcome.standing_of("b", *sides)
    assert (found and found.kind) == kind
    if kind:
        assert (base or "missing") in found.reason or kind == "absent"


@pytest.mark.parametrize(
    ("base", "head", "kind"), [(1e-7, 5e-6, "inaccurate"), (1e-6, 5e-6, None), (1e-9, 1e-7, None), (None, 5e-6, None)]
)
def test_an_error_that_grew_is_a_regression_if_it_is_no_longer_small(base, head, kind):
    """More than ten times, and more than a tenth of the tolerance."""
    found = outcome.standing_of("b", admission(error=base), admission(error=head))
    assert (found and found.kind) == kind


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *[(kind, 1) for kind in ("disagrees", "inaccurate")],
        *[(kind, 3) for kind in ("missing", "lost", "unmeasured", "absent", None)],  # or nothing was compared at all
        *[(kind, 0) for kind in ("new", "alike")],  # the pull request that brings an implementation must pass
    ],
)
def test_only_what_could_be_measured_passes(kind, code):
    made = outcome.Result(0.02, standings=[outcome.Standing("b", kind, "why")] if kind else [])
    for strict in (False, True):
        assert made.exit_code(strict) == code
        assert ("no regression" in made.last_line(strict)) == (code == 0)


@pytest.mark.parametrize(
    ("verdicts", "size", "code", "strict", "words"),
    [
        (["same", "faster"], 0.021, 0, 0, "+2.1%"),
        (["same", "slower"], 0.021, 1, 1, "1 regression found: b: time"),
        (["same", "unclear"], 0.021, 0, 3, "+2.1%"),
        (["same"], None, 0, 0, "too few replicates"),
        (["same", "unclear"], None, 0, 3, "and 1 of 2 benchmarks stay unclear"),
    ],
)
def test_the_last_line_says_what_was_found_or_would_have_been(verdicts, size, code, strict, words):
    made = outcome.Result(0.02, [finding(verdict, size) for verdict in verdicts])
    assert words in made.last_line(strict=False)
    assert (made.exit_code(strict=False), made.exit_code(strict=True)) == (code, strict)
    assert ("but unclear: b time" in made.last_line(strict=True)) == (strict == 3)


@pytest.mark.parametrize("verdict", ["same", "slower"])
@pytest.mark.parametrize(
    ("alarms", "waited", "said", "not_said"),
    [
        (0.005, 0.0, None, "noisy"),
        (
            0.0125,
            0.0,
            "replicates differ by 2.1%, and false alarms may be as often as 5 in 100, so use --margin 5%",
            "BUSY",
        ),
        (0.0125, 0.9, "BUSY", "noisy"),  # no wonder that its replicates differ
        (0.005, 0.9, "BUSY", "noisy"),
        (None, 0.0, None, "noisy"),
    ],
)
def test_the_last_line_tells_of_a_noisy_or_busy_machine(verdict, alarms, waited, said, not_said):
    """The implementation that waited least counts, as for a run."""
    spreads = (0.001, 0.001, 0.001, 0.081)
    known = [finding(verdict, 0.03, spread=spread, alarms=alarms) for spread in spreads]
    turns = [Turn(seconds=1.0, outside_seconds=1.0, pressure_seconds=seconds) for seconds in (waited, 0.95)]
    records = [row_of(name, turns=[turn]) for name, turn in zip("ab", turns, strict=True)]
    line = outcome.Result(0.02, known, records=records).last_line(strict=False)
    assert said is None or said in line
    assert not_said not in line


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
        row = msgspec.convert(record(name, number, 1e-3, warm_first_call_seconds=0.1, **where), Record)
        for turn in row.turns:
            turn.outside_seconds = 1.0
        return row


A, B = (f"{name} {BENCHMARK}" for name in "ab")


@pytest.mark.parametrize(
    ("failing", "kind", "code"),
    [
        ({}, None, 0),
        ({"head": "disagrees"}, "disagrees", 1),
        ({"head": "crashed"}, "lost", 3),
        ({"base": "disagrees"}, "unmeasured", 3),
        ({"base": "crashed"}, "unmeasured", 3),
        ({"base": "disagrees", "head": "disagrees"}, "lost", 3),
        ({"base": "crashed", "head": "disagrees"}, "lost", 3),
    ],
)
def test_what_fails_while_it_is_measured_is_named_and_has_no_finding(failing, kind, code, tmp_path):
    sides = [Side(label, dict.fromkeys("ab")) for label in ("base", "head")]
    session = session_of(tmp_path, *sides, kind=Scripted)
    session.failing = failing
    result = outcome.measure_and_decide(session, decision.rules(0.02), decision.MOST, blocks=24, gates=3)
    assert result.exit_code(strict=True) == code
    assert [(standing.benchmark, standing.kind) for standing in result.standings] == [(A, kind)] * bool(kind)
    assert {finding.benchmark for finding in result.findings} == ({B} if kind else {A, B})
    assert {finding.tests for finding in result.findings} == {2 * 3}  # of the gates of a whole fleet
    # what has failed is not measured again; what is futile is dropped at the first look
    assert session.asked == (["ab", "ab", *"b" * (decision.FEWEST - 2)] if kind else ["ab"] * decision.FEWEST)
    if kind:
        assert "while it was measured: why" in result.last_line(strict=False)
    for row in result.records:  # no times of what failed later
        assert (row.seconds is None) == (row.implementation == "a" and row.side in failing)

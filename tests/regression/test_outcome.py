"""What a gate says of what could not be compared, and its exit codes."""

from types import SimpleNamespace

import pytest

from benchmarks.measurement.admission import Admission
from benchmarks.regression import outcome
from benchmarks.regression.decision import Sampling


def admission(status="ok", error=1e-7):
    return Admission("i", "b", status, "why", error=error, error_tensor="output")


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
    assert code("new") == 0


def test_what_is_new_has_nothing_to_be_compared_with():
    """The pull request that brings an implementation must pass."""
    made = outcome.Result(0.02, standings=[outcome.Standing("b", "new", "base: not there")])
    assert made.last_line(strict=True) == "no regression found; there is nothing to compare 1 benchmark with"


def test_only_a_base_that_agreed_is_said_to_have_agreed():
    wrong = admission("disagrees")
    assert ", and did not in the base: why" in outcome.standing_of("b", admission(), wrong, "float32").reason
    assert "(base: not there): why" in outcome.standing_of("b", None, wrong, "float32").reason
    assert "(base: crashed (why)): why" in outcome.standing_of("b", admission("crashed"), wrong, "float32").reason


def finding(verdict, metric="time", dropped=False):
    sampling = Sampling(1, dropped={("b", metric)} if dropped else set())
    return SimpleNamespace(benchmark="b", metric=metric, verdict=verdict, sampling=sampling)


@pytest.mark.parametrize(
    ("findings", "standings", "sought", "code"),
    [
        ([finding("slower")], [], ("b", "time"), 1),
        ([finding("same")], [], ("b", "time"), 0),
        ([finding("faster")], [], ("b", "time"), 0),
        ([finding("unknown")], [], ("b", "time"), 3),  # such a commit must not be called good
        ([finding("unknown", dropped=True)], [], ("b", "time"), 0),  # a slowdown of the margin is out of the question
        ([], [], ("b", "time"), 3),
        ([finding("slower")], [], ("b", "memory"), 3),
        ([finding("slower"), finding("same", "memory")], [], ("b", "memory"), 0),
        ([finding("same")], ["lost"], ("b", "time"), 3),
        ([], ["disagrees"], ("b", "agreement"), 1),
        ([], ["disagrees"], ("b", "time"), 3),
        ([], ["new"], ("b", "agreement"), 0),
        ([finding("unknown")], [], ("b", "agreement"), 0),
        ([], ["unmeasured"], ("b", "agreement"), 3),
    ],
)
def test_a_bisection_skips_a_commit_at_which_what_it_seeks_is_not_decided(findings, standings, sought, code):
    made = outcome.Result(0.02, findings, [outcome.Standing("b", kind, "why") for kind in standings])
    assert made.exit_code(strict=False, sought=[sought]) == code

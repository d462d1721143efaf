"""What an admission makes of a worker's answers. The worker is made up."""

from types import SimpleNamespace

import pytest

from benchmarks.cases import Benchmark
from benchmarks.runner import admission
from benchmarks.runner.arm import ArmFailed
from benchmarks.worker import kernels, requests
from benchmarks.worker.expected import key_of
from tests.helpers import sessions

BENCHMARK = Benchmark.parse("t2-b1-i1-h1/sequence/forward")


class Arm:
    """An arm whose worker agrees with the reference; it fails at the requests that are given."""

    name, ready, alive = "mine", None, True
    implementation = SimpleNamespace(is_peak=False)

    def __init__(self, *failing, compiled_before=0.0):
        self.failing, self.compiled_before, self.closed = failing, compiled_before, False

    def ask(self, request):
        if isinstance(request, self.failing):
            raise ArmFailed("timed_out", "no answer for 60 s")
        self.closed = isinstance(request, requests.Close)
        answers = {
            requests.Open: requests.Opened(2.0, 2.0, {}, self.compiled_before),
            requests.Check: requests.Checked(1e-7, "output", ["forward"]),
            requests.Estimate: 0.5,
            kernels.NameKernel: "aten::mm × 2",
        }
        return answers.get(type(request))

    def check_from_outside(self):
        pass


def admitted(arm):
    row, session = sessions.admission("mine"), sessions.session_of(None)
    session.expected = {key_of(BENCHMARK): "expected"}
    admission.check_timed(session, arm, BENCHMARK, row, name_kernel=True)
    return row


def test_what_was_compiled_before_counts_to_the_first_call():
    assert admitted(Arm()).first_call_seconds == 2.0
    assert admitted(Arm(compiled_before=9.5)).first_call_seconds == 11.5


def test_a_profiler_that_fails_is_told_and_refuses_nothing():
    assert admitted(Arm()).kernel == "aten::mm × 2"
    found = admitted(failing := Arm(kernels.NameKernel))
    assert (found.status, found.kernel) == ("ok", "not known: timed_out: no answer for 60 s")
    assert failing.closed


@pytest.mark.parametrize("request_", [requests.Open, requests.Check, requests.Estimate, requests.Inspect])
def test_whatever_else_fails_refuses_the_benchmark(request_):
    with pytest.raises(ArmFailed, match="timed_out: no answer for 60 s"):
        admitted(Arm(request_))

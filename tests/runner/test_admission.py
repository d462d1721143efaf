"""What an admission makes of a worker's answers. The worker is made up."""

import msgspec
import pytest

from benchmarks.cases import Benchmark
from benchmarks.judge.expected import key_of
from benchmarks.runner import limits
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.worker import profiles, requests
from impls.core import registry
from impls.core.operations import operations
from impls.core.problem import Problem
from tests.helpers import sessions
from tests.helpers.sessions import BENCHMARK, Answering

NO_ANSWER = ArmFailed("timed_out", "no answer for 60 s")


def admitted(arm, device="cpu"):
    row, session = sessions.admission("mine"), sessions.session_of(None, Side("run", {}))
    session.options = msgspec.structs.replace(session.options, device=device)
    session.expected = {key_of(Benchmark.parse(BENCHMARK)): "expected"}
    session.admission().check_timed(arm, Benchmark.parse(BENCHMARK), row)
    return row


def test_its_row_has_the_first_call_the_error_and_the_seconds_of_a_call():
    compiled_before = requests.Opened(2.0, None, 9.5)
    for opened, first_call in ((None, 2.0), (compiled_before, 11.5)):
        row = admitted(arm := Answering({requests.Open: opened} if opened else {}))
        assert (row.first_call_seconds, row.error, row.seconds, row.kernel) == (first_call, 1e-7, 0.5, "aten::mm × 2")
        assert "UsedFiles" in arm.kinds
        (inspect,) = (request for request in arm.asked if isinstance(request, requests.Inspect))
        assert inspect.estimated == 0.015, "a turn"


def test_an_arm_that_took_more_than_it_was_given_is_refused():
    def trouble():
        raise ArmFailed("error", "it left a process behind")

    arm = Answering()
    arm.check_from_outside = trouble
    with pytest.raises(ArmFailed, match="left a process behind"):
        admitted(arm)


def test_calls_too_short_for_their_products_did_them_before():
    """Two thirds of the least time at a peak, and one and a third. On a GPU none is known, nor for the peak."""
    least = operations(Problem.parse("t4-b2-i8-h8"), "sequence", "train_step") / limits.MOST_OPERATIONS
    quick, honest = (Answering({requests.Inspect: share * least}) for share in (2 / 3, 4 / 3))
    with pytest.raises(ArmFailed, match="error: it does its work before it is called"):
        admitted(quick)
    assert admitted(honest).status == "ok"
    assert admitted(quick, device="cuda").status == "ok"
    quick.implementation.is_peak = True
    assert admitted(quick).status == "ok"


def test_a_profiler_that_fails_is_told_and_refuses_nothing():
    row = admitted(failing := Answering({profiles.NameKernel: NO_ANSWER}))
    assert row.status == "ok"
    assert "timed_out" in row.kernel
    assert failing.kinds[-1] == "Close"


@pytest.mark.parametrize("request_", [requests.Open, requests.Check, requests.Inspect])
def test_whatever_else_fails_refuses_the_benchmark(request_):
    with pytest.raises(ArmFailed, match="timed_out"):
        admitted(Answering({request_: NO_ANSWER}))


def test_an_arm_that_is_refused_before_it_starts_has_its_reason_in_its_row(tmp_path, capsys):
    """Unreadable, without its environment, and without this workload or device."""
    lost = Version(registry.resolve("torch_cell"), failure=ArmFailed("not_installed", "no network"))
    versions = {"torch_cell": lost, "numpy_lstm": Version(registry.resolve("numpy_lstm"))}
    side = Side("run", versions, {"mine": "line 3 is no Python"})
    session = sessions.session_of(tmp_path, side, benchmarks=["t4-b2-i8-h8/model/train_step"])
    session.admit()
    found = {name: row for (_, name, _), row in session.admissions.items()}
    assert {name: (row.status, row.replicate) for name, row in found.items()} == {
        "torch_cell": ("not_installed", -1), "numpy_lstm": ("unsupported", -1), "mine": ("error", -1),
    }  # fmt: skip
    assert found["mine"].reason == "line 3 is no Python"
    (said,) = capsys.readouterr().err.splitlines()
    assert "mine" in said, "and a user need not wait for the table to see what has failed"
    assert "line 3 is no Python" in said
    assert session.replicate(0, 1)[0].status == "not_installed", "its row says so in every replicate"

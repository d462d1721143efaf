"""Messages between runner and worker."""

import msgspec
import pytest

from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import protocol, requests
from impls.core import registry
from tests.helpers.sessions import arm_of

OPEN = requests.Open("t1-b1-i1-h1/sequence/forward", 3, None, 7)


def test_a_request_and_its_answer_read_back():
    assert protocol.read_request(protocol.line(OPEN)) == OPEN
    reply = protocol.Reply(requests.Pipelined(0.5, None, 2.0))
    assert msgspec.json.decode(protocol.line(reply), type=protocol.Reply[requests.Pipeline.answer_type()]) == reply


@pytest.fixture
def arm(tmp_path):
    arm = arm_of(registry.resolve("reference"), tmp_path)
    yield arm
    arm.kill()


@pytest.mark.process
def test_a_worker_refuses_an_unknown_request_and_lives_on(arm):
    class Unlink(protocol.Request[None], tag="Unlink"):
        path: str

    arm.ensure_running()
    with pytest.raises(ArmFailed, match="Unlink"):
        arm.ask(Unlink("/"))
    assert arm.ask(requests.Close("t1-b1-i1-h1/sequence/forward")) is None


@pytest.mark.process
def test_an_answer_of_another_type_is_no_answer(arm, monkeypatch):
    monkeypatch.setattr(requests.Close, "answer_type", classmethod(lambda cls: requests.Opened))
    arm.ensure_running()
    with pytest.raises(ArmFailed, match="wrote to the socket"):
        arm.ask(requests.Close("t1-b1-i1-h1/sequence/forward"))
    assert not arm.alive

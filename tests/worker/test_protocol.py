"""Messages between runner and worker."""

import msgspec
import pytest

from benchmarks.runner.sides import ArmFailed
from benchmarks.worker import __main__ as process
from benchmarks.worker import protocol, requests
from benchmarks.worker.timing import Turn
from impls.core import registry
from tests.helpers.sessions import arm_of

MODULES = {module.__name__ for module in process.DEFINE}
REQUESTS = [kind for kind in protocol.Request.__subclasses__() if kind.__module__ in MODULES]
# fmt: off
VALUES = {str: "x", int: 1, float: 0.5, bool: True, list[str]: ["x"], type(None): None, tuple[str, ...]: ("x",),
          Turn: Turn(seconds=0.5), list[int]: [1], dict[str, float]: {"x": 0.5}, dict[str, str]: {"x": "x"}}
# fmt: on


def example(kind):
    kind = next((plain for plain in (str, int, float) if kind == plain | None), kind)
    if kind in VALUES:
        return VALUES[kind]
    return kind(**{field.name: example(field.type) for field in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_and_its_answer_read_back(kind):
    assert protocol.read_request(protocol.line(example(kind))) == example(kind)
    reply = protocol.Reply(example(kind.answer_type()))
    assert msgspec.json.decode(protocol.line(reply), type=protocol.Reply[kind.answer_type()]) == reply


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

"""Messages between runner and worker: a closed set of types, and anything else is refused."""

import os
import typing

import msgspec
import pytest

from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.home import Limits
from benchmarks.worker import protocol
from benchmarks.worker.timing import Turn
from impls.core import registry

REQUESTS = typing.get_args(protocol.AnyRequest)
ANSWERS = typing.get_args(protocol.AnyAnswer)
VALUES = {str: "x", int: 1, int | None: 1, float: 0.5, float | None: 0.5, bool: True, list[str]: ["x"],
          str | None: None, tuple[str, ...]: ("x",),
          Turn: Turn(seconds=0.5),
          list[int]: [1], dict[str, float]: {"x": 0.5}, dict[str, str]: {"x": "x"},
          dict[str, protocol.Found]: {"x": protocol.Found(0.5)}}  # fmt: skip


def example(kind):
    return kind(**{field.name: VALUES[field.type] for field in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("kind", [*REQUESTS, *ANSWERS])
def test_a_message_reads_back_and_an_unknown_key_is_refused(kind):
    numbered = protocol.NumberedRequest if kind in REQUESTS else protocol.NumberedAnswer
    line = protocol.line(numbered(7, example(kind)))
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line, type=numbered) == numbered(7, example(kind))
    if kind is not protocol.Taken:  # its turn is a record's
        content = msgspec.to_builtins(example(kind))
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({"number": 7, "content": {**content, "more": 1}}, numbered)


@pytest.mark.parametrize("text", [b'{"number": 1, "content": {"request": "unlink"}}', b"{}", b"hello", b"[]"])
def test_what_is_no_request_is_refused(text):
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(text, type=protocol.NumberedRequest)


@pytest.mark.slow
def test_a_worker_refuses_an_unknown_request_and_lives_on(tmp_path):
    core = min(os.sched_getaffinity(0))
    arm = Arm(registry.resolve("reference"), "cpu", Limits((core,), 60, 2**34), "float32", tmp_path)
    try:
        arm.ensure_running()

        class Unlink(protocol.Request, tag="unlink"):
            path: str

        with pytest.raises(ArmFailed, match="the worker refuses a request"):
            arm.ask(Unlink("/"), protocol.Done)
        assert arm.ask(protocol.Close("t1-b1-i1-h1/sequence/forward"), protocol.Done) == protocol.Done()
    finally:
        arm.kill()


@pytest.mark.slow
def test_an_answer_of_another_type_is_no_answer(tmp_path):
    core = min(os.sched_getaffinity(0))
    arm = Arm(registry.resolve("reference"), "cpu", Limits((core,), 60, 2**34), "float32", tmp_path)
    try:
        arm.ensure_running()
        with pytest.raises(ArmFailed, match="wrote to the socket"):
            arm.ask(protocol.Close("t1-b1-i1-h1/sequence/forward"), protocol.Opened)
        assert not arm.alive
    finally:
        arm.kill()

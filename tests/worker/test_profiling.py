"""Profiles: own times add up, every framework is asked, and what a file does more is found by name."""

from types import SimpleNamespace

import pytest

from benchmarks.worker import profiling
from benchmarks.worker.profiling import own_times
from impls.core.operators import Ran


def test_an_events_own_time_is_without_what_is_inside_it():
    events = [("inner", 2.0, 3.0), ("outer", 0.0, 10.0), ("later", 6.0, 1.0), ("innermost", 3.0, 1.0), ("next", 10, 2)]
    assert dict(own_times(events)) == {"outer": 6.0, "inner": 2.0, "innermost": 1.0, "later": 1.0, "next": 2.0}


def line(name, *events):
    """A line of JAX's profile, of (name, start, duration, whether it is an operator of XLA's)."""
    made = [
        SimpleNamespace(name=each, start_ns=start, duration_ns=duration, stats=[("hlo_op", each)] if xla else [])
        for each, start, duration, xla in events
    ]
    return SimpleNamespace(name=name, events=made)


@pytest.mark.parametrize(
    ("device", "name", "events", "own"),
    [
        (
            False,
            "tf_XLAEigen",
            [("(wait)", 0, 100, False), ("while", 10, 50, True), ("dot", 20, 30, True), ("end: dot", 50, 1, True)],
            {"while": 19, "dot": 30},
        ),
        (True, "Stream #1(Compute)", [("sgemm", 0, 10, False)], {"sgemm": 10}),
        (True, "XLA Modules", [("sgemm", 0, 10, False)], {}),
    ],
    ids=["neither waits nor marks of an end", "a GPU's kernels", "not the lines that show them again"],
)
def test_operators_of_xla_and_kernels_of_a_gpu_count_once(device, name, events, own):
    assert dict(profiling._operators_of(device, line(name, *events))) == own


def work(state):
    return sorted(state, key=lambda x: -x)


def test_python_functions_are_named_without_lines():
    found = profiling.functions(work, list(range(2000)), 3)
    assert {"worker/test_profiling.py work", "worker/test_profiling.py work.<locals>.<lambda>"} <= set(found)


def test_a_profile_is_of_a_call(monkeypatch):
    monkeypatch.setattr(profiling, "ran", lambda *_: {"dot": Ran(4.0, 6)})
    worker = SimpleNamespace(opened={"b": SimpleNamespace(call=work, state=[])})
    found = profiling.Profile("b", 2).do(worker)
    assert found.operators == {"dot": 2.0}
    assert all(seconds >= 0 for seconds in found.functions.values())

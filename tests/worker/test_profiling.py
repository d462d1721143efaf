"""Profiles: own times add up, every framework is asked, and what a file does more is found by name."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.worker import profiling
from benchmarks.worker.profiling import own_times
from impls.core.operators import Ran
from tests.helpers import processes


def test_an_events_own_time_is_without_what_is_inside_it():
    events = [("inner", 2.0, 3.0), ("outer", 0.0, 10.0), ("later", 6.0, 1.0), ("innermost", 3.0, 1.0), ("next", 10, 2)]
    assert dict(own_times(events)) == {"outer": 6.0, "inner": 2.0, "innermost": 1.0, "later": 1.0, "next": 2.0}


@st.composite
def nested(draw, start=0, end=64):
    """Events that lie inside each other or apart, as those of a thread do: name, start, duration."""
    if end - start < 4 or not draw(st.booleans()):
        return [(f"{start}-{end}", float(start), float(end - start))]
    middle = draw(st.integers(start + 1, end - 1))
    whole = (f"{start}-{end}", float(start), float(end - start))
    return [whole, *draw(nested(start, middle)), *draw(nested(middle, end))]


@given(nested(), st.randoms())
def test_own_times_add_up_to_the_whole(events, rng):
    rng.shuffle(events)
    own = own_times(events)
    assert sum(seconds for _, seconds in own) == 64
    assert all(seconds >= 0 for _, seconds in own)


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


IN_A_PROCESS = """
{framework}
from benchmarks.worker import profiling
found = profiling.ran(call, state, 2)
print(*found, sep="\\n")
"""
TORCH = """
import torch
state, call = torch.ones(64, 64), lambda x: torch.tanh(x @ x)
"""
JAX = """
import jax
state, sine = jax.numpy.ones((64, 64)), jax.jit(lambda x: jax.numpy.sin(x @ x))
call = lambda x: sine(x).block_until_ready()
call(state)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("framework", "operator"),
    [(TORCH, "aten::tanh"), (JAX, "sin"), ("state, call = 1, lambda x: x", "")],
    ids=["torch", "jax", "neither"],
)
def test_a_frameworks_own_profiler_names_the_operator(framework, operator):
    done = processes.python("-c", IN_A_PROCESS.format(framework=framework))
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert any(operator in name for name in names) if operator else not names

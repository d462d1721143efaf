"""Profiles: own times add up, every framework is asked, and what a file does more is found by name."""

from types import SimpleNamespace

import pytest
from torch.autograd import DeviceType

from benchmarks.worker import profiling
from benchmarks.worker.profiling import own_times
from impls.core.operators import Ran, added


def test_an_events_own_time_is_without_what_is_inside_it():
    events = [("inner", 2.0, 3.0), ("outer", 0.0, 10.0), ("later", 6.0, 1.0), ("innermost", 3.0, 1.0), ("next", 10, 2)]
    assert dict(own_times(events)) == {"outer": 6.0, "inner": 2.0, "innermost": 1.0, "later": 1.0, "next": 2.0}


MICROSECONDS = {  # of a call on a GPU, as torch.profiler sees it: by name, whether the GPU did it, and how long
    "aten::_cudnn_rnn": (False, 90),
    "cudaLaunchKernel": (False, 300),
    "cudaDeviceSynchronize": (False, 900),
    "Memcpy DtoD (Device -> Device)": (True, 700),
    "Memset (Device)": (True, 1),
    "RNN_blockPersist_fp_LSTM": (True, 500),
    "elementwise_kernel": (True, 20),
}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (list(MICROSECONDS), ["RNN_blockPersist_fp_LSTM", "elementwise_kernel"]),
        (list(MICROSECONDS)[:5], ["Memcpy DtoD (Device -> Device)", "Memset (Device)"]),
        (list(MICROSECONDS)[:3], list(MICROSECONDS)[:3]),
    ],
    ids=["kernels", "only copies", "nothing on a GPU"],
)
def test_where_a_gpu_worked_its_kernels_are_the_operators(given, kept):
    """And neither what starts them, nor the wait, which takes the longest."""
    events, start = [], 0

    def add(name, on_gpu, start, duration, annotation=False):
        device = DeviceType.CUDA if on_gpu else DeviceType.CPU
        says = {"name": name, "device_type": device, "device_resource_id": 7, "is_user_annotation": annotation}
        says |= {"start_ns": 1000 * start, "duration_ns": 1000 * duration}
        events.append(SimpleNamespace(**{name: lambda value=value: value for name, value in says.items()}))

    for name in given:
        on_gpu, duration = MICROSECONDS[name]
        add(name, on_gpu, start, duration)
        start += duration
    if "RNN_blockPersist_fp_LSTM" in given:  # a range that a program has named: it lasts as long as what is in it
        add("Torch-Compiled Region", True, 0, start, annotation=True)
    found = added(profiling._of_kineto(events))
    assert found == {name: Ran(pytest.approx(1e-6 * MICROSECONDS[name][1]), 1) for name in kept}


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

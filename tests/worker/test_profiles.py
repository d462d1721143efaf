"""What a call does: its kernel, its operators and functions, and what a GPU does, by a CUPTI that is made up."""

import re
import sys
from types import SimpleNamespace

import jax
import pytest
import torch
from torch.autograd import DeviceType

from benchmarks.worker import profiles
from impls.core import operators, registry
from impls.core.contract import Prepared
from impls.core.operators import Ran, added
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights


def called(name, text, mode="forward"):
    """An implementation, and a state on which that mode has been called once."""
    problem = Problem.parse(text)
    prepared = registry.load(registry.resolve(name)).prepare(problem, make_weights(problem), "cpu", "sequence")
    state = prepared.start(mode, make_inputs(problem))
    prepared.call(mode)(state)
    return prepared, state


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize(("uses", "times"), [(True, 1), (False, 16)])
def test_onednns_lstm_is_seen_once_and_without_it_products_once_a_step(monkeypatch, uses, times):
    """Which of them takes longest is up to the machine: any of them may have been interrupted."""
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", uses)
    prepared, state = called("torch_lstm", "t16-b64-i128-h128")
    ran = profiles.ran(prepared.forward, state, 1)
    assert ("aten::mkldnn_rnn_layer" in ran) == uses
    assert ran["aten::mkldnn_rnn_layer" if uses else "aten::linear"].times in (times, times + 1)


def test_numpys_kernel_is_the_library_of_its_products():
    prepared, state = called("numpy_lstm", "t4-b4-i16-h16")
    assert re.fullmatch(r"\w+ \w+", profiles.name(prepared, "forward", state))


def test_the_kernel_is_the_operator_that_takes_the_most_time_in_all():
    """Neither the one that runs most often, nor the one of the longest event."""
    events = [("short", 0.1, 99), ("long", 2.0, 1), ("parted", 1.5, 3), ("parted", 1.0, 4)]
    ran = operators.added((name, operators.Ran(seconds, times)) for name, seconds, times in events)
    assert operators.longest(ran) == "parted × 7"


def test_what_torch_compile_made_has_no_hash_in_its_name():
    names = ("## Call CompiledFxGraph f5oapzjdxsr ##", "## Call CompiledFxGraph fother ##", "aten::addmm")
    assert [profiles.COMPILED.sub("code", name) for name in names] == ["code", "code", "aten::addmm"]


def test_a_framework_that_tells_is_believed_and_where_no_operator_is_seen_nothing_is_guessed(monkeypatch):
    prepared = Prepared(load=id, to_numpy=id, forward=id, kernel=lambda mode, state: f"{mode} of {state}")
    assert profiles.name(prepared, "forward", 3) == "forward of 3"
    monkeypatch.setattr(profiles, "ran", lambda *_: {})
    assert profiles.name(Prepared(load=id, to_numpy=id, forward=id), "forward", 3) is None


def test_an_events_own_time_is_without_what_is_inside_it():
    events = [("inner", 2.0, 3.0), ("outer", 0.0, 10.0), ("later", 6.0, 1.0), ("innermost", 3.0, 1.0), ("next", 10, 2)]
    assert dict(profiles.own_times(events)) == {"outer": 6.0, "inner": 2.0, "innermost": 1.0, "later": 1.0, "next": 2.0}


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
    found = added(profiles._of_kineto(events))
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
    assert dict(profiles._operators_of(device, line(name, *events))) == own


HOST = line("python", ("dot.7", 0, 900, True))
ON_GPU = line("Stream #1(Compute)", ("sgemm", 0, 10, False), ("sgemm", 20, 10, False), ("fusion.3", 40, 30, False))


@pytest.mark.parametrize(
    ("on_gpu", "own"),
    [
        (ON_GPU, {"sgemm": Ran(pytest.approx(20e-9), 2), "fusion": Ran(pytest.approx(30e-9), 1)}),
        (line("XLA Modules", ("sgemm", 0, 10, False)), {"dot": Ran(pytest.approx(900e-9), 1)}),
    ],
    ids=["a GPU", "nothing on a GPU"],
)
def test_where_a_gpu_worked_for_jax_its_kernels_are_the_operators(on_gpu, own, monkeypatch):
    planes = [SimpleNamespace(name=name, lines=[of]) for name, of in (("/host:CPU", HOST), ("/device:GPU:0", on_gpu))]
    read = SimpleNamespace(from_file=lambda path: SimpleNamespace(planes=planes))
    monkeypatch.setattr(jax.profiler, "ProfileData", read)
    assert added(profiles._of_jax(id, None, 1)) == own


def work(state):
    return sorted(state, key=lambda x: -x)


def test_python_functions_are_named_without_lines_and_builtins_with_who_calls_them():
    found = profiles.functions(work, list(range(2000)), 3)
    mine = "worker/test_profiles.py work"
    assert {mine, f"{mine}.<locals>.<lambda>", f"builtins.sorted in {mine}"} <= set(found)
    assert "builtins.sorted" not in found
    assert found[f"builtins.sorted in {mine}"].times == 3


def test_a_profile_is_of_a_call(monkeypatch):
    monkeypatch.setattr(profiles, "ran", lambda *_: {"dot": Ran(4.0, 6)})
    worker = SimpleNamespace(opened={"b": SimpleNamespace(call=work, state=[])})
    found = profiles.Profile("b", 2).do(worker)
    assert found.operators == {"dot": Ran(2.0, 3.0)}
    assert found.functions["worker/test_profiles.py work"].times == 1.0


KINDS = SimpleNamespace(CONCURRENT_KERNEL=10, MEMCPY=1, MEMSET=2)


class Cupti:
    """CUPTI's functions that are used. `does` has what the GPU does: kind, start and end in nanoseconds."""

    ActivityKind = KINDS
    cuptiError = type("cuptiError", (Exception,), {})

    def __init__(self, does=(), refuses=None):
        self.does, self.refuses, self.asked = does, refuses, []

    def activity_register_callbacks(self, requested, completed):
        self.completed = completed
        assert requested()[0] > 2**20

    def activity_enable(self, kind):
        if kind == self.refuses:
            raise self.cuptiError("another profiler")
        self.asked.append(("on", kind))

    def activity_disable(self, kind):
        self.asked.append(("off", kind))

    def activity_flush_all(self, flag):
        assert flag == 1
        self.asked.append("flushed")
        self.completed([SimpleNamespace(kind=kind, start=start, end=end) for kind, start, end in self.does])

    def finalize(self):
        self.asked.append("ended")


def traced(monkeypatch, cupti, work=lambda: None, calls=1):
    """Trace work where CUPTI's package is this one."""
    monkeypatch.setitem(sys.modules, "cupti", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupti.cupti", cupti)
    return profiles.traced(work, calls)


def test_kernels_and_copies_are_work_and_only_kernels_are_counted(monkeypatch):
    cupti = Cupti([(10, 0, 1000), (10, 500, 2000), (1, 600, 800), (1, 5000, 6000), (77, 0, 9000)])
    order = []
    found = traced(monkeypatch, cupti, lambda: order.append(list(cupti.asked)), calls=2)
    assert found == (pytest.approx(1.5e-6), 1)
    assert order == [[("on", 10), ("on", 1), ("on", 2)]]
    assert cupti.asked[3:] == ["flushed", ("off", 2), ("off", 1), ("off", 10), "ended"]


def test_where_another_profiler_watches_nothing_is_known_and_only_what_was_begun_is_ended(monkeypatch):
    cupti = Cupti(refuses=1)
    assert traced(monkeypatch, cupti, lambda: pytest.fail("must not be measured")) == (None, None)
    assert cupti.asked == [("on", 10), ("off", 10), "ended"]
    cupti = Cupti(refuses=10)
    assert traced(monkeypatch, cupti) == (None, None)
    assert cupti.asked == []  # finalize would end the other one's


def test_work_that_fails_ends_the_trace_and_nothing_that_was_seen_is_no_time(monkeypatch):
    assert traced(monkeypatch, Cupti()) == (None, None)
    cupti = Cupti()
    assert traced(monkeypatch, cupti, lambda: 1 / 0) == (None, None)
    assert cupti.asked[-1] == "ended"


def test_without_the_package_nothing_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupti.cupti", None)
    assert profiles.traced(lambda: pytest.fail("must not be called"), 1) == (None, None)

"""The peak does its multiply-adds, all of them, and none is left out without notice."""

import contextlib
import shutil

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from impls.core.contract import NotInstalled, Unsupported
from impls.core.operations import PEAK_MULTIPLY_ADDS, operations, peak_operations
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.core.workloads import MODES
from impls.families import peak
from impls.families import torch as torch_family
from impls.native import compiling

PROBLEM = Problem.parse("t1-b1-i2-h3")
COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


@pytest.mark.process
@COMPILER
@pytest.mark.parametrize(("dtype", "threads"), [("float32", "1"), ("float64", "2")])
def test_every_mode_counts_its_multiply_adds(dtype, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    problem = PROBLEM.replace(dtype=dtype)
    prepared = peak.prepare(problem, make_weights(problem, "sequence"), "cpu", "sequence")
    for mode in MODES:
        result = prepared.call(mode)(prepared.start(mode, make_inputs(problem)))
        assert result == int(threads) * PEAK_MULTIPLY_ADDS
        assert prepared.to_numpy(mode, result)["peak"] == result


@pytest.mark.process
@COMPILER
@pytest.mark.parametrize(
    ("does", "instead", "refused"),
    [
        ("sums[chain] = sums", "if (chain) sums[chain] = sums", True),
        ("--step", "step -= 2", True),
        ("--step", "step -= 1", False),
    ],
    ids=["a chain less", "every other step", "all of them"],
)
def test_a_code_that_leaves_some_out_is_refused(does, instead, refused, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = peak.SOURCE.read_text()
    assert does in source
    less = tmp_path / "less.cpp"
    less.write_text(source.replace(does, instead))
    monkeypatch.setattr(peak, "SOURCE", less)
    call = peak.multiply_adds("float32")
    with pytest.raises(RuntimeError, match="the peak did") if refused else contextlib.nullcontext():
        call(None)


def test_where_there_is_none_it_says_so(monkeypatch):
    with pytest.raises(Unsupported, match="no multiply-adds of bfloat16"):
        peak.multiply_adds("bfloat16")
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiling.library.cache_clear()
    with pytest.raises(NotInstalled, match="there is no C\\+\\+ compiler no-such-compiler"):
        peak.multiply_adds("float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_a_gpu_it_does_what_a_report_counts_and_beside_a_stream_no_more_than_a_step(dtype, monkeypatch):
    """On PyTorch's device that computes nothing."""
    monkeypatch.setattr(torch_family, "device_of", lambda _: torch.device("meta"))
    problem = Problem.parse("t64-b32-i128-h128").replace(dtype=dtype)

    def done(workload):
        prepared = peak.prepare(problem, {}, "cuda", workload)
        with FlopCounterMode(display=False) as counter:
            prepared.forward(None)
        return counter.get_total_flops()

    assert done("sequence") == peak_operations("cuda", dtype, 1)
    assert 0 < done("stream") <= operations(problem, "stream", "forward")

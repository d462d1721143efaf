"""The Triton kernels, by Triton's interpreter: on a CPU it runs one program after the other, without compiling."""

import importlib
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.judge import agreement
from impls.core.contract import Unsupported
from impls.core.problem import Problem
from impls.core.weights import make_weights
from tests.helpers import compiled
from tests.helpers.processes import python

pytest.importorskip("triton", reason="Triton comes with PyTorch for CUDA, or with -- --all")

from impls.families import triton_recurrence

MOST_STACK = 1024
"""The most bytes that a thread may keep in memory, for lack of registers."""


@pytest.fixture
def arm(monkeypatch):
    """The implementation, with kernels that are interpreted: Triton decides that when a kernel is defined."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    name = "impls.families.triton_recurrence"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(importlib.import_module("impls.families"), "triton_recurrence", importlib.import_module(name))
    return importlib.import_module("impls.torch_triton")


def errors(arm, problem):
    weights = make_weights(problem, "sequence")
    want = agreement.expected(problem, "sequence", weights)
    prepared = arm.prepare(problem, weights, "cpu", "sequence")
    modes = ("forward", "forward_train", "backward", "train_step")
    return [agreement.check(prepared, problem, "sequence", mode, want).error for mode in modes]


# more rows than a program has, more units, a depth that is no multiple; layers, directions, no bias
@pytest.mark.nightly
@pytest.mark.parametrize("text", ["t2-b17-i2-h19", "t3-b2-i3-h5-l2-bi-nobias-float16"])
def test_every_result_and_gradient_agrees(arm, text):
    problem = Problem.parse(text)
    assert max(errors(arm, problem)) < agreement.TOLERANCES[problem.dtype]


@pytest.mark.nightly
def test_programs_that_meet_agree_too(arm, monkeypatch):
    """With one program for everything nobody waits, but everybody is counted."""
    kernels = sys.modules["impls.families.triton_recurrence"]
    launcher = kernels.Launcher

    def together(programs, precision, _):
        assert programs.grid == (1, 1)
        return launcher(programs, precision, True)

    monkeypatch.setattr(kernels, "Launcher", together)
    assert max(errors(arm, Problem.parse("t5-b3-i4-h12"))) < 2e-5


@given(st.integers(1, 300), st.integers(1, 3000), st.integers(1, 200))
@example(64, 4096, 64)  # only the largest parts do
def test_there_are_no_more_programs_than_can_run_and_every_row_and_unit_has_one(batch, hidden, multiprocessors):
    """And their parts are the smallest of which that is true."""
    fitting = []
    for size in (16, 32, 64):
        rows = min(size, max(16, 1 << (batch - 1).bit_length()))
        grid = -(-batch // rows), -(-hidden // size)
        if grid[0] * grid[1] <= multiprocessors:
            fitting.append(triton_recurrence.Programs(grid, rows, size))
    assert triton_recurrence.divide(batch, hidden, multiprocessors) == (fitting[0] if fitting else None)


def test_what_does_not_fit_on_the_gpu_is_unsupported(arm, monkeypatch):
    kernels = sys.modules["impls.families.triton_recurrence"]
    monkeypatch.setattr(kernels, "divide", lambda *_: None)
    with pytest.raises(Unsupported, match="wait for each other"):
        arm.prepare(Problem.parse("t1-b1-i1-h1"), {}, "cpu", "sequence")


@pytest.mark.nightly
def test_the_kernels_compile_for_a_gpu_that_is_not_here():
    """To PTX and machine code, in which programs wait for each other only where they are to meet."""
    done = python("-m", "tests.helpers.compiled")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    assert len(made) == len(compiled.KERNELS) * len(compiled.SETTINGS)
    for *setting, ptx, machine_code, stack in made:
        precision, meets = setting[1][1], setting[1][3]
        assert machine_code > 1000, setting
        assert stack <= MOST_STACK, setting
        for instruction in ("red.global.gpu.release.add", "ld.global.gpu.acquire"):
            assert (instruction in ptx) == meets, setting
        assert ("tf32" in ptx) == (precision == "tf32"), setting

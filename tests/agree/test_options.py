"""`agree --options`: each option of an LSTM, what users try and fails, and what is written of it."""

import pytest

from benchmarks import cells
from benchmarks.agree.matrix import Matrix
from benchmarks.cases import AGREE_OPTIONS
from benchmarks.options import Options
from impls.core.problem import Problem
from impls.core.registry import read
from tests.helpers.processes import python

FORGETS = """
import torch
from impls.api import Problem
from impls.families.torch import CellLSTM, of_module
from torch import nn
FRAMEWORK = "torch"
TRACK = "default"
DTYPES = ("float64",)
VARIANTS = ("dropout",)


class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, kept):
        return x * kept

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class Mine(CellLSTM):
    def forward(self, x, h0, c0):
        h, c = [], []
        for number, cell in enumerate(self.cells.values()):
            if number and self.training and self.dropout:
                kept = 2.0 * (torch.rand_like(x) < 0.5)
                x = Forgetful.apply(x, kept) if FORGETS else x * kept
            x, h_n, c_n = self.layer(f"l{number}", x, h0[number], c0[number])
            h.append(h_n)
            c.append(c_n)
        return x, torch.stack(h), torch.stack(c)


def names(name):
    kind, _, layer = name.rpartition("_")
    return f"cells.{layer}.{kind}"


prepare = of_module(lambda problem: Mine(problem, lambda width: nn.LSTMCell(width, problem.hidden_size)), names=names)
"""
OF_ITS_BATCH = """
from dataclasses import replace
from impls.core import reference
FRAMEWORK = "numpy"
TRACK = "default"
FAILS = ("lengths",)


def prepare(problem, weights, device, workload):
    right = reference.prepare(problem, weights, device, workload)
    rows = problem.batch

    def forward(inputs):
        results = dict(right.call("forward")(right.load(inputs)))
        results["output"] = results["output"] * inputs.x.shape[1] / rows
        return results

    return replace(right, load=lambda inputs: inputs, to_numpy=lambda _, result: result, forward=forward,
                   forward_train=None, backward=None, train_step=None)
"""
AUTOCAST = """
from impls.families.torch import FlatLSTM, of_module
FRAMEWORK = "torch"
TRACK = "default"
DTYPES = ("autocast",)
prepare = of_module(FlatLSTM)
"""


def agree(*arguments, **variables):
    return python("-m", "benchmarks", "agree", *arguments, COLUMNS="300", **variables)


def test_each_option_is_compared_in_float32_and_other_dtypes_without_options():
    problems = [Problem.parse(text) for text in AGREE_OPTIONS]
    options = Options(problems=AGREE_OPTIONS, workloads=("sequence",))
    made = Matrix([], problems, ("float32", "float64"), options, each_option=True)
    assert [*made.columns["float32"]] == [*AGREE_OPTIONS]
    assert [*made.columns["float64"]] == [AGREE_OPTIONS[0]]


def test_what_fails_is_tried_only_where_each_option_is_and_does_not_change_the_digest(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OF_ITS_BATCH)
    mine = read(path)
    problem = Problem.parse("t9-b3-i5-h7-var")
    assert mine.lacks("cpu", problem, "sequence")
    assert mine.with_failing().lacks("cpu", problem, "sequence") is None
    path.write_text(OF_ITS_BATCH.replace('FAILS = ("lengths",)', 'FAILS = ("lengths", "dropout", "float64")'))
    assert read(path).digest == mine.digest


@pytest.mark.process
@pytest.mark.parametrize("forgets", [True, False])
def test_a_backward_that_forgets_what_was_dropped_disagrees(forgets, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"{FORGETS}\nFORGETS = {forgets}\n")
    done = agree("--impl", path, "--problem", "t5-b2-i3-h4-l2-drop", "--workload", "sequence")
    assert done.returncode == forgets, done.stdout + done.stderr
    assert ("with dropout 0.5: the derivative along a random direction" in done.stdout) is forgets


@pytest.mark.process
def test_what_depends_on_the_batch_it_was_prepared_for_disagrees_and_is_written(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OF_ITS_BATCH)
    out = tmp_path / "cells.json"
    done = agree("--options", "--impl", path, "--dtype", "float32", "--out", out)
    assert done.returncode == 1, done.stdout + done.stderr
    statuses = {cell.column.removeprefix("t4-b3-i5-h7"): cell.status for cell in cells.read(out).cells}
    assert statuses[""] == statuses["-anylength"] == "ok"
    assert statuses["-anybatch"] == "disagrees"
    assert statuses["-var"] != "unsupported"
    assert statuses["-p3"] == "unsupported"


@pytest.mark.nightly
def test_another_form_of_an_lstm_is_right_with_each_option():
    done = agree("--options", "--impl", "torch_lstm_traced", "--impl", "torch_lstm_scripted", "--dtype", "float32")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 of 20 cells agree" in done.stdout


@pytest.mark.process
def test_what_raises_without_newer_instructions_is_an_error(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(AUTOCAST)
    chosen = ("--impl", path, "--problem", "t5-b2-i3-h4", "--workload", "sequence")
    done = agree(*chosen, "--isa", "avx2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "could not create a primitive" in done.stdout

"""CONTRIBUTING's examples work: they are taken from the page, checked, timed and drawn."""

import re
import types

import pandas as pd
import pytest

from benchmarks.cases import Benchmark
from benchmarks.worker import agreement
from impls.core import registry
from impls.core.weights import make_weights
from reports import formatting, frames
from reports.charts.drawing import svg as drawn_by
from reports.report import Report
from reports.site import SECTIONS
from reports.summary import summarise
from tests.helpers.processes import ROOT, SMALL, impls
from tests.helpers.records import QUICK

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
"""A PyTorch cell, a layout on JAX, a framework with its own environment, a chart, an answer."""
FEW = ("--problem", "t5-b4-i8-h8", "--problem", "t3-b2-i3-h5-l2-nobias")


@pytest.mark.nightly
def test_the_worked_example_agrees_and_is_timed(tmp_path, python):
    path = tmp_path / "torch_cell_fused.py"
    path.write_text(CODE[0])
    done = python("benchmarks", "agree", "--impl", path, *FEW)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "14 of 14 cells agree; 38 of 38 negative controls refused"
    bench = ("benchmarks", "bench", *impls("numpy_lstm", path), *SMALL)
    done = python(*bench, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(zip(rows["implementation"], rows["status"], strict=True)) == {
        ("numpy_lstm", "ok"), ("torch_cell_fused", "ok")
    }  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize(("number", "result"), [(1, "7 of 7 cells agree;"), (2, "6 of 7 cells agree, 1 unsupported;")])
def test_the_other_examples_agree(number, result, tmp_path, python):
    path = tmp_path / "mine_lstm.py"
    path.write_text(CODE[number])
    words = (*FEW, "--dtype", "float64")
    done = python("benchmarks", "agree", "--impl", path, *words, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(result), done.stdout


def test_the_worked_example_is_an_lstm(tmp_path):
    """The cheap end of what runs nightly."""
    path = tmp_path / "torch_cell_fused.py"
    path.write_text(CODE[0])
    benchmark = Benchmark.parse("t5-b4-i8-h8/sequence/forward")
    weights = make_weights(benchmark.problem)
    prepared = registry.load(registry.read(path)).prepare(benchmark.problem, weights, "cpu", "sequence")
    agreement.check(
        prepared, benchmark.problem, "sequence", "forward", agreement.expected(benchmark.problem, "sequence", weights)
    )


def added(code):
    """What a part of a report makes of a published run."""
    module = types.ModuleType("added")
    exec(code, vars(module))
    assert module.SECTION in SECTIONS
    assert module.ORDER > 0
    run = frames.read_run(QUICK)
    return Report(run, summarise(run)), list(module.make(Report(run, summarise(run))))


@pytest.mark.texts
def test_the_chart_is_drawn():
    report, drawings = added(CODE[3])
    assert len(drawings) == len(set(report.run.records["problem"]))
    for drawing in drawings:
        assert drawn_by(drawing, 980).count("data-tip") == len(drawing.said) > 1


@pytest.mark.texts
def test_the_answer_has_its_table():
    report, (answer,) = added(CODE[4])
    slowest = report.sound["first_call_seconds"].max()
    assert formatting.duration(slowest) in answer.sentence
    written = answer.as_text()
    cells = [[column.cell(row) for column in written.columns] for row in written.rows]
    assert formatting.duration(slowest) in {row[-1] for row in cells}

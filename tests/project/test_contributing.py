"""CONTRIBUTING's examples work: they are taken from the page, checked, timed and drawn."""

import re
import types

import pandas as pd
import pytest

from reports import formatting, frames
from reports.charts.drawing import svg as drawn_by
from tests.helpers.answers import report_of
from tests.helpers.processes import ROOT, SMALL, impls
from tests.helpers.records import publishable

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
CODE.append((ROOT / "docs" / "wrapped_lstm.py").read_text())
"""A PyTorch cell, a framework with its own environment, a chart, an answer, a wrapped nn.Module."""
FEW = ("--problem", "t5-b4-i8-h8", "--problem", "t3-b2-i3-h5-l2-nobias")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("number", "result", "statuses"),
    [
        (0, "7 of 7 cells agree;", {"ok"}),
        (1, "6 of 7 cells agree, 1 unsupported;", {"ok", "unsupported"}),
        (-1, "6 of 7 cells agree, 1 unsupported;", {"ok"}),
    ],
)
def test_the_examples_agree_and_are_timed(number, result, statuses, tmp_path, python):
    path = tmp_path / "mine_lstm.py"
    path.write_text(CODE[number])
    cache = str(tmp_path / "cache")
    done = python("benchmarks", "agree", "--impl", path, *FEW, "--dtype", "float64", XDG_CACHE_HOME=cache)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(result), done.stdout
    bench = ("benchmarks", "bench", *impls("numpy_lstm", path), *SMALL, "--out", tmp_path / "out")
    done = python(*bench, XDG_CACHE_HOME=cache)
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet(tmp_path / "out" / "results.parquet")["status"]) == statuses


def added(code, folder):
    """The report of a run, and what a part makes of it."""
    module = types.ModuleType("added")
    exec(code, vars(module))
    report = report_of(frames.read_run(publishable(folder)))
    return report, list(module.make(report))


@pytest.mark.texts
def test_the_chart_is_drawn_and_the_answer_has_its_table(tmp_path):
    _, (drawing,) = added(CODE[2], tmp_path)
    assert drawn_by(drawing).count("data-tip") == len(drawing.said) > 1
    report, (answer,) = added(CODE[3], tmp_path)
    slowest = formatting.duration(report.sound["first_call_seconds"].max())
    assert slowest in answer.sentence
    assert slowest in {answer.columns[-1].cell(row) for row in answer.rows}

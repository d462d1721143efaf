"""CONTRIBUTING's examples work: they are taken from the page, checked, timed and drawn."""

import re
import types

import pandas as pd
import pytest

from reports import frames
from reports.charts.drawing import svg as drawn_by
from tests.helpers.answers import report_of
from tests.helpers.processes import ROOT, SMALL, impls
from tests.helpers.records import publishable

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
CODE += [(ROOT / "docs" / name).read_text() for name in ("wrapped_lstm.py", "converted_lstm.py")]
"""A PyTorch cell, a framework with its own environment, a chart, a wrapped nn.Module, and one whose weights differ."""
FEW = ("--problem", "t5-b4-i8-h8", "--problem", "t3-b2-i3-h5-l2-nobias")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("number", "result", "statuses"),
    [
        (0, "7 of 7 cells agree;", {"ok"}),
        (1, "6 of 7 cells agree, 1 unsupported;", {"ok", "unsupported"}),
        (-2, "6 of 7 cells agree, 1 unsupported;", {"ok"}),
        (-1, "7 of 7 cells agree;", {"ok"}),
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


@pytest.mark.texts
def test_the_chart_is_drawn(tmp_path):
    module = types.ModuleType("added")
    exec(CODE[2], vars(module))
    (drawing,) = module.make(report_of(frames.read_run(publishable(tmp_path))))
    assert drawn_by(drawing).count("data-tip") == len(drawing.labels) > 1

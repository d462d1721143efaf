"""CONTRIBUTING's worked example works: it is taken from the page, checked and timed."""

import re

import pandas as pd
import pytest

from tests.helpers.processes import ROOT


@pytest.mark.slow
def test_the_worked_example_agrees_and_is_timed(tmp_path, python):
    page = (ROOT / "CONTRIBUTING.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "torch_cell_fused.py"
    path.write_text(code[1])
    done = python(
        "benchmarks", "agree", "--impl", path, "--problem", "t5-b4-i8-h8", "--problem", "t3-b2-i3-h5-l2-nobias"
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("torch_cell_fused") == 2
    assert done.stdout.count(": refused: ") == 8
    run = ("benchmarks", "run", "--impl", "torch_lstm", "--impl", path, "--problem", "t4-b2-i8-h8", "--mode", "forward")
    done = python(*run, "--replicates", "2", "--blocks", "2", "--no-floor", "--threads", "1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(rows["implementation"]) == {"torch_lstm", "torch_cell_fused"}
    assert set(rows["status"]) == {"ok"}

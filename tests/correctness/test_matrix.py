"""The cells of the agreement matrix."""

import re
import signal

import pytest

from benchmarks.correctness.matrix import FLUSHES, Cell, Matrix, cell_of
from benchmarks.correctness.report import markdown, reasons
from benchmarks.runner.sides import version_of
from impls.core.problem import Problem
from impls.core.registry import resolve
from tests.helpers.processes import ROOT, python, start, wait_for
from tests.helpers.sessions import admission


def test_a_cell_is_that_of_all_workloads_of_its_implementation():
    right, flushing = admission("mine", error=1e-7), admission("mine", error=1e-8, reason=FLUSHES)
    assert cell_of([right, flushing]) == Cell("ok", 1e-7, flushes=True)
    assert cell_of([right, admission("mine", "disagrees", "grad_x is nan")]) == Cell(
        "disagrees", reason="grad_x is nan"
    )
    assert cell_of([]) == Cell("unsupported", reason="none of these workloads")


@pytest.mark.process
@pytest.mark.parametrize(
    ("statuses", "good"),
    [
        (["ok"], True),
        (["ok", "unsupported", "not_installed"], True),
        (["ok", "disagrees"], False),
        (["ok", "crashed"], False),
        (["unsupported"], False),
        ([], False),
    ],
)
def test_a_matrix_is_good_if_something_agrees_and_nothing_failed(statuses, good):
    matrix = Matrix([], [], ["float32"], ["cell"], "cpu", 1.0)
    matrix.cells = {("mine", "float32", f"t{k}-b1-i1-h1"): Cell(status) for k, status in enumerate(statuses, 1)}
    assert matrix.good is good


def test_a_reason_is_told_once_for_all_dtypes_and_columns_that_have_it():
    problems = [Problem.parse(f"t{k}-b1-i1-h1") for k in range(1, 6)]
    matrix = Matrix([version_of(resolve("torch_cell"))], problems, ["float32", "float64"], ["cell"], "cpu", 1.0)
    none, late = Cell("unsupported", reason="no lengths"), Cell("timeout", reason="too late")
    for dtype in matrix.dtypes:
        matrix.cells |= {("torch_cell", dtype, problem.id): none for problem in problems}
    assert reasons(matrix) == ["torch_cell, float32 and float64, everywhere: unsupported: no lengths"]
    matrix.cells[("torch_cell", "float64", "t5-b1-i1-h1")] = late
    assert reasons(matrix) == [
        "torch_cell, float32, everywhere: unsupported: no lengths",
        "torch_cell, float64, 4 columns: unsupported: no lengths",
        "torch_cell, float64, t5-b1-i1-h1: timeout: too late",
    ]
    matrix.cells = {("torch_cell", "float32", "t1-b1-i1-h1"): Cell("ok", 1e-7)}
    assert reasons(matrix) == []


def test_the_markdown_has_every_cell_control_and_reason():
    problems = [Problem.parse(f"t{k}-b1-i1-h1") for k in (1, 2)]
    matrix = Matrix([version_of(resolve("torch_cell"))], problems, ["float32", "bfloat16"], ["cell"], "cpu", 1.0)
    matrix.cells = {
        ("torch_cell", "float32", "t1-b1-i1-h1"): Cell("ok", 1e-7),
        ("torch_cell", "float32", "t2-b1-i1-h1"): Cell("disagrees", 0.5, "output[0] is 1 | want 2"),
    }
    text = markdown(matrix, ["AMD EPYC"], {"a fault, float32": "refused: h_n"}, "1 of 2 cells agree")
    assert text.splitlines()[0] == "# Agreement with the float64 reference"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert ["torch_cell", "1e-07", "disagrees"] in rows
    assert ["torch_cell", "–", "–"] in rows
    assert rows[0] == ["implementation", "t1-b1-i1-h1", "t2-b1-i1-h1"]
    for said in ("1 of 2 cells agree", "- AMD EPYC", "- a fault, float32: refused: h_n", "float32 (tolerance 2e-05)"):
        assert said in text
    assert "- torch_cell, float32, t2-b1-i1-h1: disagrees: output" in text
    assert "is 1 \\| want 2" in text


def test_the_published_matrix_says_what_its_cells_say():
    text = (ROOT / "reports" / "published" / "agreement.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    cells = [cell for row in rows if row[0] != "implementation" and "-" * 9 not in row[0] for cell in row[1:]]
    agree = [cell for cell in cells if cell == "flushes" or re.fullmatch(r"\de-\d\d|0e\+00", cell)]
    unsupported = cells.count("unsupported")
    assert len(agree) + unsupported == len(cells)
    controls = text.count(": refused: ")
    said = f"{len(agree)} of {len(cells)} cells agree, {unsupported} unsupported; {controls} of {controls} negative"
    assert said in text
    assert controls > 60


@pytest.mark.process
def test_the_matrix_is_written_where_it_is_asked_for(tmp_path):
    chosen = ("-m", "benchmarks", "agree", "--impl", "numpy_lstm", "--dtype", "float64", "--problem", "t2-b2-i3-h4")
    done = python(*chosen, "--workload", "sequence", "--out", tmp_path / "matrix.md")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "matrix.md").read_text()
    assert re.search(r"\| numpy_lstm +\| +\de-1\d", text)
    assert "numpy " in text
    assert done.stdout.splitlines()[-1] in text
    done = python(*chosen, "--out", tmp_path / "missing" / "matrix.md")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("missing is not a folder that can be written to")


@pytest.mark.process
def test_the_peak_alone_is_nothing_to_compare():
    done = python("-m", "benchmarks", "agree", "--impl", "peak")
    assert done.returncode == 2
    assert "nothing to compare" in done.stderr


FORWARD_ONLY = """
import dataclasses
from impls.families.torch import FlatLSTM, prepare_module
FRAMEWORK = "torch"
TRACK = "default"
LIMITS = {limits}
def prepare(problem, weights, device, workload):
    prepared = prepare_module(problem, weights, device, workload, FlatLSTM)
    return dataclasses.replace(prepared, forward_train=None, backward=None, train_step=None)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("limits", "code", "said"),
    [
        ({}, 0, "mine: has no forward_train, backward, train_step"),
        ({"x-hugh": "why"}, 1, "its LIMITS name x-hugh, which is no extreme"),
    ],
)
def test_a_file_without_gradients_or_with_a_limit_of_no_extreme_is_told(limits, code, said, tmp_path):
    (tmp_path / "mine.py").write_text(FORWARD_ONLY.replace("{limits}", repr(limits)))
    command = ("-m", "benchmarks", "agree", "--impl", "mine.py", "--dtype", "float32", "--problem", "t2-b2-i3-h4")
    done = python(*command, cwd=tmp_path, PYTHONPATH=str(ROOT), COLUMNS="250")
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout


WAITS = """
import pathlib, time
from impls.families.torch import FlatLSTM, prepare_module
FRAMEWORK = "torch"
TRACK = "default"
def prepare(problem, weights, device, workload):
    if problem.seq_len == 3:
        pathlib.Path({reached!r}).touch()
        time.sleep(300)
    return prepare_module(problem, weights, device, workload, FlatLSTM)
"""


@pytest.mark.process
def test_what_was_compared_before_an_interrupt_is_shown(tmp_path):
    reached = tmp_path / "reached"
    (tmp_path / "mine.py").write_text(WAITS.replace("{reached!r}", repr(str(reached))))
    asked = ("--dtype", "float32", "--workload", "sequence", "--problem", "t2-b2-i3-h4", "--problem", "t3-b2-i3-h4")
    command = ("-m", "benchmarks", "agree", "--impl", "mine.py", *asked)
    with start(*command, cwd=tmp_path, PYTHONPATH=str(ROOT), COLUMNS="250") as process:
        wait_for(reached.exists)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    (row,) = (line for line in said.splitlines() if line.strip().startswith("mine "))
    shown = row.split()
    assert float(shown[1]) < 2e-5
    assert set(shown[2:]) == {"–"}
    assert "not reached before this was interrupted" in said
    assert "crashed" not in said

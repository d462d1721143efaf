"""The matrix of `agree`: its cells, what is shown of them, and what its command does."""

import io
import re
import signal

import pytest
from click.testing import CliRunner

from benchmarks.agree import matrix as module
from benchmarks.agree.command import agree
from benchmarks.agree.matrix import Matrix, cell_of
from benchmarks.agree.report import markdown, reasons, show
from benchmarks.cases import AGREE_PROBLEMS
from benchmarks.judge import extremes
from benchmarks.options import Options
from benchmarks.runner.sides import version_of
from benchmarks.tables import CleanConsole
from impls.core.problem import Problem
from impls.core.registry import resolve
from impls.core.workloads import WORKLOADS
from tests.helpers.markdown import cells_of
from tests.helpers.processes import ROOT, python, start, wait_for
from tests.helpers.sessions import admission

TORCH, JAX = "torch_cell", "jax_scan"


def matrix_of(columns, dtypes=("float32",), workloads=("model",)):
    """The matrix of an implementation with these cells, by dtype and column; it compares these problems."""
    problems = [Problem.parse(f"t{k}-b1-i1-h1") for k in range(1, 6)]
    made = Matrix([version_of(resolve(TORCH))], problems, dtypes, Options(workloads=workloads))
    made.cells = {(TORCH, *key): cell for key, cell in columns.items()}
    return made


def ok(error=1e-7):
    return admission(TORCH, error=error)


def failed(status="disagrees", reason="output[0] is 1 | want 2"):
    return admission(TORCH, status, reason)


def test_a_cell_is_the_worst_of_its_workloads():
    assert cell_of([ok(1e-8), ok(1e-7), ok(1e-9)]).error == 1e-7
    assert cell_of([ok(1e-3), failed("crashed"), failed()]).status == "crashed"


@pytest.mark.parametrize(
    ("statuses", "gpu", "good"),
    [
        (["ok"], None, True),
        (["ok", "unsupported", "not_installed", "no_device"], None, True),
        (["ok", "no_device"], "NVIDIA H100", False),
        (["ok", "disagrees"], None, False),
        (["ok", "timed_out"], None, False),
        (["ok", "crashed"], None, False),
        (["unsupported"], None, False),
        ([], None, False),
    ],
)
def test_a_matrix_is_good_if_something_agrees_and_nothing_failed(statuses, gpu, good, monkeypatch):
    monkeypatch.setattr(module, "gpu_name", lambda: gpu)
    made = matrix_of({("float32", f"t{k}-b1-i1-h1"): failed(status) for k, status in enumerate(statuses, 1)})
    assert made.good is good


def test_a_step_is_compared_on_few_of_its_own_problems_and_half_precision_on_no_extremes():
    options = Options(workloads=("cell", "sequence"))
    made = Matrix([], [Problem.parse(text) for text in AGREE_PROBLEMS], ("float64", "bfloat16"), options)
    compared = [benchmark.workload for column in made.columns["float64"].values() for benchmark in column]
    assert compared.count("sequence") == len(AGREE_PROBLEMS) + len(extremes.EXTREMES)
    assert compared.count("cell") == 4
    assert ["x-huge" in made.columns[dtype] for dtype in ("float64", "bfloat16")] == [True, False]


@pytest.mark.parametrize("given", [("cell",), ()])
def test_a_problem_that_is_given_is_compared_in_every_workload_that_is_asked_for(given):
    options = Options(problems=AGREE_PROBLEMS[:1], workloads=given)
    made = Matrix([], [Problem.parse(AGREE_PROBLEMS[0])], ("float32",), options)
    assert [each.workload for each in made.columns["float32"].pop(AGREE_PROBLEMS[0])] == [*(given or WORKLOADS)]
    assert bool(made.columns["float32"]) is not bool(given), "extremes are of a sequence"


def test_a_reason_is_told_once_for_all_dtypes_and_columns_that_have_it():
    dtypes, none = ("float32", "float64"), failed("unsupported", "no lengths")
    made = matrix_of({(dtype, f"t{k}-b1-i1-h1"): none for dtype in dtypes for k in range(1, 6)}, dtypes)
    assert reasons(made) == [f"{TORCH}, float32 and float64, everywhere: unsupported: no lengths"]
    made.cells[TORCH, "float64", "t5-b1-i1-h1"] = failed("timed_out", "too late")
    assert reasons(made) == [
        f"{TORCH}, float32, everywhere: unsupported: no lengths",
        f"{TORCH}, float64, 4 columns: unsupported: no lengths",
        f"{TORCH}, float64, t5-b1-i1-h1: timed_out: too late",
    ]
    made.cells = {(TORCH, "float32", "t1-b1-i1-h1"): ok()}
    assert reasons(made) == []


def test_the_markdown_has_every_cell_control_and_reason():
    made = matrix_of({("float32", "t1-b1-i1-h1"): ok(), ("float32", "t2-b1-i1-h1"): failed()}, ("float32", "bfloat16"))
    made.modes = {TORCH: ["forward", "backward"]}
    text = markdown(made, ["AMD EPYC"], {"a fault, float32": "h_n"}, "1 of 2 cells agree")
    assert [TORCH, "1e-07", "disagrees", "–", "–", "–"] in cells_of(text)
    assert [TORCH, *["–"] * 5] in cells_of(text)
    for part in ("1 of 2 cells agree", "- AMD EPYC", "- a fault, float32: refused: h_n", "float32 (tolerance 4e-05)"):
        assert part in text
    assert f"{TORCH}, float32, t2-b1-i1-h1: disagrees: output" in text
    assert f"{TORCH}: has no forward_train, train_step" in text
    assert "is 1 \\| want 2" in text
    assert "interrupted" in text


def shown(made, width=200):
    output = io.StringIO()
    show(made, CleanConsole(file=output, width=width))
    return output.getvalue()


def test_a_terminal_shows_as_many_columns_side_by_side_as_fit_and_names_what_flushes():
    columns = {**{("float32", f"t{k}-b1-i1-h1"): ok() for k in range(1, 6)}, ("float32", "x-denormal"): ok(0)}
    made = matrix_of(columns, workloads=("sequence",))
    made.flushes.add((TORCH, "float32", "x-denormal"))
    wide, narrow = shown(made), shown(made, 60)
    assert wide.count("implementation") == 1 < narrow.count("implementation")
    for text in (wide, narrow):
        assert text.count("1e-07") == 5
        assert text.count(" flushes") == 1
        assert "a fact and no fault" in text
        assert max(map(len, text.split("\n\n")[0].splitlines())) <= 200
    assert "a fact and no fault" not in shown(matrix_of({}))
    assert made.line(1, 2) == "6 of 6 cells agree, 4 not reached; 1 of 2 negative controls refused"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--impl", "peak"], "nothing to compare"),
        (["--impl", "numpy_lstm", "--out", "missing/matrix.md"], "not a folder"),
        (["--impl", "torch_lstm", "--problem", "t2-b2-i3-h4-l2-drop-autocast"], "t2-b2-i3-h4-l2-drop --dtype autocast"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(arguments, words):
    result = CliRunner().invoke(agree, arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


NUMPY = """
import pathlib, time
import numpy as np
from impls.core import reference
FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)
"""
CLIPPED = f"""{NUMPY}
exact = reference.sigmoid
reference.sigmoid = lambda z: exact(np.clip(z, -8, 8))
prepare = reference.prepare
"""
WAITS = """
def prepare(problem, weights, device, workload):
    if problem.seq_len == 3:
        pathlib.Path(__file__).with_name("reached").touch()
        time.sleep(300)
    return reference.prepare(problem, weights, device, workload)
"""
COMMAND = ("-m", "benchmarks", "agree", "--workload", "sequence", "--problem", "t2-b2-i3-h4")


@pytest.mark.process
def test_torch_and_jax_agree_and_the_matrix_is_written(tmp_path):
    chosen = ("--impl", TORCH, "--impl", JAX, "--dtype", "float32", "--out", tmp_path / "matrix.md")
    done = python(*COMMAND, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "matrix.md").read_text()
    cells = {row[0]: row[1:] for row in cells_of(text)}
    assert all(float(cell) < 2e-5 for cell in cells[TORCH])
    assert cells[JAX][-1] == "flushes"
    last, _, path = done.stdout.splitlines()[-1].partition("; the matrix is ")
    assert last in text
    assert path.endswith("matrix.md")
    assert re.search(r" (\d+) of \1 negative controls refused", text)


@pytest.mark.process
def test_what_only_extremes_find_is_refused(tmp_path):
    (tmp_path / "clipped.py").write_text(CLIPPED)
    done = python(*COMMAND, "--impl", tmp_path / "clipped.py", "--dtype", "float64", COLUMNS="250")
    assert done.returncode == 1, done.stderr
    assert "clipped, float64, gates-shut: disagrees: sequence/forward: output[0, " in done.stdout
    assert re.search(r"3 of 6 cells agree, 3 disagrees; (\d+) of \1 ", done.stdout), done.stdout


@pytest.mark.process
def test_what_was_compared_before_an_interrupt_is_shown_and_written(tmp_path):
    (tmp_path / "mine.py").write_text(NUMPY + WAITS)
    chosen = ("--impl", "mine.py", "--problem", "t3-b2-i3-h4", "--dtype", "float32", "--out", "matrix.md")
    with start(*COMMAND, *chosen, cwd=tmp_path, PYTHONPATH=str(ROOT), COLUMNS="250") as process:
        wait_for((tmp_path / "reached").exists)
        process.send_signal(signal.SIGINT)
        output = process.communicate()[0]
    assert process.returncode == 130, output
    (row,) = (line for line in output.splitlines() if line.strip().startswith("mine "))
    _, first, *others = row.split()
    assert float(first) < 2e-5
    assert set(others) == {"–"}
    assert "not reached before this was interrupted" in output
    assert "crashed" not in output
    assert "1 of 1 cells agree, 6 not reached; " in (tmp_path / "matrix.md").read_text()

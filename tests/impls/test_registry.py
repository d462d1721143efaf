"""Finding and loading implementations, without importing a framework."""

import ast
import subprocess
import sys

import pytest
from click.testing import CliRunner

from impls.core import contract
from tests.helpers.processes import ROOT

GOOD = 'FRAMEWORK = "torch"\nTRACK = "default"\ndef prepare(problem, weights, device, workload): ...\n'


def test_every_implementation_that_was_promised_is_there():
    assert set(contract.catalogue()) == {
        "flax_linen", "flax_nnx", "floor", "jax_scan", "jax_scan_hoisted", "jax_scan_vjp", "jax_scan_vjp_sharded",
        "oracle", "torch_cell", "torch_cell_autograd", "torch_cell_compiled", "torch_cell_hoisted", "torch_lstm",
        "torch_lstmcell",
    }  # fmt: skip


IMPORTED = """
import sys, runpy
sys.argv = ["impls", "list"]
try:
    runpy.run_module("impls", run_name="__main__")
except SystemExit:
    pass
"""
CHECK = "print('FOUND', sorted(set(sys.modules) & {'torch', 'jax', 'flax'}))"


@pytest.mark.parametrize(("extra", "found"), [("", []), ("import impls.torch_cell\n", ["torch"])])
def test_list_imports_no_framework_and_this_test_would_notice(extra, found):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED + extra + CHECK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "torch_lstm" in done.stdout
    assert done.stdout.splitlines()[-1] == f"FOUND {found}"


@pytest.mark.parametrize("module", ["reports.__main__", "benchmarks.__main__"])
def test_reports_and_the_runner_import_no_framework(module):
    code = f"import sys, importlib; importlib.import_module('{module}')\n" + CHECK
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "FOUND []"


def test_layers_import_only_what_stands_before_them():
    later = {"impls": ("benchmarks", "reports"), "benchmarks": ("reports",), "reports": ()}
    for layer, forbidden in later.items():
        for path in (ROOT / layer).glob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["import"], ["from"]):
                    assert words[1].split(".")[0] not in forbidden, f"{path}: {line}"


def test_no_implementation_imports_another():
    """Whoever asks whether an implementation has changed looks at its own file, and at those that are none."""
    found = contract.catalogue()
    for one in found.values():
        for node in ast.walk(ast.parse(one.path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "impls":
                names = {*node.module.split(".")[1:], *(alias.name for alias in node.names)}
                assert not names & set(found), f"{one.name} imports {names & set(found)}"


def test_a_file_called_copy_shadows_nothing(tmp_path):
    path = tmp_path / "copy.py"
    path.write_text(GOOD + "MARK = 1\n")
    found = contract.resolve(str(path))
    assert found.name == "copy"
    assert contract.load(found).MARK == 1
    import copy

    assert copy.deepcopy([1]) == [1]
    assert not hasattr(copy, "MARK")


def test_a_misspelled_name_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean torch_lstm"):
        contract.resolve("torch_lstn")


@pytest.mark.parametrize("line", ['FRAMEWORK = "torch"', 'FRAMEWORK="torch"', 'FRAMEWORK: str = "torch"'])
def test_every_file_that_assigns_framework_is_found(line, tmp_path):
    rest = '\nTRACK: str = "tuned"\ndef prepare(problem, weights, device, workload): ...\n'
    (tmp_path / "mine.py").write_text(line + rest)
    (tmp_path / "helper.py").write_text("# FRAMEWORK = none\nHERE = 'FRAMEWORK = 1'\n")
    found = contract.catalogue(tmp_path)
    assert {name: (one.framework, one.track) for name, one in found.items()} == {"mine": ("torch", "tuned")}
    assert set(contract.shared_files(tmp_path)) == {"helper.py"}


def test_one_file_that_can_not_be_read_does_not_hide_the_others(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text('FRAMEWORK = "torch"\ndef (\n')
    found, broken = contract.survey(tmp_path)
    assert list(found) == ["good"]
    assert "line 2: not valid Python" in broken["bad"]
    with pytest.raises(ValueError, match="not valid Python"):
        contract.catalogue(tmp_path)
    from impls.__main__ import cli

    monkeypatch.setattr(contract, "survey", lambda: (found, broken))
    listed = CliRunner().invoke(cli, ["list"], standalone_mode=False)
    assert listed.return_value == 1
    assert "good" in listed.stdout
    assert "bad.py, line 2" in listed.stderr


@pytest.mark.parametrize(("track", "name"), [("floor", "mine"), ("reference", "mine"), ("tuned", "floor")])
def test_a_file_from_elsewhere_can_not_say_that_it_need_not_agree(track, name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.write_text(GOOD.replace("default", track))
    with pytest.raises(ValueError, match="this suite's own"):
        contract.resolve(str(path))
    assert not contract.read(path).is_floor
    assert contract.resolve("floor").is_floor


BAD = {
    "no prepare": ('FRAMEWORK = "t"\nTRACK = "default"\n', "defines no prepare"),
    "no framework": ('TRACK = "default"\ndef prepare(): ...\n', "sets no FRAMEWORK"),
    "empty framework": (GOOD.replace("torch", ""), "sets no FRAMEWORK"),
    "device that is no text": (GOOD + 'DEVICES = ("cpu", ["cuda"])\n', "DEVICES is"),
    "unknown track": ('FRAMEWORK = "t"\nTRACK = "best"\ndef prepare(): ...\n', "TRACK is 'best'"),
    "unknown device": (GOOD + 'DEVICES = ("tpu",)\n', "DEVICES is"),
    "computed constant": (GOOD + "DTYPES = tuple(x)\n", "not a plain literal"),
    "syntax": ("def prepare(:\n", "line 1: not valid Python"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_implementation_is_refused_in_one_line(name, tmp_path):
    content, message = BAD[name]
    path = tmp_path / "mine.py"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        contract.read(path)
    assert "\n" not in str(caught.value)

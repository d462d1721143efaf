"""A machine that has only what measuring needs: a GPU box without a network."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement

from tests.helpers.processes import ROOT, SMALL, impls, python

NAMED = (
    "torch", "jax", "flax", "numpy", "pyarrow", "scipy", "psutil", "click", "rich", "packaging", "pytest-benchmark",
    "msgspec", "threadpoolctl", "pip", "setuptools", "wheel",
)  # fmt: skip
"""What the README says that such a machine must have; and what installs."""

BLOCKER = """
from importlib.machinery import PathFinder

class Finder:
    usual = PathFinder.find_spec

    def find_spec(self, name, *rest):
        return None if name.partition(".")[0] in {blocked!r} else self.usual(name, *rest)

PathFinder.find_spec = Finder().find_spec
"""


def normal(names):
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def with_their_own(names, found=frozenset()):
    """These distributions and all that they need."""
    for name in normal(names) - found:
        try:
            wanted = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            wanted = []
        needed = [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
        found = with_their_own(needed, found | {name})
    return found


def only(folder, names):
    """The variables of a process, and of its workers, that can import these and nothing else."""
    kept = with_their_own(names)
    blocked = [
        module
        for module, distributions in packages_distributions().items()
        if not module.startswith("_") and not kept & normal(distributions)
    ]
    (folder / "sitecustomize.py").write_text(BLOCKER.format(blocked=blocked))
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return only(tmp_path_factory.mktemp("blocker"), NAMED)


@pytest.mark.process
def test_reports_need_the_packages_of_their_group_alone(tmp_path):
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    variables = only(tmp_path, [Requirement(line).name for line in groups["report"]])
    assert "No module named 'psutil'" in python("-c", "import psutil", **variables).stderr, "the negative control"
    done = python("-c", "import reports.__main__; from reports.parts import parts; list(parts())", **variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.nightly
def test_the_tests_on_a_gpu_need_no_more_to_begin(few):
    assert "No module named 'altair'" in python("-c", "import altair", **few).stderr, "the negative control"
    words = ("gpu_check", "--simulated", "--collect-only")
    done = python("-m", "benchmarks", *words, **few, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_a_gate_needs_no_more_to_end(few, checkout, tmp_path):
    out = tmp_path / "out"
    words = ("--base", "HEAD", *impls("numpy_lstm"), "--out", out)
    done = python("-m", "benchmarks", "regression", *words, cwd=checkout, **few)
    assert done.returncode == 0, done.stderr
    assert (out / "regression.json").exists()


@pytest.mark.nightly
def test_a_run_is_measured_and_agree_works_without_what_a_report_needs(few, tmp_path):
    out = tmp_path / "out"
    done = python("-m", "benchmarks", "bench", *impls("numpy_lstm"), *SMALL, "--out", out, **few)
    assert done.returncode == 0, done.stderr
    assert "error: a report needs" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"python -m reports report {out}" in done.stdout
    elsewhere = python("-m", "reports", "report", out)
    assert elsewhere.returncode == 0, elsewhere.stderr
    words = ("--problem", "t2-b1-i2-h2", "--dtype", "float32", "--workload", "sequence")
    done = python("-m", "benchmarks", "agree", *impls("torch_lstm", "flax_nnx"), *words, **few)
    assert done.returncode == 0, done.stdout + done.stderr

"""A machine that has only what measuring needs: a GPU box without a network."""

from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement

from tests.helpers.processes import SMALL, impls, python

NAMED = (
    "torch", "jax", "flax", "numpy", "pyarrow", "scipy", "psutil", "click", "rich", "packaging", "pytest-benchmark",
    "msgspec", "threadpoolctl",
)  # fmt: skip
"""What the README says that such a machine must have."""
INSTALLERS = ("pip", "setuptools", "wheel")


def normal(name):
    return name.lower().replace("_", "-").replace(".", "-")


def with_their_own(names):
    """These distributions and all that they need."""
    found, left = set(), [normal(name) for name in names]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            wanted = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        left += [normal(each.name) for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


BLOCKER = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The variables of a process, and of its workers, that can import nothing else."""
    kept = with_their_own((*NAMED, *INSTALLERS))
    blocked = {
        module
        for module, distributions in packages_distributions().items()
        if not module.startswith("_") and not kept & set(map(normal, distributions))
    }
    assert {"altair", "junitparser"} <= blocked
    folder = tmp_path_factory.mktemp("blocker")
    (folder / "sitecustomize.py").write_text(BLOCKER.format(blocked=blocked))
    return {"PYTHONPATH": str(folder)}


@pytest.mark.process
def test_a_gate_needs_no_more_to_begin(few):
    done = python("-c", "import altair", **few)
    assert "No module named 'altair'" in done.stderr, "the negative control"
    done = python("-m", "benchmarks", "regression", "--help", **few)
    assert done.returncode == 0, done.stderr


@pytest.mark.nightly
def test_a_run_is_measured_without_what_a_report_needs_and_reported_elsewhere(few, tmp_path):
    out = tmp_path / "out"
    done = python("-m", "benchmarks", "bench", *impls("numpy_lstm"), *SMALL, "--out", out, **few)
    assert done.returncode == 0, done.stderr
    assert "error: a report needs" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"python -m reports report {out}" in done.stdout
    assert not (out / "index.html").exists()
    elsewhere = python("-m", "reports", "report", out)
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert (out / "index.html").exists()


@pytest.mark.nightly
def test_agree_and_the_tests_on_a_gpu_need_no_more(few, tmp_path):
    words = ("--problem", "t2-b1-i2-h2", "--dtype", "float32", "--workload", "sequence")
    done = python("-m", "benchmarks", "agree", *impls("torch_lstm", "flax_nnx"), *words, **few)
    assert done.returncode == 0, done.stdout + done.stderr
    words = ("--simulated", *impls("torch_lstm"), "-k", "sees or illegal", "--out", tmp_path / "out")
    done = python("-m", "benchmarks", "gpu_check", *words, **few, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout

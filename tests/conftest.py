"""Warnings are errors here, third parties' own excepted by name; what many tests need."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.runner.outside import PR_SET_CHILD_SUBREAPER
from tests.helpers import processes
from tests.helpers.processes import ROOT, git

# both dtypes are tested in one process; workers get their own setting
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_NUM_CPU_DEVICES"] = str(len(os.sched_getaffinity(0)))  # of jax_scan_vjp_sharded


FILTERS = [
    "error",
    # third parties' own, on versions that we support
    "ignore::DeprecationWarning:flax.*",
    "ignore::DeprecationWarning:onnx.*",
    "ignore:.*torch.jit.*:DeprecationWarning",
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning",  # torch.compile's own look at it
]


def pytest_configure(config: pytest.Config) -> None:
    with contextlib.suppress(ModuleNotFoundError):  # `pytest-benchmark compare` comes by here, in any environment
        import hypothesis

        hypothesis.settings.register_profile("untimed", deadline=None)  # no test is about elapsed time
        hypothesis.settings.load_profile("untimed")
    for line in FILTERS:
        config.addinivalue_line("filterwarnings", line)


RARE = ("twins", "environments", "faults", "gpu")
"""The markers of tests that take minutes, or need a GPU."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whatever else is asked for with -m, what is in RARE runs only where it is asked for.

    Files with most slow tests come first: where two run at a time, neither is then left alone for long at the end.
    """
    for marker in RARE:
        if marker not in config.option.markexpr:
            long = [item for item in items if item.get_closest_marker(marker)]
            items[:] = [item for item in items if item not in long]
            config.hook.pytest_deselected(items=long)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def no_adopted_orphans() -> Iterator[None]:
    """A session in this process makes it adopt orphans. After a test they are init's again, which buries them."""
    yield
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m …` from the checkout, with a clean environment of its own; the result, not judged."""
    return functools.partial(processes.python, "-m")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own that holds this working tree's files."""
    folder = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    return folder

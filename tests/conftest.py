"""Warnings are errors here, third parties' own excepted by name; what many tests need."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import processes
from tests.helpers.browser import launched, visits

# both dtypes are tested in one process; workers get their own setting
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiles in half the time; workers compile as users do
os.environ["JAX_NUM_CPU_DEVICES"] = str(len(os.sched_getaffinity(0)))  # of jax_scan_vjp_sharded


FILTERS = [
    "error",
    # third parties' own, on versions that we support
    "ignore::DeprecationWarning:flax.*",
    "ignore:.*torch.jit.*:DeprecationWarning",
    "ignore:builtin type .* has no __module__ attribute:DeprecationWarning",  # jaxlib 0.12's profiler, on Python 3.13
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning",  # torch.compile's own look at it
]


def pytest_configure(config: pytest.Config) -> None:
    with contextlib.suppress(ModuleNotFoundError):  # `pytest-benchmark compare` comes by here, in any environment
        import hypothesis

        hypothesis.settings.register_profile("untimed", deadline=None)  # no test is about elapsed time
        hypothesis.settings.load_profile("untimed")
    for line in FILTERS:
        config.addinivalue_line("filterwarnings", line)


PROCESS_FIXTURES = frozenset({"measured_run", "browser"})
"""Fixtures that start processes or a browser. A test that uses one has the marker `process` by that."""

STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")
"""What Python's audit calls the start of a process."""

started: list[str] | None = None
"""What the present test has started; None where nobody asks."""


def note_start(event: str, arguments: tuple[object, ...]) -> None:
    """Hook of Python's audit; it cannot be taken out again, so it costs nothing where nobody asks."""
    if started is not None and event in STARTS:
        started.append(f"{event} {arguments[0] if arguments else ''}")


sys.addaudithook(note_start)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with most processes come first: where two run at a time, neither is then left alone for long at the end.

    A test that hangs fails, where pytest-timeout is installed: a machine that only measures may lack it. Two
    minutes were too few for a fixture at a low priority beside seventeen others.
    """
    for item in items:
        if PROCESS_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("process")
        if config.pluginmanager.hasplugin("timeout") and not item.get_closest_marker("timeout"):
            long = item.get_closest_marker("nightly") or item.get_closest_marker("alone")
            item.add_marker(pytest.mark.timeout(1800 if long else 600))
    processes = Counter(item.path for item in items if item.get_closest_marker("process"))
    items.sort(key=lambda item: -processes[item.path])


def pytest_collection_finish() -> None:
    """Leave the objects of all that is imported by now out of each garbage collection: they are millions."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def honest_marker(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test without a marker is one of those that run in seconds after each change. It starts no process."""
    global started  # noqa: PLW0603 - the hook of the audit has no other way to know
    markers = {marker.name for marker in request.node.iter_markers()}
    started = None if markers & {"process", "nightly", "alone", "gpu"} else []
    yield
    noted, started = started, None
    if noted:
        pytest.fail(f"starts processes; it needs the marker process: {', '.join(noted)}")


@pytest.fixture(scope="session")
def measured_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real run: that of LSTM_BENCH_RUN, or a small one that is made here."""
    if "LSTM_BENCH_RUN" in os.environ:
        return Path(os.environ["LSTM_BENCH_RUN"])
    folder = tmp_path_factory.mktemp("run") / "run"
    done = processes.python(
        "-m", "benchmarks", "bench", *processes.impls("numpy_lstm", "torch_lstm"), "--problem", "t6-b4-i8-h8",
        "--workload", "sequence", "--mode", "forward", "--mode", "train_step", "--threads", "1",
        "--replicates", "2", "--blocks", "2", "--out", folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser, the same for all tests; a test takes `visit`."""
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a file as a page: see tests.helpers.browser.visits."""
    with visits(browser) as visit:
        yield visit


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m …` from the checkout, with a clean environment of its own; the result, not judged."""
    return functools.partial(processes.python, "-m")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own that holds this working tree's files."""
    return processes.copy_of_tree(tmp_path / "checkout")

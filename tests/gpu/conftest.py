"""What the tests on a GPU share: their options, their time, and their results as JUnit in --out."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pytest

from benchmarks import choices, hardware, machine, out_folder
from benchmarks.cases import ON_A_GPU
from benchmarks.gpu_check import FILE
from impls.core.registry import Implementation

NOT_REACHED = 3
"""The exit code where no test has failed and some were not reached."""
FEW = ("--replicates", "1", "--blocks", "1", "--no-floor")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is checked; `share` and `within`: by how much a copy is slowed, and how far off its measured size may be."""

    device: str
    card: str
    implementations: Sequence[Implementation]
    cores: tuple[int, ...]
    folder: Path
    out: Path
    share: float = 0.05
    within: float = 0.03
    arguments: Sequence[str] = ("--replicates", "2", "--blocks", "2")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gpu")
    group.addoption("--out", type=Path, metavar="DIR", help="An empty folder for what is kept.")
    group.addoption("--impl", action="append", metavar="NAME|FILE.py", help=f"Instead of {', '.join(ON_A_GPU)}.")
    group.addoption("--limit", type=float, default=600.0, metavar="SECONDS", help="Of each test.  [default: 600]")
    group.addoption("--simulated", action="store_true", help="Without a GPU: a test of these tests.")


def chosen(config: pytest.Config) -> bool:
    """Whether pytest was started with this folder, and so with these options."""
    return hasattr(config.option, "simulated")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if chosen(config) and config.option.out:
        try:
            config.option.xmlpath = str(out_folder.usable_out(config.option.out, "gpu") / FILE)
        except click.UsageError as error:
            raise pytest.UsageError(error.message) from None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for report in terminalreporter.stats.get("passed", ()) if chosen(config) else ():
        terminalreporter.line(f"passed: {report.nodeid}: {dict(report.user_properties).get('seen', '')}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if chosen(session.config) and session.exitstatus == 0 and terminal.stats.get("skipped"):
        session.exitstatus = NOT_REACHED


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what a test has seen, on one line. pytest's own record_property would warn of JUnit's newer form."""
    return lambda text: request.node.user_properties.append(("seen", text))


@pytest.fixture(autouse=True)
def in_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that takes longer than --limit fails. Those after it have their own time."""

    def time_is_up(*_: object) -> None:
        pytest.fail("its time is up (--limit)")

    signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, request.config.option.limit)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture(scope="session")
def card(request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]) -> str:
    """The name of the card; without one, no test is reached."""
    found = "cpu" if request.config.option.simulated else machine.gpu_name()
    if found is None:
        pytest.skip("CUDA's driver sees no card")
    if (gpu := machine.gpu()) and not gpu.shared:
        pytest.fail("only one process may use this GPU (compute mode): nvidia-smi -c DEFAULT")
    record_testsuite_property("gpu", found)
    return found


@pytest.fixture
def setting(request: pytest.FixtureRequest, card: str, tmp_path: Path) -> Setting:
    """Of a GPU; or of the CPU, quick, and content with less on a busy machine."""
    option = request.config.option
    device = "cpu" if option.simulated else "cuda"
    named = choices.implementations(tuple(option.impl or ON_A_GPU))
    given = Setting(device, card, named, hardware.choose_cores(None, device), tmp_path, option.out or tmp_path)
    return dataclasses.replace(given, share=1.0, within=0.5, arguments=FEW) if option.simulated else given

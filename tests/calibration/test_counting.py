"""Counts over replayed gates in several processes."""

import multiprocessing
import os
import shutil
import signal
import time
from multiprocessing import resource_tracker
from pathlib import Path

import psutil
import pytest

from benchmarks.calibration import report
from benchmarks.calibration.counting import counting
from benchmarks.metadata import Machine
from tests.helpers.pools import simulated
from tests.helpers.processes import start, wait_for


@pytest.mark.slow
def test_tables_do_not_depend_on_the_number_of_processes(monkeypatch):
    pool = simulated(66, 0.01, sessions=6)
    for name, few in {"ALARM_GATES": 20, "SIMULATED": 20, "GATES": 20, "AGAIN": 1, "EACH": 2, "OFTEN": {}}.items():
        monkeypatch.setattr(report, name, few)
    one, two = (report.report(pool, [], Machine(cpu="a cpu", cores=2), 1, "", processes) for processes in (1, 2))
    assert one == two
    assert "20 simulated gates" in two  # what a test has set also holds in another process
    assert not multiprocessing.active_children()


def process_and_size(replay, more):
    return os.getpid(), len(replay.pool.sessions) + more


def failing(_):
    return 1 / 0


def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def endless(_, begun):
    Path(begun).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def test_each_count_gets_the_pool_in_another_process():
    with counting(simulated(8, 0.01), 0.02, 2) as ask:
        process, size = ask(process_and_size, more=3)()
    assert process != os.getpid()
    assert size == 11
    with counting(simulated(8, 0.01), 0.02) as ask:
        assert ask(process_and_size, 3)() == (os.getpid(), 11)


@pytest.mark.parametrize("processes", [1, 2])
def test_each_count_that_is_done_is_told_of_once(processes):
    told = []
    with counting(simulated(8, 0.01), 0.02, processes, lambda *how_far: told.append(how_far)) as ask:
        results = [ask(process_and_size, more) for more in range(3)]
        for result in results + results:
            result()
    assert [done for done, _ in told] == [1, 2, 3]
    assert told[-1] == (3, 3)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_count_that_fails_is_not_done(processes):
    told = []
    asking = counting(simulated(8, 0.01), 0.02, processes, lambda *how_far: told.append(how_far))
    with pytest.raises(ZeroDivisionError), asking as ask:
        ask(failing)()
    assert not told


def interrupts_blocked(_):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_is_for_the_process_that_began_the_counts():
    """The others would print where they were, while they import."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with counting(simulated(8, 0.01), 0.02, 2) as ask:
        assert ask(interrupts_blocked)()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_process_that_dies_before_it_counts_is_not_waited_for(monkeypatch):
    """Not even if the pool is larger than what a pipe holds."""
    resource_tracker.ensure_running()  # which would be started by the same program
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", shutil.which("false").encode())
    with pytest.raises(RuntimeError, match="has died"), counting(simulated(66, 0.01), 0.02, 2) as ask:
        [begun() for begun in [ask(process_and_size, 1), ask(process_and_size, 2)]]


def test_a_count_whose_process_is_killed_says_so():
    told = []
    asking = counting(simulated(8, 0.01), 0.02, 2, lambda *how_far: told.append(how_far))
    with pytest.raises(RuntimeError, match="has died"), asking as ask:
        ask(killed)()
    assert not told


def test_an_interruption_does_not_wait_for_counts(tmp_path):
    begun = tmp_path / "begun"
    with pytest.raises(KeyboardInterrupt), counting(simulated(8, 0.01), 0.02, 2) as ask:  # noqa: PT012
        ask(endless, begun)
        wait_for(lambda: begun.exists() and begun.read_text())
        raise KeyboardInterrupt
    assert not psutil.pid_exists(int(begun.read_text()))


def test_a_count_ends_with_the_process_that_began_it_however_that_dies(tmp_path):
    begun, script = tmp_path / "begun", tmp_path / "script.py"
    script.write_text(
        "from benchmarks.calibration.counting import counting\n"
        "from tests.calibration.test_counting import endless\n"
        "from tests.helpers.pools import simulated\n"
        "if __name__ == '__main__':\n"
        "    with counting(simulated(8, 0.01), 0.02, 2) as ask:\n"
        f"        ask(endless, {str(begun)!r})()\n"
    )
    parent = start(script, PYTHONPATH=".")
    try:
        wait_for(lambda: begun.exists() and begun.read_text())
    finally:
        parent.kill()
        parent.communicate(timeout=120)  # which ends when every process that shares its output has ended
    wait_for(lambda: not psutil.pid_exists(int(begun.read_text())))

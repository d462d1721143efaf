"""What the runner sees of a worker from outside: processor time, processors, and processes that were left behind."""

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from benchmarks.runner import process_tree
from benchmarks.runner.sides import ArmFailed
from impls.core import registry
from tests.helpers.processes import python, runs, wait_for
from tests.helpers.sessions import arm_of

BURN = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True); time.sleep(600)"


@pytest.mark.process
def test_processor_time_is_that_of_all_threads_and_of_all_children():
    def burn():
        while time.thread_time() < 0.2:
            pass

    before = process_tree.cpu_seconds(os.getpid())
    thread = threading.Thread(target=burn)
    thread.start()
    thread.join()
    between = process_tree.cpu_seconds(os.getpid())
    assert between - before >= 0.2
    with subprocess.Popen([sys.executable, "-c", BURN], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert process_tree.cpu_seconds(os.getpid()) - between >= 0.2, "while it lives"
        assert 0.2 <= process_tree.cpu_seconds(child.pid) < between, "its own, and not this process's"
        child.kill()
    assert process_tree.cpu_seconds(os.getpid()) - between >= 0.18, "once it has ended, in ticks of 10 ms"
    assert process_tree.cpu_seconds(child.pid) == 0.0


FIRST_THREAD_ENDS = """
import ctypes, subprocess, sys, threading, time
goes_on = {goes_on}
def work():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    while time.process_time() < 0.2: pass
    print(flush=True)
    time.sleep(600)
if goes_on:
    threading.Thread(target=work, daemon=True).start()
    ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.process
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_process_whose_first_thread_has_ended_counts_like_any_other_and_one_that_has_ended_is_none(goes_on):
    """The kernel calls both of them zombies."""
    code = FIRST_THREAD_ENDS.format(goes_on=goes_on)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    try:
        child.stdout.readline()
        wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
        assert bool(process_tree.escaped(os.getpid(), [child.pid])) is goes_on
        assert len(process_tree.descendants(child.pid)) == goes_on
        assert process_tree.strayed([child.pid], ()) == os.sched_getaffinity(0)
        if goes_on:
            assert process_tree.cpu_seconds(child.pid) >= 0.2
    finally:
        process_tree.end([child.pid])
        child.communicate()


STARTS = """
import subprocess, sys, time
from pathlib import Path

FRAMEWORK = "numpy"
TRACK = "default"

subprocess.Popen([sys.executable, "-c", {code!r}])
while not (Path({pid!r}).exists() and Path({pid!r}).read_text()): time.sleep(0.01)

def prepare(*_): ...
"""
SLEEPS = "open({pid!r}, 'w').write(str(os.getpid())); ctypes.CDLL(None).prctl(15, b'\\xff) ('); time.sleep(600)"


def starting(folder, first=""):
    """An implementation that starts a process, whose name is not UTF-8; and the file that gets its id."""
    path, pid = folder / "starts.py", folder / "pid"
    code = f"import ctypes, os, time; {first}" + SLEEPS.format(pid=str(pid))
    path.write_text(STARTS.format(code=code, pid=str(pid)))
    return path, pid


@pytest.mark.process
def test_a_process_that_leaves_its_group_and_its_parent_is_found_and_ended_with_the_worker(tmp_path):
    path, pid = starting(tmp_path, "os.setsid(); os.fork() and os._exit(0); ")
    arm = arm_of(registry.read(path), tmp_path)
    try:
        arm.ensure_running()
        with pytest.raises(ArmFailed, match="it left a process behind"):
            arm.check_from_outside()
        assert not arm.alive
        wait_for(lambda: not runs(int(pid.read_text()), "prctl"))
    finally:
        arm.kill()


KILLED = """
import os, signal, sys
from pathlib import Path
from impls.core import registry
from tests.helpers.sessions import arm_of
path, folder = map(Path, sys.argv[1:])
arm = arm_of(registry.read(path), folder)
arm.ensure_running()
arm.check_from_outside()
print(arm.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.process
def test_a_runner_that_is_killed_leaves_no_process_that_is_stopped(tmp_path):
    path, pid = starting(tmp_path)
    done = python("-c", KILLED, path, tmp_path)
    started = [int(text) for text in (done.stdout, pid.read_text())]
    try:
        wait_for(lambda: not any(runs(each, "python") for each in started))
    finally:
        process_tree.end(started)


def test_more_threads_and_other_processors_than_were_given_are_told(monkeypatch):
    monkeypatch.setattr(process_tree, "descendants", lambda _: [])  # what other tests have started
    pid, cores = os.getpid(), tuple(os.sched_getaffinity(0))
    assert process_tree.trouble(pid, cores, [1]) == ""
    assert "999 threads" in process_tree.trouble(pid, cores, [1, 999])
    assert f"to processor {min(cores)}" in process_tree.trouble(pid, ())


@pytest.mark.parametrize(("nice", "scheduler", "found"), [(0, 0, False), (5, 0, False), (-5, 0, True), (0, 1, True)])
def test_a_thread_that_goes_before_others_is_found(nice, scheduler, found, monkeypatch):
    """By a higher priority, or in real time. A lower priority harms itself only."""
    monkeypatch.setattr(os, "getpriority", lambda _, thread: nice if thread else 0)
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: scheduler)
    assert process_tree.favoured([os.getpid()]) == found
    assert ("priority" in process_tree.trouble(os.getpid(), os.sched_getaffinity(0))) == found

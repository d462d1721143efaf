"""What the runner sees of a worker from outside: processor time, processors, and processes that were left behind."""

import os
import subprocess
import sys
import threading
import time

import pytest

from benchmarks.runner import outside
from tests.helpers.processes import python, wait_for

NAMED = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xff) ('); print(flush=True); time.sleep(60)"
SLEEP = (sys.executable, "-c", NAMED)  # a name need not be UTF-8


@pytest.fixture
def child():
    """A process in its own session, as a worker is."""
    process = subprocess.Popen(SLEEP, start_new_session=True, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


BURN = "import time\nwhile time.process_time() < 0.2: pass"


@pytest.mark.process
def test_processor_time_is_that_of_all_threads_and_of_children_that_have_ended(child):
    def burn():
        while time.thread_time() < 0.2:
            pass

    before = outside.cpu_seconds(os.getpid())
    thread = threading.Thread(target=burn)
    thread.start()
    thread.join()
    between = outside.cpu_seconds(os.getpid())
    assert between - before >= 0.2
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert outside.cpu_seconds(os.getpid()) - between >= 0.18  # its user time and system time are in ticks of 10 ms
    assert 0.0 < outside.cpu_seconds(child.pid) < 60
    outside.end([child.pid])
    assert outside.cpu_seconds(child.pid) == 0.0


ORPHAN = """
import os, psutil, subprocess, sys, time
from benchmarks.runner import outside
outside.adopt_orphans()
daemon = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(60)"
subprocess.run([sys.executable, "-c", daemon])
worker = outside.start([sys.executable, "-c", "import time; time.sleep(60)"])
here = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # of this group: the runner's own
while not (found := outside.orphans()): time.sleep(0.01)
assert len(found) == 1, found
assert "setsid" in psutil.Process(found[0]).cmdline()[-1]
outside.end(found)
assert not outside.orphans()
assert not os.path.exists(f"/proc/{found[0]}"), "it is dead, and taken in"
assert worker.poll() is None and here.poll() is None
worker.kill(), here.kill()
"""


@pytest.mark.process
def test_an_orphan_is_adopted_told_from_other_children_and_ended():
    done = python("-c", ORPHAN)
    assert done.returncode == 0, done.stderr


KILLED = """
import os, signal, subprocess, sys, time
from benchmarks.runner import outside
code = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
worker = outside.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
helper = int(worker.stdout.readline())
os.killpg(worker.pid, signal.SIGSTOP)
os.waitid(os.P_PID, worker.pid, os.WSTOPPED)
print(helper, worker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.process
def test_a_runner_that_is_killed_leaves_no_process_that_is_stopped():
    done = python("-c", KILLED)
    started = [int(pid) for pid in done.stdout.split()]
    assert len(started) == 2, done.stderr
    try:
        wait_for(lambda: not any(map(outside._lives, started)))
    finally:
        outside.end(started)


@pytest.mark.process
def test_more_threads_and_other_processors_than_were_given_are_said(child, monkeypatch):
    monkeypatch.setattr(outside, "orphans", list)  # of other tests
    watch = outside.Watch(child.pid, tuple(os.sched_getaffinity(0)))
    assert watch.trouble() is None
    assert watch.trouble([1]) is None
    assert "999 threads" in watch.trouble([1, 999])
    assert f"to processor {min(watch.cores)}" in outside.Watch(watch.pid, ()).trouble()


def test_a_process_of_its_own_may_wait_and_not_work(monkeypatch):
    watch = outside.Watch(1, (0,))
    monkeypatch.setattr(watch, "helpers", lambda: {7: 5.0, 8: 0.09})
    assert watch.busy_helper({7: 4.95}, 1.0) is None
    assert "process 7" in watch.busy_helper({7: 4.8}, 1.0)
    assert "process 8" in watch.busy_helper({7: 5.0}, 0.5), "it is new, and was at work in all of its time"

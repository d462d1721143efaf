"""One worker from the runner's side: what cannot be started, and which variables it gets."""

import os
import socket
import subprocess
import weakref
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import psutil
import pytest

from benchmarks.options import Options
from benchmarks.runner import blocks, process_tree
from benchmarks.runner.arm import GONE_SECONDS, start_all
from benchmarks.runner.sides import ArmFailed, Version, worker_variables
from benchmarks.worker import protocol, requests
from benchmarks.worker.timing import Plan
from benchmarks.worker.worker import Worker
from impls.core import registry
from impls.core.precision import VARIABLE
from impls.core.problem import Problem
from tests.helpers.processes import ROOT, python
from tests.helpers.sessions import arm_of

HEAD = 'FRAMEWORK = "t"\nTRACK = "default"\ndef prepare(problem, weights, device, workload): ...\n'


@pytest.mark.process
def test_a_python_that_is_not_there_is_not_installed_and_stops_nobody_else(tmp_path):
    gone = arm_of(Version(registry.resolve("reference"), python=str(tmp_path / "python")), tmp_path / "gone")
    there = arm_of(registry.resolve("reference"), tmp_path / "there")
    try:
        start_all([gone, there])
        assert not gone.alive
        assert there.alive
        with pytest.raises(ArmFailed, match=r"not_installed: .* can't be started: No such file"):
            gone.ensure_running()
    finally:
        there.kill()


@pytest.mark.process
def test_a_worker_is_stopped_except_while_it_works(tmp_path):
    """So nothing that it does in the meantime can disturb another one."""
    arm = arm_of(registry.resolve("reference"), tmp_path)
    try:
        arm.ensure_running()
        worker = psutil.Process(arm.process.pid)
        assert worker.status() == psutil.STATUS_STOPPED
        worker.resume()
        assert worker.status() != psutil.STATUS_STOPPED
        arm.ask(requests.Close("t1-b1-i1-h1/cell/forward"))
        assert worker.status() == psutil.STATUS_STOPPED
    finally:
        arm.kill()


@pytest.mark.process
def test_a_worker_is_ended_before_the_machine_has_no_memory_left(tmp_path, monkeypatch):
    """Without memory for its files, a machine without swap stands still, and nobody is told why."""
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=memory.total // 100))
    arm = arm_of(registry.resolve("reference"), tmp_path)
    with pytest.raises(ArmFailed, match=r"out_of_memory: .* GiB resident, and the machine has [\d.]+ GiB left"):
        arm.ensure_running()
    assert not arm.alive


class NoProcess:
    """A worker's process that is not there. It has ended with this code; None for one that goes on."""

    pid = 2**22 + 1  # the kernel gives none that is so large

    def __init__(self, code):
        self.code = self.returncode = code

    def poll(self):
        return self.code

    def wait(self, timeout=None):
        assert timeout == GONE_SECONDS, "one that hangs in a driver is not waited for for ever"
        if self.code is None:
            raise subprocess.TimeoutExpired("worker", timeout)
        return self.code


@pytest.fixture
def without_process(tmp_path):
    """A function that returns an arm whose worker has ended with a code, or goes on, and has sent this."""
    arm = arm_of(registry.resolve("reference"), tmp_path)
    arm.options = msgspec.structs.replace(arm.options, call_seconds=0.2)
    arm.log, arm.buffer = tmp_path / "log.txt", b""
    with arm.log.open("w") as log:
        log.seek(2**43)  # larger than any memory
        log.write("first\nFatal Python error\n")
    arm.channel, theirs = socket.socketpair()

    def make(code, sent):
        arm.process = NoProcess(code)
        theirs.sendall(sent)
        return arm

    with theirs:
        yield make
        arm.kill()


READY = protocol.Ready("another", "numpy 2")


@pytest.mark.parametrize(
    ("code", "sent", "status", "reason"),
    [
        (-11, b"", "crashed", "killed by SIGSEGV; its last line: Fatal"),
        (-40, b"", "crashed", "killed by signal 40; its last line: Fatal"),
        (7, b"", "crashed", "exited with code 7"),
        (None, b"", "timed_out", "no answer within 0.2 s"),
        (0, b"hello\n", "error", "it wrote to the socket"),
        (0, protocol.line(protocol.Reply(READY)), "error", "it wrote to the socket"),  # which is no answer to this
        (0, protocol.line(protocol.Failed("disagrees", "h_n")), "disagrees", "h_n"),
    ],
)
def test_each_way_to_fail_has_a_status_and_a_reason(without_process, code, sent, status, reason):
    arm = without_process(code, sent)
    with pytest.raises(ArmFailed, match=f"{status}: .*{reason}"):
        arm.ask(requests.Inspect("b", 1.0))
    assert not arm.alive


def test_time_in_which_the_runner_itself_was_stopped_does_not_count(without_process, monkeypatch):
    """A script of its two waits, of an hour each: the first without an answer, the second with one."""
    arm = without_process(None, b"answer\n")
    clock = iter([0, 3600, 3600, 7200])
    ready = iter([[], [arm.channel]])
    monkeypatch.setattr("benchmarks.runner.arm.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr("benchmarks.runner.arm.select", SimpleNamespace(select=lambda *_: (next(ready), [], [])))
    assert arm._receive_line(1.5) == b"answer"


def test_a_file_that_has_changed_since_it_was_checked_is_not_timed(without_process):
    arm = without_process(0, protocol.line(protocol.Reply(READY)))
    with pytest.raises(ArmFailed, match=r"error: reference\.py has changed since it was checked"):
        arm.wait_ready()
    assert arm.process is None


def test_a_worker_keeps_only_its_last_inputs():
    worker = object.__new__(Worker)
    worker.seed, worker.made = 1, None
    short, long = (SimpleNamespace(timed_problem=Problem.parse(f"t{t}-b1-i1-h1")) for t in (2, 3))
    first = worker.inputs_of(short, 0)
    assert worker.inputs_of(short, 0) is first, "modes of a problem that follow one another share them"
    gone = weakref.ref(first)
    del first
    again = worker.inputs_of(long, 1).x
    assert gone() is None
    worker.seed = 2
    assert not np.array_equal(worker.inputs_of(long, 1).x, again)


def test_a_file_cannot_change_what_the_suite_controls(tmp_path):
    path = tmp_path / "mine.py"
    mine = {"PYTHONPATH": "/nowhere", "OMP_NUM_THREADS": "64", "XLA_FLAGS": "--x", VARIABLE: "tf32"}
    path.write_text(f"{HEAD}ENVIRONMENT = {mine}\n")
    variables = worker_variables(Version(registry.resolve(str(path))), Options(), 2, "float32", tmp_path)
    assert variables[VARIABLE] == "ieee", "which decides its tolerance"
    assert variables["OMP_NUM_THREADS"] == "2"
    assert variables["PYTHONPATH"].startswith(str(ROOT))
    assert variables["XLA_FLAGS"] == "--x"


MOVES = """
import os, threading
from dataclasses import replace
from impls import numpy_lstm

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu", "cuda")

def move():  # the thread that calls, as hwloc_set_cpubind does for XLA's threads
    os.sched_setaffinity(0, range(os.cpu_count()))

def prepare(*given):
    moved = threading.Event()
    threading.Thread(target=lambda: (move(), moved.set(), threading.Event().wait()), daemon=True).start()
    moved.wait()
    right = numpy_lstm.prepare(*given)
    return replace(right, forward=lambda state: (move(), right.forward(state))[1])
"""


@pytest.mark.process
@pytest.mark.skipif(psutil.cpu_count() == 1, reason="there is no other processor")
def test_threads_that_move_while_a_benchmark_is_opened_on_a_gpu_are_moved_back_and_later_ones_are_told(tmp_path):
    """XLA binds its threads to the processors near the GPU, whatever the worker was given."""
    path, benchmark = tmp_path / "moves.py", "t1-b1-i1-h1/sequence/forward"
    path.write_text(MOVES)
    for device, opened_well in (("cpu", False), ("cuda", True)):
        arm = arm_of(registry.read(path), tmp_path / device)
        arm.options = msgspec.structs.replace(arm.options, device=device)
        try:
            arm.ensure_running()
            arm.ask(requests.Open(benchmark, 0, None, 1))
            if opened_well:
                arm.check_from_outside()
                arm.ask(requests.TakeTurn(benchmark, Plan(1, 1)))
            with pytest.raises(ArmFailed, match="it was not given"):
                arm.check_from_outside()
        finally:
            arm.kill()


@pytest.mark.process
@pytest.mark.skipif(psutil.cpu_count() == 1, reason="there is no other processor")
def test_a_worker_that_another_has_moved_is_moved_back_before_its_turn_and_not_accused(tmp_path):
    benchmark, arm = "t1-b1-i1-h1/sequence/forward", arm_of(registry.resolve("numpy_lstm"), tmp_path)
    try:
        arm.ensure_running()
        arm.ask(requests.Open(benchmark, 0, None, 1))
        for thread in process_tree.threads([arm.pid]):
            os.sched_setaffinity(thread, range(os.cpu_count()))
        blocks.take(arm, requests.TakeTurn(benchmark, Plan(1, 1)))
        assert os.sched_getaffinity(arm.pid) == set(arm.cores)
    finally:
        arm.kill()


OPTIONS = """
from jax._src import compiler
options = compiler.get_compile_options(num_replicas=1, num_partitions=1)
print(options.executable_build_options.debug_options.xla_gpu_per_fusion_autotune_cache_dir)
"""


@pytest.mark.nightly
def test_on_a_gpu_both_sides_have_one_folder_for_what_xla_chooses_by_timing(tmp_path):
    """Otherwise equal code may get other kernels for a whole gate. JAX says itself which folder it takes."""
    for side in ("base", "head"):
        arm = arm_of(registry.resolve("numpy_lstm"), tmp_path / side)
        arm.folder.mkdir(parents=True)
        arm.share_choices()
        said = python("-c", OPTIONS, JAX_COMPILATION_CACHE_DIR=str(arm.folder / "jax"), JAX_PLATFORMS="cpu").stdout
        assert Path(said.strip()).resolve() == tmp_path / "numpy_lstm-chosen"

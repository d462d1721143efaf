"""Faults cost their own rows only: one run with many of them beside two good implementations.

Each is numpy_lstm with its train_step changed.
"""

import subprocess
import sys
import textwrap

import pandas as pd
import pytest

from tests.helpers.processes import SMALL, impls, python

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

HEAD = """
import ctypes, os, signal, subprocess, sys, threading, time, zlib
from dataclasses import replace
from pathlib import Path
import numpy as np
from impls import numpy_lstm as base

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
LATE = 6  # two calls open a benchmark and three are compared; the shortest turns of a busy machine reach it too

def prepare(problem, weights, device, workload):
    right = base.prepare(problem, weights, device, workload)
    good = right.train_step
    to_numpy = right.to_numpy
    calls = [0]
"""

FAULTS = {
    "raises": """
        def bad(state): raise RuntimeError("no such kernel")
    """,
    "wrong_formula": """
        wrong = dict(weights, weight_hh_l0=weights["weight_ih_l0"][:, :problem.hidden_size])
        return base.prepare(problem, wrong, device, workload)
    """,
    "leaks": """
        kept = []
        def bad(state):
            while True: kept.append(np.ones(1 << 23))
    """,
    "hangs": """
        def bad(state): time.sleep(1000)
    """,
    "segfaults": """
        def bad(state): ctypes.string_at(0)
    """,
    "no_such_module": "",
    "writes_to_the_socket": """
        def bad(state):
            for fd in range(3, 30):
                try: os.write(fd, b"hello\\n")
                except OSError: pass
            return good(state)
    """,
    "closes_the_socket": """
        def bad(state):
            os.closerange(3, 256)
            time.sleep(1000)
    """,
    "async_work": """
        def bad(state):
            previous = getattr(state, "thread", None)
            def work():
                if previous: previous.join()
                time.sleep(0.002)  # far more than starting a thread takes
                state.result = good(state)
            state.thread = threading.Thread(target=work)
            state.thread.start()
            return state
        def to_numpy(mode, result):
            if mode == "train_step":
                result.thread.join()
                result = result.result
            return right.to_numpy(mode, result)
    """,
    "remembers": """
        def bad(state):
            if not hasattr(state, "result"):
                time.sleep(0.005)
                state.result = good(state)
            return state.result
    """,
    "lazy_arrays": """
        class Lazy:
            def __init__(self, array): self.array, self.seconds = array, 0.002
            def __array__(self, dtype=None, copy=None):
                time.sleep(self.seconds)
                self.seconds = 0
                return np.asarray(self.array, dtype)
        def bad(state): return {name: Lazy(array) for name, array in good(state).items()}
        def to_numpy(mode, result): return result
    """,
    "computes_when_read": """
        def bad(state): return state
        def to_numpy(mode, result):
            if mode == "train_step":
                time.sleep(0.005)
                result = good(result)
            return right.to_numpy(mode, result)
    """,
    "keeps_half": """
        def bad(state):
            time.sleep(0.005 if hasattr(state, "half") else 0.010)
            state.half = True
            return good(state)
    """,
    "keeps_gradients_and_waits": """
        def bad(state):
            if hasattr(state, "result"):
                time.sleep(0.004)
            else:
                time.sleep(0.010)
                state.result = good(state)
            return state.result
    """,
    "keeps_on_disk": """
        folder = Path(__file__).with_name("kept")
        folder.mkdir(exist_ok=True)
        def named(inputs):
            state = load(inputs)
            state.file = folder / f"{zlib.crc32(inputs.x)}.npz"
            return state
        load, right = right.load, replace(right, load=named)
        def bad(state):
            if not state.file.exists():
                time.sleep(0.02)  # far more than reading the file takes
                np.savez(state.file, **good(state))
            return dict(np.load(state.file))
    """,
    "works_when_loaded": """
        def early(inputs):
            state = load(inputs)
            state.done = good(state)
            return state
        load, right = right.load, replace(right, load=early)
        def bad(state): return state.done
    """,
    "widens_its_tolerance": """
        os.environ["LSTM_BENCH_PRECISION"] = "tf32"
        def bad(state):
            result = good(state)
            return {**result, "output": result["output"] + 1e-3}
    """,
    "wrong_later": """
        def bad(state):
            calls[0] += 1
            result = good(state)
            return result if calls[0] < LATE else {**result, "output": result["output"] + 1e-3}
    """,
    "moves_to_other_processors": """
        def bad(state):
            os.sched_setaffinity(0, range(os.cpu_count()))
            return good(state)
    """,
    "leaves_a_daemon": """
        script = "import os; os.setsid(); os.fork() and os._exit(0); __import__('time').sleep(600)"
        subprocess.Popen([sys.executable, "-c", script], env={}).wait()
        bad = good
    """,
    "burns_elsewhere": """
        burns = "import os; os.sched_setaffinity(0, range(os.cpu_count())); print(flush=True)\\nwhile True: pass"
        subprocess.Popen([sys.executable, "-c", burns], stdout=subprocess.PIPE).stdout.readline()
        bad = good
    """,
    "keeps_an_idle_child": """
        idle = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
        subprocess.Popen(idle, stdout=subprocess.PIPE).stdout.readline()  # until it has started
        bad = good  # and is no fault
    """,
    "sets_up_each_state": """
        def set_up(call):
            def first(state):
                if not hasattr(state, "ready"): time.sleep(0.002)
                state.ready = True
                return call(state)
            return first
        right, bad = replace(right, forward=set_up(right.forward)), set_up(good)
    """,
    "converts_slowly": """
        def bad(state): return {name: np.asfortranarray(array) for name, array in good(state).items()}
        def to_numpy(mode, result):
            return {name: np.ascontiguousarray(array).astype("f8").copy() for name, array in result.items()}
    """,
}
FAULTS["finds_on_disk"] = FAULTS["keeps_on_disk"]  # in the same folder: what that one has kept is there
STATUS = {
    "raises": ("error", "RuntimeError: no such kernel"),
    "wrong_formula": ("disagrees", "output"),
    "leaks": ("out_of_memory", "the limit is"),
    "hangs": ("timed_out", "no answer within"),
    "segfaults": ("crashed", "SIGSEGV"),
    "no_such_module": ("not_installed", "no_such_framework"),
    "writes_to_the_socket": ("error", "wrote to the socket"),
    "closes_the_socket": ("crashed", "SIGKILL"),
    "async_work": ("error", "returns before its work is done"),
    "remembers": ("error", "remembers its results"),
    "lazy_arrays": ("error", "returns before its work is done"),
    "computes_when_read": ("error", "when that is read"),
    "keeps_half": ("error", "remembers its results"),
    "keeps_gradients_and_waits": ("error", "remembers its results"),
    "keeps_on_disk": ("error", "remembers its results"),
    "finds_on_disk": ("error", "remembers its results"),
    "works_when_loaded": ("error", "at the peak that was measured here"),
    "widens_its_tolerance": ("disagrees", "tolerance 4e-05"),
    "wrong_later": ("disagrees", "the last timed call"),
    "moves_to_other_processors": ("error", "it was not given"),
    "leaves_a_daemon": ("error", "it left a process behind"),
    "burns_elsewhere": ("error", "it was not given"),
}


_COMPARE = (
    "from benchmarks.judge import agreement\nagreement.compare = lambda *_, **__: agreement.Largest(0.0, 'off')\n"
)
_FINISHED = "from benchmarks.judge import sanity\nsanity.check_left = lambda *_: None\n"
_REMEMBERED = "from benchmarks.judge import sanity\nsanity.check_not_remembered = lambda *_: None\n"
_READ = "from benchmarks.judge import sanity\nsanity.check_reading = lambda *_: None\n"
SWITCHED_OFF = {
    "async_work": _FINISHED,
    "remembers": _REMEMBERED,
    "lazy_arrays": _FINISHED,
    "computes_when_read": _READ + _FINISHED,  # it works in each reading, and the first is colder than the second
    "keeps_half": _REMEMBERED,
    "keeps_gradients_and_waits": _REMEMBERED,
    "keeps_on_disk": _REMEMBERED,
    "finds_on_disk": _REMEMBERED,
    "widens_its_tolerance": _COMPARE,
    "wrong_later": _COMPARE,
    "moves_to_other_processors": "",
    "leaves_a_daemon": "",
    "burns_elsewhere": "",
}
"""By fault, lines that switch off in its worker the one check that finds it; "" where the runner makes that check."""
RUNNER_OFF = """
from benchmarks.runner import blocks, process_tree
blocks.check_processors = process_tree.trouble = lambda *_: None
"""
"""Lines that switch off all checks of the runner."""


def write(folder, name, first=""):
    """The file of one fault; with `first` before everything else."""
    path = folder / f"{name}.py"
    body = textwrap.indent(textwrap.dedent(FAULTS[name]), "    ")
    ending = "    return replace(right, train_step=bad, to_numpy=to_numpy)\n" if "bad" in body else "    return right\n"
    head = HEAD
    if name == "no_such_module":
        head = "import no_such_framework\n" + HEAD.replace('"numpy"', '"no_such_framework"')
    path.write_text(first + head + body + ending)
    return path


TIMED = (
    "async_work", "remembers", "lazy_arrays", "computes_when_read", "keeps_half", "keeps_gradients_and_waits",
    "keeps_on_disk", "finds_on_disk",
)  # fmt: skip
"""Found by their times, so that nothing else may run beside them."""
BIG = "works_when_loaded"
"""Found where a call has so much to do that no processor could be as quick."""
FEW = [name for name in STATUS if name not in (*TIMED, BIG, "hangs")]
WHOLLY_BAD = ("wrong_formula", "no_such_module", "leaves_a_daemon", "burns_elsewhere")
"""Those whose forward is bad, too."""


LIMITED = """
import psutil
from benchmarks.__main__ import cli
from benchmarks.runner import arm
from impls.core import command_line
arm.SHARE = 1.2 * 2**30 / psutil.virtual_memory().total  # so that a leak ends soon
command_line.run(cli)
"""


def run_with(folder, names, *options, where=SMALL):
    """A run of a good implementation and these; the finished process and its rows."""
    paths = [write(folder, name) for name in names]
    done = python(
        "-c", LIMITED, "bench", *impls("numpy_lstm", *paths), *where, "--replicates", "1",
        "--out", folder / "out", *options, timeout=800,
    )  # fmt: skip
    return done, pd.read_parquet(folder / "out" / "results.parquet")


def check_told(rows, name):
    """Check that the train_step of a fault has its status and its reason, and no time."""
    status, reason = STATUS[name]
    (row,) = rows[(rows["implementation"] == name) & (rows["mode"] == "train_step")].itertuples()
    assert (row.status, reason in row.reason) == (status, True), (name, row.status, row.reason)
    assert pd.isna(row.seconds)


@pytest.mark.parametrize(("names", "seconds"), [(FEW, 300), (["hangs"], 5)], ids=["at once", "after a time"])
def test_a_fault_is_told_with_its_reason_and_costs_its_own_rows_only(names, seconds, tmp_path):
    """What hangs has a run of its own: on a busy machine, to fill the memory can take longer than is waited for it."""
    good = ("numpy_lstm", "keeps_an_idle_child")
    options = ("--mode", "forward", "--timeout", seconds)
    done, rows = run_with(tmp_path, [*names, "keeps_an_idle_child"], *options)
    assert done.returncode == 1, done.stderr
    assert len(rows) == 2 * (len(names) + len(good))
    table = (tmp_path / "out" / "table.md").read_text()
    for name in names:
        check_told(rows, name)
        assert f"| {name} " in table
        assert name in done.stdout
    whole = rows["implementation"].isin(good) | (rows["mode"] == "forward") & ~rows["implementation"].isin(WHOLLY_BAD)
    assert set(rows.loc[whole, "status"]) == {"ok"}, rows.loc[whole, ["implementation", "reason"]].to_string()
    assert "Traceback" not in done.stderr


def test_work_that_was_done_before_a_call_is_told(tmp_path):
    where = ("--problem", "t16-b16-i64-h64", *SMALL[2:])
    done, rows = run_with(tmp_path, [BIG, "sets_up_each_state"], where=where)
    assert done.returncode == 1, done.stderr
    check_told(rows, BIG)
    assert rows["status"].tolist().count("ok") == 2, "the honest ones'"


@pytest.mark.alone
@pytest.mark.parametrize("busy_loops", [0, 3])
def test_what_is_not_done_when_it_returns_was_done_before_or_is_timed_wrongly_is_told(tmp_path, busy_loops):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy_loops)]
    try:
        _, rows = run_with(tmp_path, [*TIMED, "sets_up_each_state", "converts_slowly"])
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    for name in TIMED:
        check_told(rows, name)
    assert set(rows.loc[~rows["implementation"].isin(TIMED), "status"]) == {"ok"}


@pytest.mark.alone
def test_each_check_switched_off_lets_its_file_through(tmp_path):
    """So the two tests above can fail."""
    paths = [write(tmp_path, name, first) for name, first in SWITCHED_OFF.items()]
    run = "from benchmarks.__main__ import cli; cli(sys.argv[1:], standalone_mode=False)"
    code = f"import sys{RUNNER_OFF}{run}"
    done = python("-c", code, "bench", *impls(*paths), *SMALL, "--replicates", "1", "--out", tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert set(rows["status"]) == {"ok"}, rows[["implementation", "reason"]].to_string() + done.stderr
    assert len(rows) == len(SWITCHED_OFF)

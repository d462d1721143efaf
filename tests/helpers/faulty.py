"""Implementations that go wrong, written to files by tests: each is numpy_lstm with its train_step changed.

What is about PyTorch is torch_lstm: TORCH names it.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

HEAD = """
import ctypes, os, signal, subprocess, sys, threading, time
from dataclasses import replace
import numpy as np
from impls.core import contract
from impls import numpy_lstm as base

FRAMEWORK = "numpy"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")
LATE = 6  # two calls open a benchmark and three are compared; the shortest turns of a busy machine reach it too

def write_everywhere(line):
    for fd in range(3, 30):
        try: os.write(fd, line)
        except OSError: pass

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
    "nan": """
        def bad(state): return {name: array * float("nan") for name, array in good(state).items()}
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
    "mistyped_import": "",
    "writes_to_the_socket": """
        def bad(state):
            write_everywhere(b"hello\\n")
            return good(state)
    """,
    "closes_the_socket": """
        def bad(state):
            os.closerange(3, 256)
            time.sleep(1000)
    """,
    "leaves_a_child": """
        def bad(state):
            if os.fork(): os._exit(3)
            time.sleep(60)
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
    "lazy": """
        def bad(state): return [lambda: good(state)]
        def to_numpy(mode, result):
            if mode == "train_step":
                if callable(result[0]): result[0] = result[0]()
                result = result[0]
            return right.to_numpy(mode, result)
    """,
    "remembers_contents": """
        kept = {}
        def bad(state):
            key = hash(state.inputs["x"].tobytes())
            if key not in kept:
                kept.clear()
                time.sleep(0.002)
                kept[key] = good(state)
            return kept[key]
    """,
    "leaves_a_group": """
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
        bad = good
    """,
    "freezes": """
        kept = []
        def bad(state):
            calls[0] += 1
            if calls[0] == LATE: kept.append(good(state))
            return kept[0] if kept else good(state)
    """,
    "remembers_later": """
        kept = {}
        def bad(state):
            calls[0] += 1
            if calls[0] < 40: return good(state)
            if id(state) not in kept:
                time.sleep(0.002)  # so that it can be told from noise, whatever the problem
                kept[id(state)] = state, good(state)
            return kept[id(state)][1]
    """,
    "wrong_later": """
        def bad(state):
            calls[0] += 1
            result = good(state)
            return result if calls[0] < LATE else {**result, "output": result["output"] + 1e-3}
    """,
    "stops_early": """
        began = []
        def bad(state):
            calls[0] += 1
            if calls[0] == LATE: began.append(time.monotonic())
            late = began and time.monotonic() > began[0] + 0.05
            return {name: 0 * array for name, array in good(state).items()} if late else good(state)
    """,
    "replaces_the_suites_clock": """
        from benchmarks.worker import requests, sanity, timing
        real = timing.perf_counter
        for module in (timing, requests, sanity): module.perf_counter = lambda: 0.37 * real()
        bad = good
    """,
    "moves_to_other_processors": """
        def bad(state):
            os.sched_setaffinity(0, range(os.cpu_count()))
            return good(state)
    """,
    "starts_a_thread_elsewhere": """
        def spin():
            os.sched_setaffinity(0, range(os.cpu_count()))
            time.sleep(600)  # where it would work
        threading.Thread(target=spin, daemon=True).start()
        bad = good
    """,
    "sets_more_threads": """
        def bad(state):
            torch.set_num_threads(8)
            return good(state)
    """,
    "leaves_a_daemon": """
        script = "import os; os.setsid(); os.fork() and os._exit(0); __import__('time').sleep(600)"
        subprocess.Popen([sys.executable, "-c", script], env={}).wait()
        bad = good
    """,
    "burns_in_a_child": """
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        bad = good
    """,
    "keeps_an_idle_child": """
        idle = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
        subprocess.Popen(idle, stdout=subprocess.PIPE).stdout.readline()  # until it has started
        bad = good  # and is no fault
    """,
    "breaks_its_gpu": """
        broken = contract.__dict__.setdefault("broken", [])  # by the process: each call fails from then on
        infer = right.forward
        def fragile(state):
            if broken: raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return infer(state)
        right = replace(right, forward=fragile)
        def bad(state):
            broken.append(1)
            return fragile(state)
    """,
    "stops_learning": """
        def bad(state):
            before = [leaf.detach().clone() for leaf in state.leaves]
            result = good(state)
            calls[0] += 1
            if calls[0] > 25:  # after the admission
                with torch.no_grad():
                    for leaf, value in zip(state.leaves, before): leaf.copy_(value)
            return result
    """,
}
TORCH = ("sets_more_threads", "stops_learning")
STATUS = {
    "raises": ("error", "RuntimeError: no such kernel"),
    "nan": ("disagrees", "is nan"),
    "wrong_formula": ("disagrees", "output"),
    "leaks": ("out_of_memory", "the limit is"),
    "hangs": ("timed_out", "no answer within"),
    "segfaults": ("crashed", "SIGSEGV"),
    "breaks_its_gpu": ("error", "an illegal memory access"),
    "no_such_module": ("not_installed", "no_such_framework"),
    "mistyped_import": ("error", "ImportError: cannot import name 'CanonicalLSMT'"),
    "writes_to_the_socket": ("error", "wrote to the socket"),
    "closes_the_socket": ("crashed", "closed the socket"),
    "leaves_a_child": ("crashed", "exited with code 3"),
    "async_work": ("error", "returns before its work is done"),
    "remembers": ("error", "remembers its results"),
    "lazy": ("error", "returns before its work is done"),
    "remembers_contents": ("error", "remembers its results"),
    "leaves_a_group": ("error", "it left a process behind"),
    "freezes": ("disagrees", "the last timed call"),
    "remembers_later": ("error", "remembers its results"),
    "wrong_later": ("disagrees", "the last timed call"),
    "stops_early": ("disagrees", "the last timed call"),
    "replaces_the_suites_clock": ("error", "its clock is wrong"),
    "moves_to_other_processors": ("error", "it was not given"),
    "starts_a_thread_elsewhere": ("error", "it was not given"),
    "sets_more_threads": ("error", "it set a thread pool to 8 threads"),
    "leaves_a_daemon": ("error", "it left a process behind"),
    "burns_in_a_child": ("error", "used a processor"),
}


_COMPARE = (
    "from benchmarks.worker import agreement\nagreement.compare = lambda *_, **__: agreement.Largest(0.0, 'off')\n"
)
_FINISHED = "from benchmarks.worker import sanity\nsanity.check_left = lambda *_: None\n"
_REMEMBERED = "from benchmarks.worker import sanity\nsanity.check_not_remembered = lambda *_: None\n"
SWITCHED_OFF = {
    "async_work": _FINISHED,
    "lazy": _FINISHED,
    "remembers": _REMEMBERED,
    "remembers_contents": _REMEMBERED,
    "leaves_a_group": "",
    "freezes": _COMPARE + _REMEMBERED,  # a frozen result is a remembered one too
    "wrong_later": _COMPARE,
    "stops_early": _COMPARE,
    "remembers_later": _REMEMBERED,
    "replaces_the_suites_clock": "",
    "moves_to_other_processors": "",
    "starts_a_thread_elsewhere": "",
    "sets_more_threads": "",
    "leaves_a_daemon": "",
    "burns_in_a_child": "",
}
"""By fault, lines that switch off in its worker the one check that finds it; "" where the runner makes that check."""
RUNNER_OFF = """
from benchmarks.runner import turns
from benchmarks.runner.outside import Watch
turns.clocks = turns.processors = lambda *_: None
Watch.trouble = Watch.busy_helper = lambda *_: None
"""
"""Lines that switch off all checks of the runner."""

FIRST = {
    "no_such_module": "import no_such_framework\n",
    "mistyped_import": "from impls.families.torch import CanonicalLSMT\n",
}


def write(folder: Path, name: str, first: str = "") -> Path:
    """The file of one fault; with `first` before everything else."""
    path = folder / f"{name}.py"
    body = textwrap.indent(textwrap.dedent(FAULTS[name]), "    ")
    first += FIRST.get(name, "\n")
    ending = "    return replace(right, train_step=bad, to_numpy=to_numpy)\n" if "bad" in body else "    return right\n"
    head = HEAD.replace('"numpy"', '"no_such_framework"') if name == "no_such_module" else HEAD
    if name in TORCH:
        head = head.replace("numpy_lstm as base", "torch_lstm as base\nimport torch").replace('"numpy"', '"torch"')
    path.write_text(first + head + body + ending)
    return path

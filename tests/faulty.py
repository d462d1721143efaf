"""Implementations that go wrong, written to files by tests: each is torch_lstm with one thing changed."""

from __future__ import annotations

from pathlib import Path

HEAD = '''
import ctypes, os, signal, time
from dataclasses import replace
import numpy as np
import torch
from impls import contract, torch_lstm

FRAMEWORK = "torch"
TRACK = "default"
DEVICES = ("cpu",)
DTYPES = ("float32", "float64")

def changed(call, result):
    """One result with something done to it."""
    def run(state):
        return result(call(state))
    return run

def prepare(problem, weights, device, workload):
    right = torch_lstm.prepare(problem, weights, device, workload)
'''

FAULTS = {
    "raises": "    def bad(state): raise RuntimeError('no such kernel')\n    return replace(right, train_step=bad)\n",
    "nan": "    return replace(right, train_step=changed(right.train_step, lambda r: tuple(t * float('nan') for t in r)))\n",
    "misshapen": "    return replace(right, train_step=changed(right.train_step, lambda r: (r[0][0], *r[1:])))\n",
    "wrong_formula": "    wrong = dict(weights, weight_hh_l0=weights['weight_ih_l0'][:, :problem.hidden_size])\n"
    "    return torch_lstm.prepare(problem, wrong, device, workload)\n",
    "leaks": "    kept = []\n    def bad(state):\n        while True: kept.append(np.ones(1 << 23))\n"
    "    return replace(right, train_step=bad)\n",
    "memory_error": "    def bad(state): raise MemoryError('no room')\n    return replace(right, train_step=bad)\n",
    "hangs": "    def bad(state): time.sleep(1000)\n    return replace(right, train_step=bad)\n",
    "segfaults": "    def bad(state): ctypes.string_at(0)\n    return replace(right, train_step=bad)\n",
    "exits": "    def bad(state): os._exit(7)\n    return replace(right, train_step=bad)\n",
    "killed": "    def bad(state): os.kill(os.getpid(), signal.SIGKILL)\n    return replace(right, train_step=bad)\n",
    "no_such_module": None,
    "async_work": "    import threading\n    def late(state):\n        state.thread = getattr(state, 'thread', None)\n"
    "        previous = state.thread\n"
    "        def work():\n            if previous: previous.join()\n            state.result = right.train_step(state)\n"
    "        state.thread = threading.Thread(target=work); state.thread.start()\n        return state\n"
    "    def to_numpy(mode, result):\n"
    "        if mode != 'train_step': return right.to_numpy(mode, result)\n"
    "        result.thread.join(); return right.to_numpy(mode, result.result)\n"
    "    return replace(right, train_step=late, to_numpy=to_numpy)\n",
    "late_crash": "    calls = [0]\n    def bad(state):\n        calls[0] += 1\n        if os.environ.get('LATE') and calls[0] > 3: os._exit(9)\n"
    "        return right.train_step(state)\n    return replace(right, train_step=bad)\n",
}
STATUS = {
    "raises": ("error", "RuntimeError: no such kernel"),
    "nan": ("disagrees", "is nan"),
    "misshapen": ("disagrees", "has shape"),
    "wrong_formula": ("disagrees", "output"),
    "leaks": ("out_of_memory", "the limit is"),
    "memory_error": ("out_of_memory", "no room"),
    "hangs": ("timed_out", "no answer within"),
    "segfaults": ("crashed", "SIGSEGV"),
    "exits": ("crashed", "exited with code 7"),
    "killed": ("crashed", "SIGKILL"),
    "no_such_module": ("not_installed", "no_such_framework"),
    "async_work": ("error", "returns before its work is done"),
}


def write(folder: Path, name: str) -> Path:
    """The file of one fault."""
    path = folder / f"{name}.py"
    body = FAULTS[name]
    path.write_text(HEAD + body if body is not None else "import no_such_framework\n" + HEAD + "    return right\n")
    return path

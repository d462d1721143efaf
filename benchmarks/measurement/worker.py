"""One arm's process: does what the runner asks over a socket, and nothing on its own.

Started as `python -m benchmarks.worker FD`. Each message is one line of JSON. Nothing heavy is imported before the
processors that it may use are set, since thread pools are made at import.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1

Message = dict[str, Any]


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its runner dies, however that dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that took effect
        os._exit(1)


def one_line(text: str, limit: int = 300) -> str:
    """Text on one line, cut to a length that a table cell bears."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def status_of(error: BaseException) -> Message:
    """The status and the reason of a row that failed with this exception."""
    from benchmarks.correctness.agreement import Disagrees
    from impls.core.contract import Unsupported

    text = str(error)
    if isinstance(error, Unsupported):
        return {"status": "unsupported", "reason": one_line(text)}
    if isinstance(error, Disagrees):
        return {"status": "disagrees", "reason": one_line(text)}
    starved = ("out of memory", "not enough memory", "RESOURCE_EXHAUSTED", "can't allocate memory")
    if isinstance(error, MemoryError) or any(sign in text for sign in starved):
        return {"status": "out_of_memory", "reason": one_line(f"{type(error).__name__}: {text}")}
    return {"status": "error", "reason": one_line(f"{type(error).__name__}: {text}")}


def not_installed(error: BaseException, framework: str) -> Message | None:
    """The answer where an import failed because the framework is not there; a mistyped import is another matter."""
    from benchmarks import machine

    if not isinstance(error, ImportError):
        return None
    distributions = machine.distributions(framework)
    missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in distributions
    if missing or any(machine.version(one) is None for one in distributions):
        return {"status": "not_installed", "reason": one_line(str(error))}
    return None


class Opened:
    """A benchmark that is ready to be called."""

    def __init__(self, benchmark: Any, prepared: Any, call: Any, inputs: Any) -> None:
        self.benchmark = benchmark
        self.prepared = prepared
        self.call = call
        self.inputs = inputs
        self.state = self.fresh()

    def fresh(self) -> Any:
        """A newly loaded state, ready for the mode's call."""
        state = self.prepared.load(self.inputs)
        if self.benchmark.mode == "backward":
            self.prepared.call("forward_train")(state)
        return state


class Worker:
    """The state of one arm: its module, and the benchmarks that are open."""

    def __init__(self, spec: Message) -> None:
        from benchmarks.measurement import memory
        from impls.core import contract

        keeps_freed = memory.keep_freed()
        start = time.perf_counter()
        self.spec = spec
        self.implementation = contract.read(Path(spec["path"]))
        self.module = contract.load(self.implementation)
        self.import_seconds = time.perf_counter() - start
        self.memory = memory
        gc.freeze()  # what the frameworks made stays; collecting need not look at it again
        self.base_bytes = memory.resident()
        self.keeps_freed = keeps_freed
        self.opened: dict[str, Opened] = {}

    def ready(self) -> Message:
        """What the runner is told first."""
        from threadpoolctl import threadpool_info

        from benchmarks import machine

        pools = [f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()]
        return {
            "digest": self.implementation.digest,
            "import_seconds": self.import_seconds,
            "base_bytes": self.base_bytes,
            "pools": pools,
            "keeps_freed": self.keeps_freed,
            "versions": machine.versions_of(self.implementation.framework),
        }

    def open(self, benchmark: str, seed: int, weights: str | None) -> Message:
        """Prepare, load, and call twice; the first call's seconds and the peak of memory are the answer."""
        from benchmarks.cases import Benchmark
        from impls.core import weights as canonical

        self.close(benchmark)
        what = Benchmark.parse(benchmark)
        given = canonical.read_weights(Path(weights))[1] if weights else {}
        arrays = canonical.complete(given, what.job, what.workload, seed)
        inputs = canonical.make_inputs(what.job, seed)
        self.memory.reset_peak()
        before = self.memory.resident()
        prepared = self.module.prepare(what.job, arrays, self.spec["device"], what.workload)
        opened = Opened(what, prepared, prepared.call(what.mode), inputs)
        start = time.perf_counter()
        opened.call(opened.state)
        first = time.perf_counter() - start
        opened.call(opened.state)
        self.opened[benchmark] = opened
        return {"first_call_seconds": first, "peak_bytes": max(0, self.memory.peak() - before)}

    def close(self, benchmark: str) -> Message:
        """Forget a benchmark."""
        self.opened.pop(benchmark, None)
        return {}

    def check(self, benchmark: str, expected: str) -> Message:
        """Compare with what the oracle said."""
        from benchmarks.correctness import agreement

        one = self.opened[benchmark]
        want = agreement.load_expected(Path(expected))
        what = one.benchmark
        found = agreement.check(one.prepared, what.job, what.workload, what.mode, want)
        return {"error": found.error, "tensor": found.tensor}

    def agree(self, problem: str, workload: str, seed: int, expected: str) -> Message:
        """Every mode of one problem and workload against the oracle, without timing; the largest error."""
        from benchmarks.cases import Benchmark
        from benchmarks.correctness import agreement
        from impls.core import weights as canonical
        from impls.core.contract import MODES
        from impls.core.problem import Problem

        job = Benchmark(Problem.parse(problem), workload, "forward").job
        arrays = canonical.make_weights(job, workload, seed)
        prepared = self.module.prepare(job, arrays, self.spec["device"], workload)
        want = agreement.load_expected(Path(expected))
        modes = [mode for mode in MODES if getattr(prepared, mode) is not None]
        found = [agreement.check(prepared, job, workload, mode, want) for mode in modes]
        largest = max(found, key=lambda one: one.error)
        return {"error": largest.error, "tensor": largest.tensor}

    def crosscheck(self, benchmark: str, seconds: float) -> Message:
        """Look for missing synchronisation and remembered results."""
        from benchmarks.correctness import sanity

        one = self.opened[benchmark]
        mode = one.benchmark.mode
        sanity.check_finished(one.call, one.state, lambda result: one.prepared.to_numpy(mode, result), seconds)
        sanity.check_not_remembered(one.call, one.state, one.fresh)
        return {}

    def estimate(self, benchmark: str, seconds: float) -> Message:
        """Roughly how long a call takes."""
        from benchmarks.measurement import timing

        one = self.opened[benchmark]
        return {"seconds": timing.estimate(one.call, one.state, seconds)}

    def peak(self, dtype: str) -> Message:
        """Of the floor: what the machine's matrix product reaches at best."""
        return {"flops_per_second": self.module.peak(self.spec["device"], dtype)}

    def turn(self, benchmark: str, samples: int, calls_per_sample: int) -> Message:
        """One burst of timed calls."""
        from benchmarks.measurement import timing

        one = self.opened[benchmark]
        return dict(vars(timing.turn(one.call, one.state, timing.Plan(samples, calls_per_sample))))


def serve(fd: int) -> None:
    """Answer messages until the socket closes."""
    with socket.socket(fileno=fd) as channel, channel.makefile("rw") as lines:

        def send(number: int, message: Message) -> None:
            lines.write(json.dumps({"number": number, **message}) + "\n")
            lines.flush()

        spec = json.loads(lines.readline())
        die_with_parent(spec["runner"])
        os.sched_setaffinity(0, spec["cores"])
        try:
            worker = Worker(spec)
            send(0, worker.ready())
        except Exception as error:
            send(0, not_installed(error, spec["framework"]) or status_of(error))
            return
        for line in lines:
            message = json.loads(line)
            number = message.pop("number")
            try:
                answer = getattr(worker, message.pop("op"))(**message)
            except Exception as error:
                answer = status_of(error)
            send(number, answer)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

"""What a worker holds: the implementation's module, its device, and the benchmarks that are open."""

import gc
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import ThreadpoolController

import impls.api  # the working tree's, as all of impls.core
from benchmarks.cases import Benchmark
from benchmarks.judge import agreement
from benchmarks.worker import devices
from benchmarks.worker.protocol import Ready, Start
from benchmarks.worker.timing import no_collector
from benchmarks.worker.used_files import Files
from impls.core import environments, registry
from impls.core.contract import Prepared
from impls.core.precision import current
from impls.core.problem import Problem
from impls.core.weights import Inputs, Weights, make_inputs


class OpenBenchmark:
    """A benchmark that can be called."""

    def __init__(self, benchmark: Benchmark, prepared: Prepared, inputs: Inputs) -> None:
        self.benchmark = benchmark
        self.prepared = prepared
        self.call = prepared.call(benchmark.mode)
        self.last: tuple[float, Any, float] | None = None  # of the last turn: see Compare
        self.weights: Weights | None = None  # where the gradient under dropout is compared
        self.state = self.fresh(inputs)

    def fresh(self, inputs: Inputs) -> Any:
        """Load a new state in which the mode can be called."""
        return self.prepared.start(self.benchmark.mode, inputs)

    def finish(self, result: Any) -> Any:
        """Read a result, which waits for it, and converts what may be lazy."""
        results = self.prepared.to_numpy(self.benchmark.mode, result)
        return {name: np.asarray(value, np.float64) for name, value in results.items()}


class Worker:
    """The state of the process. It imports the implementation."""

    def __init__(self, start: Start) -> None:
        devices.keep_freed()
        agreement.PRECISION = current()
        self.device = start.device
        self.files = Files(start.origin, start.shared) if start.origin else None
        impls.__path__ = [start.impls]  # a side's own files
        implementation = registry.read(Path(start.path))
        installed = msgspec.structs.replace(implementation, requires=start.requires)
        # the collector would visit the frameworks' objects again and again: a quarter of the import
        with no_collector():
            self.module = registry.load(implementation)
            self.hardware = devices.Cuda() if start.device == "cuda" else devices.Cpu()
            gc.freeze()  # they stay alive
        self.opened: dict[str, OpenBenchmark] = {}
        self.seed = 0  # of the inputs
        # the last set of inputs, with its problem, seed and number
        self.made: tuple[Any, Inputs] | None = None
        self.controller = ThreadpoolController()
        self.ready = Ready(implementation.digest, environments.versions_of(installed))

    def prepare(self, problem: Problem, weights: Weights, workload: str) -> Prepared:
        """Prepare the implementation for a problem."""
        prepared: Prepared = self.module.prepare(problem, weights, self.device, workload)
        return prepared

    def wait(self, _: Any = None) -> None:
        """Wait for everything that was submitted to the device."""
        self.hardware.drain()

    def inputs_of(self, benchmark: Benchmark, k: int) -> Inputs:
        """Return set k of a replicate's inputs. Only the last set stays: all of them would fill the memory."""
        key = benchmark.timed_problem, self.seed, k
        if self.made is None or self.made[0] != key:
            self.made = None  # before the new one is made, which can then use its memory
            self.made = key, make_inputs(benchmark.timed_problem, self.seed + k, timed=True)
        return self.made[1]

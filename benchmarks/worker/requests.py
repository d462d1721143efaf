"""What a runner can request of a worker; profiles.py has more. A new request is one class.

It says what it needs, what its answer is, and how a worker does it.
"""

import math
import warnings
from dataclasses import replace
from functools import partial
from operator import attrgetter
from time import perf_counter
from typing import Any

import msgspec

from benchmarks.cases import Benchmark
from benchmarks.judge import agreement, dropout, extremes, sanity
from benchmarks.judge.agreement import REPLICATE
from benchmarks.judge.expected import saved, weights_of
from benchmarks.worker import products, profiles, timing
from benchmarks.worker.protocol import Request
from benchmarks.worker.timing import Turn
from benchmarks.worker.used_files import Used
from benchmarks.worker.worker import OpenBenchmark, Worker
from impls.core.operations import operations
from impls.core.text import one_line
from impls.core.weights import Inputs, draw_seed, make_inputs
from impls.core.workloads import MODES, WORKLOADS


class Opened(msgspec.Struct, forbid_unknown_fields=True):
    """A benchmark can be called. What opening it took:

    first_call_seconds: of the first call.
    peak_bytes: the peak above what was used before; None where that is not known.
    compiled_before_seconds: what the first call would have compiled, had an earlier process not done it.
    free: the share of the GPU's memory that is free now; None on a CPU.
    warning: the first that Python gave meanwhile, if any. PyTorch gives most of its own once in a process.
    """

    first_call_seconds: float
    peak_bytes: int | None
    compiled_before_seconds: float = 0.0
    free: float | None = None
    warning: str | None = None


class Open(Request[Opened]):
    """Prepare a benchmark, load it, and call it twice; time the first call."""

    benchmark: str
    seed: int  # of the weights
    weights: str | None  # the path of an .npz file; None for random weights
    inputs: int  # the seed of the inputs

    def do(self, worker: Worker) -> Opened:
        worker.opened.pop(self.benchmark, None)
        worker.seed = self.inputs
        benchmark = Benchmark.parse(self.benchmark)
        problem = benchmark.timed_problem
        weights = weights_of(benchmark, self.seed, self.weights)
        # turns get the others, which are then new
        inputs = worker.inputs_of(benchmark, len(REPLICATE))
        hardware = worker.hardware
        hardware.reset_peak()
        before = hardware.used()
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            example = problem.prepared_for
            prepared = worker.prepare(example, weights, benchmark.workload)
            if example != problem:
                first = prepared.start(benchmark.mode, make_inputs(example, self.inputs))
                prepared.call(benchmark.mode)(first)
            opened = OpenBenchmark(benchmark, prepared, inputs)
            if problem.dropout:
                opened.weights = weights
            hardware.drain()  # copies to a device may go on
            start = perf_counter()
            opened.call(opened.state)
            answer = Opened(perf_counter() - start, None)
            opened.call(opened.state)
        hardware.drain()
        peak = hardware.peak()
        if worker.files:
            worker.files.check()
        worker.opened[self.benchmark] = opened
        if peak is not None:
            answer.peak_bytes = max(0, peak - before)
        if prepared.compiled_before:
            answer.compiled_before_seconds = prepared.compiled_before()
        answer.free = hardware.free()
        if raised:
            answer.warning = one_line(str(raised[0].message), 200)
        return answer


class Close(Request[None]):
    """Release a benchmark, and give its memory back."""

    benchmark: str

    def do(self, worker: Worker) -> None:
        worker.opened.pop(self.benchmark, None)
        worker.made = None
        worker.hardware.reset_peak()


class UsedFiles(Request[Used]):
    """Tell which of the user's files results may depend on: see used_files.py."""

    def do(self, worker: Worker) -> Used:
        if worker.files is None:
            return Used({}, [])
        worker.files.check()
        return worker.files.used()


class Checked(msgspec.Struct, forbid_unknown_fields=True):
    """The results agree: the largest error, the tensor that has it, and the modes that were compared.

    flushes: results below the smallest normal number are zero. That is a fact, no fault.
    """

    error: float
    tensor: str
    modes: list[str]
    flushes: bool = False


class Check(Request[Checked]):
    """Compare an open benchmark with the reference's results in the file `expected`."""

    benchmark: str
    expected: str
    # whether to compare all modes that there are, in place of the benchmark's
    every_mode: bool = False
    extreme: str = ""  # the extreme numbers on which they are compared

    def do(self, worker: Worker) -> Checked:
        opened = worker.opened[self.benchmark]
        prepared = opened.prepared
        problem = opened.benchmark.timed_problem
        workload = opened.benchmark.workload
        seed = worker.seed
        modes = [opened.benchmark.mode]
        if self.every_mode:
            modes = [mode for mode in MODES if getattr(prepared, mode)]
        want = saved(self.expected)
        if self.extreme:
            largest, flushes = extremes.check(
                prepared, self.extreme, problem.dtype, modes, want, seed
            )
            return Checked(largest.error, largest.tensor, modes, flushes)
        errors = [agreement.check(prepared, problem, workload, mode, want, seed) for mode in modes]
        if opened.weights is not None and workload == "sequence":
            prepare = partial(worker.prepare, problem.prepared_for, workload=workload)
            for mode in modes:
                if mode in ("backward", "train_step"):
                    dropout.check_gradient(prepare, problem, opened.weights, mode, seed)
        largest = max(errors, key=attrgetter("error"))
        return Checked(largest.error, largest.tensor, modes)


class Inspect(Request[float]):
    """Look for missing synchronisation and work out of place. The answer: roughly the seconds of a call."""

    benchmark: str
    estimated: float  # the seconds to spend on that estimate

    def do(self, worker: Worker) -> float:
        opened = worker.opened[self.benchmark]
        seconds = timing.estimate(opened.call, opened.state, self.estimated)
        result = opened.call(opened.state)
        _, longer = sanity.read(result, opened.finish)
        sanity.check_left(opened.call, opened.state, opened.finish, seconds, longer)
        sanity.check_reading(result, opened.finish, seconds)
        _, longer = sanity.read(opened.call(opened.state), worker.wait)
        sanity.check_left(opened.call, opened.state, worker.wait, seconds, longer, sanity.OF_DEVICE)
        CheckRemembered(self.benchmark).do(worker)
        return seconds


class Fastest(Request[float]):
    """Tell the seconds of the shortest call of an open benchmark within some time."""

    benchmark: str
    seconds: float

    def do(self, worker: Worker) -> float:
        opened = worker.opened[self.benchmark]
        shortest = math.inf
        end = perf_counter() + self.seconds
        while perf_counter() < end:
            shortest = min(shortest, timing.sample(opened.call, opened.state)[0])
        return shortest


class CheckRemembered(Request[None]):
    """See that work is done in calls, and in each of them: with an open benchmark, on inputs that nothing has seen."""

    benchmark: str

    def do(self, worker: Worker) -> None:
        opened = worker.opened[self.benchmark]
        benchmark = opened.benchmark
        prepared = opened.prepared
        mode = benchmark.mode
        if WORKLOADS[benchmark.workload].carries_state:
            return  # a repeated call goes on from a new state too, so it tells nothing

        def new_inputs() -> Inputs:  # another arm gets others, and can leave no results for them
            return make_inputs(benchmark.timed_problem, draw_seed(), timed=True)

        def fresh(mode: str = mode) -> Any:
            state = prepared.start(mode, new_inputs())
            worker.wait()  # a call would otherwise wait for the copies to the device
            return state

        # on a GPU, an honest file may record a graph where inputs are loaded
        if worker.device == "cpu":
            needed = operations(benchmark.problem, benchmark.workload, mode)
            needed_before = operations(benchmark.problem, benchmark.workload, "forward")
            parts = products.look(prepared, mode, new_inputs())
            if products.check(parts, needed, needed_before):
                return
        other = "forward" if mode in ("backward", "train_step") else "train_step"
        with_other = None
        if getattr(prepared, other):
            with_other = prepared.call(other), partial(fresh, other)
        sanity.check_not_remembered(opened.call, fresh, with_other)


class Taken(msgspec.Struct, forbid_unknown_fields=True):
    """A turn, with the fields that the worker fills in.

    first_seconds: of its first call, which is not timed.
    threads: the numbers of threads of all thread pools.
    """

    turn: Turn
    first_seconds: float
    threads: list[int]


class TakeTurn(Request[Taken]):
    """Time a turn of an open benchmark. With `read`, the result of its last call is read at once, twice.

    Before it come the plan's warm calls, so that its device is at work, and then new inputs are loaded. In this order:
    the first call of the turn is timed on inputs that it has not seen.
    """

    benchmark: str
    plan: timing.Plan
    # that set of the inputs of the replicate; None to go on with the last one
    inputs: int | None = None
    read: bool = False

    def do(self, worker: Worker) -> Taken:
        opened = worker.opened[self.benchmark]
        for _ in range(self.plan.warm):
            opened.call(opened.state)
        if self.inputs is not None:
            opened.state = None  # before the new state is made, which can then use its memory
            opened.state = opened.fresh(worker.inputs_of(opened.benchmark, self.inputs))
            worker.wait()  # copies to a device may go on
        turn, result, first_seconds = timing.turn(opened.call, opened.state, self.plan)
        if WORKLOADS[opened.benchmark.workload].timed_by_call:
            timing.summarize(turn)
        if self.read:
            _, waited = sanity.read(None, worker.wait)
            opened.last = (waited, *sanity.read(result, opened.finish))
        threads = [pool.num_threads for pool in worker.controller.lib_controllers]
        return Taken(turn, first_seconds, threads)


class Compare(Request[None]):
    """Compare the result that the last turn has read with the reference's; see whether work was left for the reading.

    With dropout, that is the result of one more call in which nothing is dropped. The turn has left by how much longer
    the first wait for its device took, its result, and by how much longer the first reading of that took.

    expected is the file with the reference's results, and prefix its SET/STEPS.
    """

    benchmark: str
    seconds: float  # of a call in that turn
    expected: str
    prefix: str

    def do(self, worker: Worker) -> None:
        opened = worker.opened[self.benchmark]
        assert opened.last is not None, "no turn has read its result"
        waited, arrays, longer = opened.last
        opened.last = None
        call, state, seconds = opened.call, opened.state, self.seconds
        workload = opened.benchmark.workload
        mode = opened.benchmark.mode
        problem = opened.benchmark.problem
        want = saved(self.expected)
        part = agreement.part_of(want, self.prefix, workload, mode)
        assert part, f"no results of the reference under {self.prefix}"
        if problem.dropout and mode != "forward":
            inputs = worker.inputs_of(opened.benchmark, int(self.prefix.partition("/")[0]))
            arrays = opened.finish(call(opened.fresh(replace(inputs, dropout=0.0))))
        where = f"{workload}/{mode}, the last timed call"
        tolerance = agreement.tolerance_of(problem.dtype, workload)
        sizes = agreement.sizes_of(want, self.prefix)
        agreement.compare(arrays, part, problem.dtype, where, tolerance, sizes)
        sanity.check_left(call, state, opened.finish, seconds, longer)
        sanity.check_left(call, state, worker.wait, seconds, waited, sanity.OF_DEVICE)


class Pipelined(msgspec.Struct, forbid_unknown_fields=True):
    """What calls without a wait take, and what the device did in a call; None where that is not known."""

    seconds: float | None
    gpu_seconds: float | None
    gpu_kernels: float | None


class Pipeline(Request[Pipelined]):
    """Time calls that do not wait, compare their last result with that of the timed mode, and trace the device.

    Both begin with the same inputs and make as many calls, so that a mode that updates parameters is compared too.
    """

    benchmark: str
    warm: int  # calls before those that are timed
    calls: int

    def do(self, worker: Worker) -> Pipelined:
        opened = worker.opened[self.benchmark]
        mode = opened.benchmark.mode
        problem = opened.benchmark.problem
        drain = worker.hardware.drain
        seconds = None
        if opened.prepared.submit is not None:
            inputs = worker.inputs_of(opened.benchmark, 0)
            opened.state = None  # its memory is used again, as in TakeTurn
            opened.state = opened.fresh(inputs)
            drain()
            submit = opened.prepared.submit(mode)
            seconds, result = timing.pipelined(submit, opened.state, self.warm, self.calls, drain)
            got = opened.finish(result)
            opened.state = result = None
            opened.state = opened.fresh(inputs)
            for _ in range(self.warm + self.calls):
                result = opened.call(opened.state)
            if not problem.dropout:
                want = opened.finish(result)
                agreement.compare(got, want, problem.dtype, f"{mode}, without its wait")

        def work() -> None:
            for _ in range(self.calls):
                opened.call(opened.state)
            drain()

        return Pipelined(seconds, *profiles.traced(work, self.calls))

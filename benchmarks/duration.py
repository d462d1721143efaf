"""How long a run or a gate takes, said before it starts: a sum over its implementations and benchmarks.

Each constant is rough. Together they were fitted to whole runs on two processors.
"""

from collections.abc import Iterable

from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.progress import Stage
from benchmarks.runner.blocks import SPACING_SECONDS
from benchmarks.words import count
from benchmarks.worker.timing import CALLS
from impls.core import registry
from impls.core.operations import operations
from impls.core.registry import Implementation
from impls.core.workloads import WORKLOADS

RUN_SECONDS = 3.0
"""To measure the peak before all else."""
START_SECONDS = 0.6
"""To start a worker, which imports its framework."""
COMPILE_SECONDS = 8.0
"""At each benchmark that trains, for each of an implementation's COMPILE_MINUTES."""
CHECK_SECONDS = 0.25
CHECK_CALLS = 20
"""To check an implementation at a benchmark, before it is timed."""
OPEN_SECONDS = 0.06
OPEN_CALLS = 3
"""To prepare an implementation for a benchmark, in each replicate."""
TURN_SECONDS = 0.009
TURN_CALLS = 1.3
"""Of a turn, besides its timed calls."""
SLOW = {"mlx_lstm": 40, "tinygrad_lstm": 20}
"""How many times as long as usual the calls of an implementation take, where that is very long."""
CALL_SECONDS = 50e-6
STEP_SECONDS = 15e-6
UNIT_SECONDS = 5e-9
"""Of a usual call, and of a time step in it, and of a hidden unit in a row of that; besides the matrix products."""
OPERATIONS = {"cpu": 1e11, "cuda": 1e13}
"""Of matrix products in a second, in a usual LSTM: with each thread, or on a GPU."""
REFERENCE_OPERATIONS = 1e10
"""The same of the reference, in float64."""
TRAINING = 3
"""How many times as long the steps of training are, backward too."""


def call_seconds(benchmark: Benchmark, device: str, threads: int) -> float:
    """Return about what a call of a usual LSTM takes."""
    problem = benchmark.problem
    work = operations(problem, benchmark.workload, benchmark.mode)
    steps = WORKLOADS[benchmark.workload].steps_of(problem.seq_len)
    of_step = STEP_SECONDS + UNIT_SECONDS * problem.batch * problem.hidden_size
    passes = 1 if benchmark.mode.startswith("forward") else TRAINING
    rate = OPERATIONS[device] * (threads if device == "cpu" else 1)
    in_steps = passes * steps * problem.num_layers * problem.directions * of_step
    return CALL_SECONDS + in_steps + work / rate


def reference_seconds(benchmarks: Iterable[Benchmark]) -> float:
    """Return about what the reference takes for two sets of inputs of each problem and workload."""
    of_one = {(each.problem, each.workload): each.timed_problem for each in benchmarks}
    work = sum(operations(problem, "sequence", "train_step") for problem in of_one.values())
    return 2 * work / REFERENCE_OPERATIONS


Pair = tuple[Implementation, Benchmark]


def pairs(options: Options, implementations: Iterable[Implementation]) -> list[Pair]:
    """Return each implementation with each benchmark of the options that it may be able to do."""
    benchmarks = [Benchmark.parse(text) for text in options.benchmarks]
    return [
        (implementation, benchmark)
        for implementation in implementations
        for benchmark in benchmarks
        if not implementation.lacks(options.device, benchmark.problem, benchmark.workload)
    ]


def pairs_of_run(options: Options) -> list[Pair]:
    """Return the pairs of a run, whose options name its implementations."""
    return pairs(options, map(registry.resolve, options.implementations))


def parts(options: Options, able: Iterable[Pair], sides: int = 1) -> tuple[float, float]:
    """Return about how long the admission of a session takes, and about how long each replicate.

    Args:
        options: with nothing left open.
        able: what is measured.
        sides: how many versions there are of each implementation.
    """
    able = list(able)
    reference = reference_seconds(benchmark for _, benchmark in able)
    admission = 0.0
    replicate = START_SECONDS * len({implementation.name for implementation, _ in able})
    turns = 0.0
    for implementation, benchmark in able:
        call = 0.0  # of the peak
        if implementation.is_lstm:
            usual = call_seconds(benchmark, options.device, options.threads)
            call = usual * SLOW.get(implementation.name, 1)
        admission += CHECK_SECONDS + CHECK_CALLS * call
        if benchmark.mode != "forward":
            admission += COMPILE_SECONDS * implementation.compile_minutes
        timed = CALLS if WORKLOADS[benchmark.workload].timed_by_call else 1
        turn = TURN_SECONDS + TURN_CALLS * call + max(options.turn_seconds, timed * call)
        replicate += OPEN_SECONDS + OPEN_CALLS * call
        turns += 2 * options.blocks * turn
    waited = max(sides * turns, options.blocks * SPACING_SECONDS)
    return RUN_SECONDS + reference + sides * admission, reference + sides * replicate + waited


def seconds(options: Options, replicates: int, admitted: bool = False) -> float:
    """Return about how long the rest of a run takes.

    Args:
        options: with nothing left open.
        replicates: how many are left.
        admitted: whether its implementations have been checked before.
    """
    admission, replicate = parts(options, pairs_of_run(options))
    return replicates * replicate + (0.0 if admitted else admission)


def stages(options: Options) -> dict[Stage, float]:
    """Return the share of a whole run's time that each of its stages takes."""
    checking = seconds(options, 0) / seconds(options, options.replicates)
    return {Stage.CHECKING: checking, Stage.REPLICATE: 1 - checking}


def words(options: Options, left: float) -> str:
    """Return such as `measuring 4 problems × 12 implementations; it takes about 12 minutes`, of the seconds left."""
    able = pairs_of_run(options)
    return f"measuring {_what(able)}; it takes about {rounded(left)}"


def words_of_gate(options: Options, implementations: Iterable[Implementation], fewest: int) -> str:
    """Return such as `comparing 1 problem × 6 implementations; it takes about 3 minutes or more, at most 28`.

    Args:
        options: with nothing left open; its replicates are the most.
        implementations: those that both sides have.
        fewest: replicates of a gate that finds nothing.
    """
    able = pairs(options, implementations)
    admission, replicate = parts(options, able, sides=2)
    least = rounded(admission + fewest * replicate)
    most = rounded(admission + options.replicates * replicate)
    return f"comparing {_what(able)}; it takes about {least} or more, at most about {most}"


def _what(able: Iterable[Pair]) -> str:
    """Return such as `4 problems × 12 implementations`."""
    problems = {benchmark.problem for _, benchmark in able}
    names = {implementation.name for implementation, _ in able if implementation.is_lstm}
    return f"{count(len(problems), 'problem')} × {count(len(names), 'implementation')}"


def rounded(seconds: float) -> str:
    """Return seconds, minutes or hours in words, with no more digits than a prediction has."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 2 * 3600:
        return count(round(seconds / 60), "minute")
    return count(round(seconds / 3600), "hour")

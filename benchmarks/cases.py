"""What is measured: benchmarks, and presets of many benchmarks, with the sources of their problems."""

from __future__ import annotations

from dataclasses import dataclass

from impls.core.contract import MODES
from impls.core.problem import Problem


@dataclass(frozen=True)
class Benchmark:
    """A problem, workload and mode: what all arms do in the same turns.

    extreme: the extreme numbers (see worker/extremes.py) that `agree` compares it on; empty in what is timed.
    """

    problem: Problem
    workload: str
    mode: str
    extreme: str = ""

    @property
    def id(self) -> str:
        """The id, such as `t64-b16-i128-h128/sequence/forward`."""
        return "/".join(filter(None, (self.problem.id, self.workload, self.mode, self.extreme)))

    @property
    def timed_problem(self) -> Problem:
        """The problem whose arrays are loaded: for `cell`, a single time step of the problem."""
        return self.problem.replace(seq_len=1) if self.workload == "cell" else self.problem

    @classmethod
    def parse(cls, text: str) -> Benchmark:
        """Read an id back."""
        problem, workload, mode, *extreme = text.split("/")
        return cls(Problem.parse(problem), workload, mode, *extreme)


@dataclass(frozen=True)
class Preset:
    """Which benchmarks are measured, and how: replicates of fresh processes, blocks in each, seconds of a turn.

    `implementations` are those that run where none is named; empty means the default ones.
    """

    problems: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    replicates: int
    blocks: int
    turn_seconds: float
    implementations: tuple[str, ...] = ()


SEQUENCE = tuple(("sequence", mode) for mode in MODES)
TRAINED = (("sequence", "forward"), ("sequence", "train_step"))

# t64-b16-i128-h128  the shape of a small speech or text model; the suite's own reference problem
# t64-b1-i128-h128   the same with a batch of 1: latency, which shows the framework's overhead
# t32-b64-i256-h512  similar to DeepBench's LSTM of hidden 512, batch 64 (baidu-research/DeepBench, rnn_problems.h)
# t25-b16-i512-h512  from DeepBench's list of LSTMs: hidden 512, batch 16, 25 steps
# t28-b64-i28-h128   the rows of an MNIST image as a sequence, as in many tutorials
QUICK = ("t64-b16-i128-h128", "t64-b1-i128-h128")

# The shapes that others have published, each with the file that has them.
# fastrnns   pytorch/pytorch, benchmarks/fastrnns/bench.py: the defaults of trainbench
# stefbraun  stefbraun/rnn_benchmarks, results/10/framework_comparison/readme.md: 1x320/CE-short and 1x320/CE-long
#            (Braun, "LSTM Benchmarks for Deep Learning Frameworks", arXiv 1806.01818); and the 25 rows of
#            results/results_980ti.csv
# deepbench  baidu-research/DeepBench, code/kernels/rnn_problems.h: hidden units, batch and steps of every LSTM of
#            training_set and inference_server_set with up to 1024 units; input_size is hidden_size
STEFBRAUN = ("t100-b64-i123-h320", "t1000-b32-i123-h320", "t1000-b25-i123-h320")
DEEPBENCH_TRAINING = (
    *(f"t25-b{batch}-i{hidden}-h{hidden}" for hidden in (512, 1024) for batch in (16, 32, 64, 128)),
    *(f"t150-b{batch}-i256-h256" for batch in (16, 32, 64)),
)
DEEPBENCH_INFERENCE = (
    *(f"t25-b{batch}-i{hidden}-h{hidden}" for hidden in (512, 1024) for batch in (1, 2, 4)),
    *(f"t150-b{batch}-i256-h256" for batch in (1, 2, 4)),
)


COMPARED_ELSEWHERE = (
    "torch_lstm",
    "torch_lstm_native",
    "torch_lstmcell",
    "torch_cell",
    "torch_script",
    "torch_cpp",
    "jax_scan",
    "jax_scan_vjp",
)


def _trained(
    problems: tuple[str, ...], implementations: tuple[str, ...], replicates: int, turn_seconds: float = 0.03
) -> Preset:
    """Return a preset of inference and a training step of `sequence`."""
    return Preset(problems, TRAINED, replicates, 3, turn_seconds, implementations)


FEWEST = ("torch_lstm", "torch_cell", "torch_cpp", "jax_scan", "jax_scan_vjp")
"""The fewest that tell the story, where there are many problems."""

GROWTH = (
    *(f"t64-b{batch}-i128-h128" for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    *(f"t{steps}-b16-i128-h128" for steps in (8, 16, 32, 128, 256, 512)),
    *(f"t64-b16-i128-h{hidden}" for hidden in (32, 64, 256, 512, 1024)),
)
"""The reference problem with a single size changed: batch, sequence length or hidden size."""

PRESETS = {
    "quick": Preset(QUICK, (*SEQUENCE, ("model", "train_step")), replicates=4, blocks=3, turn_seconds=0.015),
    "full": Preset(
        (*QUICK, "t32-b64-i256-h512", "t28-b64-i28-h128"),
        (*SEQUENCE, ("model", "forward"), ("model", "train_step"), ("cell", "forward"), ("cell", "train_step")),
        replicates=5,
        blocks=3,
        turn_seconds=0.03,
    ),
    "fastrnns": _trained(("t100-b64-i512-h512",), COMPARED_ELSEWHERE, replicates=4),
    "stefbraun": _trained(STEFBRAUN, COMPARED_ELSEWHERE, replicates=4),
    "deepbench": _trained(DEEPBENCH_TRAINING + DEEPBENCH_INFERENCE, FEWEST, replicates=4),
    "packed": _trained(  # the same batch with and without lengths, by T, as in pytorch/pytorch#149194
        tuple(f"t{steps}-b32-i64-h64{lengths}" for steps in (10, 50, 100, 500, 1000) for lengths in ("", "-var")),
        implementations=("torch_lstm", "torch_cell", "keras_jax", "jax_scan"),
        replicates=5,
    ),
    "growth": _trained(GROWTH, FEWEST, replicates=5, turn_seconds=0.02),
}

AGREE_PROBLEMS = (
    "t1-b1-i1-h1",
    "t1-b3-i5-h4",
    "t5-b1-i4-h6",
    "t7-b3-i1-h5",
    "t6-b2-i3-h1",
    "t5-b4-i8-h8",
    "t13-b7-i17-h11",
    "t9-b3-i5-h7-l2",
    "t9-b3-i5-h7-nobias",
    "t5-b2-i3-h4-l2-bi-nobias",
    "t6-b2-i3-h4-bi",
    "t7-b4-i3-h6-var",
    "t9-b5-i5-h7-l2-bi-var",
    "t13-b3-i4-h6-nobias-var",
    "t64-b16-i128-h128-var",
    "t64-b16-i128-h128",
)
"""T = 1, B = 1, I = 1, H = 1, I = H, odd sizes, layers, directions, no bias, lengths, and a problem of real size."""

AGREE_CELL_PROBLEMS = ("t13-b7-i17-h11", "t9-b3-i5-h7-l2", "t9-b3-i5-h7-nobias", "t6-b2-i3-h4-bi")
"""Those of AGREE_PROBLEMS that `cell` is checked on too: a step is the same work whatever T is."""

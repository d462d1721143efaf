"""What is measured: benchmarks, and presets of many benchmarks, with the sources of their problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impls.core.problem import Problem
from impls.core.workloads import MODES_OF, WORKLOADS


@dataclass(frozen=True)
class Benchmark:
    """A problem, workload and mode: what all arms do in the same turns.

    extreme: the extreme numbers (see judge/extremes.py) that `agree` compares it on; empty in what is timed.
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
        """The problem whose arrays are loaded: without time steps that no call computes."""
        workload = WORKLOADS[self.workload]
        if workload.carries_state:
            return self.problem
        return self.problem.replace(seq_len=workload.steps_of(self.problem.seq_len))

    @property
    def changes_state(self) -> bool:
        """Whether each call changes the state, so that a result depends on how many calls were made before."""
        return WORKLOADS[self.workload].changes_state(self.mode)

    @classmethod
    def parse(cls, text: str) -> Benchmark:
        """Read an id back."""
        problem, workload, mode, *extreme = text.split("/")
        return cls(Problem.parse(problem), workload, mode, *extreme)


@dataclass(frozen=True)
class Preset:
    """Which benchmarks are measured, and how often: replicates of fresh processes, and blocks in each.

    `implementations` run where none is named, as --impl takes them; empty means the default ones.
    """

    problems: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    implementations: tuple[str, ...] = ()
    replicates: int = 4
    blocks: int = 4


def pairs_of(workloads: Sequence[str], modes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of workload and mode: by default of a sequence, and all modes of a workload."""
    pairs: list[tuple[str, str]] = []
    for workload in workloads or ("sequence",):
        pairs += [(workload, mode) for mode in modes or MODES_OF[workload]]
    return tuple(pairs)


TIMED = tuple(("sequence", mode) for mode in ("forward", "backward", "train_step"))
"""Inference, a backward pass, and a training step."""
TRAINED = (("sequence", "forward"), ("sequence", "train_step"))

# t64-b16-i128-h128  the shape of a small speech or text model; the suite's own reference problem
# t64-b1-i128-h128   the same with a batch of 1: latency, which shows the framework's overhead
# t32-b64-i256-h512  similar to DeepBench's LSTM of hidden 512, batch 64 (baidu-research/DeepBench, rnn_problems.h)
# t28-b64-i28-h128   the rows of an MNIST image as a sequence, as in many tutorials
QUICK = ("t64-b16-i128-h128", "t64-b1-i128-h128")

PUBLISHED = (*QUICK, "t32-b64-i256-h512", "t28-b64-i28-h128")

STREAMED = ("t64-b1-i32-h32", "t64-b1-i128-h128", "t64-b4-i128-h128", "t64-b32-i128-h128")
"""One step a call that goes on from the state, as audio and trading use an LSTM."""
OF_STREAMS = (
    "torch_lstm", "torch_lstm_compiled", "torch_lstmcell", "torch_cell", "torch_cpp", "jax_scan", "jax_ffi", "flax_nnx",
    "numpy_lstm",
)  # fmt: skip

OPTIONS = (
    "", "-l2", "-l2-drop", "-bi", "-nobias", "-p64", "-var", "-even", "-first", "-resets",
    "-float64", "-bfloat16", "-float16", "-autocast", "-int8",
)  # fmt: skip
CLIFFS = tuple(f"t64-b16-i128-h128{option}" for option in OPTIONS)
"""One shape with each option of an LSTM: which of them throws it off its fast path?"""
WITH_OPTIONS = (
    "torch_lstm", "torch_cell", "torch_cpp", "jax_ffi", "jax_scan", "jax_scan_vjp", "flax_nnx",
)  # fmt: skip

BATCHES = (1, 4, 16, 64, 256)
HIDDEN_SIZES = (16, 64, 256, 1024)
LARGEST = (256, 1024)
"""The batch and the hidden size that the map leaves out: alone they would take longer than all others."""
MAP = (
    *(
        f"t64-b{batch}-i{hidden}-h{hidden}"
        for hidden in HIDDEN_SIZES
        for batch in BATCHES
        if (batch, hidden) != LARGEST
    ),
    *(f"t{steps}-b16-i128-h128" for steps in (1, 8, 64, 512)),
)
"""Every batch with every hidden size, and a line over the steps: which LSTM is fastest where?"""
UNSEEN = (
    "t63-b22-i464-h61", "t30-b47-i121-h71", "t43-b6-i32-h221", "t329-b46-i224-h65", "t49-b2-i331-h55",
    "t105-b68-i218-h34", "t155-b4-i87-h28", "t10-b8-i17-h79", "t275-b254-i93-h25", "t34-b1-i40-h212",
)  # fmt: skip
"""Shapes inside the map at which its advice is tried.

Drawn once at random, each size evenly in doublings: 8 to 512 steps, batch 1 to 256, input and hidden size 16 to 1,024.
One with more work than a tenth of the map's largest was drawn anew.
"""
OF_MAP = ("torch_lstm", "torch_cpp", "jax_ffi", "jax_scan", "onnxruntime_lstm", "openvino_lstm")
"""Those that were clearly the fastest somewhere in a first coarse scan of twelve, and JAX's plain loop."""

IMDB = "t500-b256-i32-h100"
"""IMDB's reviews as pytorch/pytorch#94457 trains on them, in jd2151171/pytorch_question, isolated_lstm_run_test.py.

review_length 500, batch_size 256, embedding_size 32, hidden_size 100, Adam. Its words are embedded here already, and a
linear layer has ten outputs in place of one.
"""
TRAINED_BY = (
    "torch_lstm",
    "torch_lstm_native",
    "torch_cell",
    "torch_cpp",
    "jax_scan",
    "jax_scan_vjp",
    "flax_nnx",
)

SMALL = "t63-b1-i24-h32-bi"
"""The shape of oneDNN#837."""
FLOAT32 = "t32-b32-i4-h64-l3"
FLOAT64 = f"{FLOAT32}-float64"
"""The shape of pytorch/pytorch#65597."""
LONG = "t1000-b32-i64-h64"
"""A sequence as long as in pytorch/pytorch#149194."""
ASKED = (IMDB, SMALL, FLOAT32, FLOAT64, LONG, f"{LONG}-var")
ASKED_OF = (
    "torch_lstm", "torch_lstm_native", "torch_cpp", "jax_scan",
    "keras_tensorflow", "keras_jax", "keras_torch",
)  # fmt: skip
COMPILED = (*(f"t{steps}-b16-i64-h64" for steps in (16, 32, 64, 128)), "t32-b16-i64-h64-l2")
"""What torch.compile takes, by steps and layers: pytorch/pytorch#97155, #185135."""

PERSISTENT = ("t64-b16-i128-h129", "t64-b16-i128-h192", "t64-b16-i128-h193")
"""Beside a hidden size of 128, the limits up to which nn.LSTM takes cuDNN's persistent kernels, and one above.

They are 128 in the backward pass and 192 in the forward: use_rnn_persist_small_h in PyTorch's cudnn/RNN.cpp.
"""
ON_A_GPU = (
    "torch_lstm", "torch_lstm_graphed", "torch_cell", "torch_cell_graphed", "torch_triton", "jax_scan", "jax_cudnn",
)  # fmt: skip
"""What a first hour on a card is about: torch.compile alone may take it all."""

OF_JAX = [
    "jax_scan@jax==0.4.31",
    *(f"{name}@jax==0.{k}.*" for name in ("jax_scan", "flax_nnx") for k in range(6, 13)),
]
OF_TORCH = [
    *(f"torch_lstm@torch==2.{k}.*" for k in range(9, 16)),
    # in older releases it fails, or gives states of a wrong shape
    *(f"torch_lstm_compiled@torch==2.{k}.*" for k in range(13, 16)),
]
"""Releases of a package, which are compared with each other, beside the present nn.LSTM."""


PRESETS = {
    "quick": Preset(QUICK, TIMED, replicates=3, blocks=6),
    # what the README, the site and docs/results.md show: in two runs, since other environments take as long again
    "published": Preset(PUBLISHED, TRAINED, ("common",)),
    "published-others": Preset(PUBLISHED, TRAINED, ("torch_lstm", "others")),
    "releases-jax": Preset(QUICK, TRAINED, ("torch_lstm", *OF_JAX), replicates=6),
    "releases-torch": Preset(QUICK, TRAINED, ("torch_lstm", *OF_TORCH), replicates=6),
    "cliffs": Preset(CLIFFS, TRAINED, WITH_OPTIONS),
    # what people asked in issue trackers: docs/results.md has the answers
    "questions": Preset(ASKED, TRAINED, ASKED_OF),
    "compile": Preset(
        COMPILED, TRAINED, ("torch_lstm", "torch_lstm_compiled", "jax_scan"), blocks=2
    ),
    # p99 and the largest of 1,000 calls: in a replicate 8 turns, in all 40
    "stream": Preset(STREAMED, (("stream", "forward"),), OF_STREAMS, replicates=5),
    "map": Preset(MAP, TRAINED, OF_MAP, blocks=3),
    "unseen": Preset(UNSEEN, TRAINED, OF_MAP),
    "gpu": Preset((*QUICK, *PERSISTENT, "t32-b64-i256-h512"), TRAINED, ON_A_GPU),
    "imdb": Preset((IMDB,), (("train", "train_step"),), TRAINED_BY),
}

GATED = ("torch_cell", "torch_cell_autograd", "torch_lstm", "jax_scan", "jax_scan_vjp", "flax_nnx")
"""The implementations that are compared by default: eager loops, a hand-written backward, a fused kernel, scans."""
GATED_PROBLEM = "t64-b16-i128-h128"
GATED_MODES = ("forward", "train_step")
"""What a gate compares where nothing is named."""

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
    "t7-b4-i3-h6-even",
    "t9-b3-i5-h7-l2-bi-p3",
    "t7-b4-i3-h6-first",
    "t9-b3-i5-h7-l2-drop",
    "t9-b5-i5-h7-l2-resets",
    "t64-b16-i128-h128-var",
    "t64-b16-i128-h128",
)
"""T = 1, B = 1, I = 1, H = 1, I = H, odd sizes, layers, directions, no bias, each variant, and a real size."""

AGREE_OPTIONS = tuple(
    f"t4-b3-i5-h7{option}"
    for option in (
        "", "-l2", "-bi", "-nobias", "-p3", "-var", "-first", "-l2-drop", "-anybatch", "-anylength",
    )
)  # fmt: skip
"""One small shape with each option of an LSTM. In other dtypes than float32, the first of them alone is compared.

Few steps: torch.compile unrolls them.
"""

AGREE_PART_PROBLEMS = ("t13-b7-i17-h11", "t9-b3-i5-h7-l2", "t9-b3-i5-h7-nobias", "t6-b2-i3-h4-bi")
"""Those of AGREE_PROBLEMS that `cell` and `train` are checked on too, and `stream` but for the last: most of their work
is that of `sequence`."""

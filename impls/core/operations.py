"""How many operations the matrix products of an LSTM take, and how many a call of the peak does."""

from impls.core.problem import Problem
from impls.core.weights import layers, lengths
from impls.core.workloads import WORKLOADS

PEAK_MULTIPLY_ADDS = 15 * 2**21
"""What each thread does in a call of the peak. Every processor's number in a step divides it. It takes 0.2 ms or more:
much longer than threads need to meet."""


def operations(problem: Problem, workload: str, mode: str) -> int:
    """Return the floating-point operations of the matrix products that every LSTM does for that benchmark.

    A product of (m, k) and (k, n) counts 2·m·k·n. Forward: x @ W_ih.T and h @ W_hh.T of each step, and h @ W_hr.T where
    h is projected. Backward: two products for each of those. MODELS need no gradient of x. Of rows with
    different lengths, only their own steps count.
    """
    kind = WORKLOADS[workload]
    steps = kind.steps_of(problem.seq_len)
    rows = steps * problem.batch
    if problem.lengths and steps > 1:
        rows = int(lengths(problem).sum())
    units = 2 * rows * problem.hidden_size
    forward = 0
    of_x = 0
    for layer, _, width in layers(problem):
        forward += units * (4 * (width + problem.state_size) + problem.proj_size)
        if layer == 0:
            of_x += units * 4 * width
    backward = 2 * forward - (of_x if kind.is_model else 0)
    return {
        "forward": forward,
        "forward_train": forward,
        "backward": backward,
        "train_step": forward + backward,
    }[mode]


def peak_side(dtype: str) -> int:
    """Return n of the (n, n) matrices that the peak multiplies on a GPU. Many GPUs are slow in float64."""
    return 2048 if dtype == "float64" else 4096


def peak_operations(device: str, dtype: str, threads: int) -> int:
    """Return the floating-point operations of a call of the peak, which are the same for every benchmark."""
    return 2 * peak_side(dtype) ** 3 if device == "cuda" else 2 * threads * PEAK_MULTIPLY_ADDS

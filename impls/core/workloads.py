"""Workloads: what a call does with an LSTM. Ids, records, options and implementations go by the name of a workload."""

from dataclasses import dataclass

from impls.core.problem import DTYPES

MODES = ("forward", "forward_train", "backward", "train_step")


@dataclass(frozen=True)
class Workload:
    """What a call does, whatever its mode. A new workload is one more value of this type.

    modes: the modes that there are.
    usual: an implementation that sets no WORKLOADS has it.
    agreed_everywhere: `agree` compares it on each of its problems. Most of the work of the others is a sequence's, so
        they are compared on some of them.
    is_model: a linear layer and a loss follow the LSTM, and train_step updates every parameter.
    clipped_adam: that update is Adam's, with clipped gradients. Without, it is plain SGD's.
    steps: a call computes so many time steps at most; None for the whole sequence.
    carries_state: each call takes the next part of x, and goes on from the h and c that the call before left.
    timed_by_call: each call is timed by itself. The peak beside it has a single thread.
    compared_after: the numbers of calls on the same state after which a result is compared, for the modes whose calls
        change the state.
    least_tolerance: results may differ by so much in any dtype.
    dtypes: the dtypes in which it is right.
    in_tf32: whether it can be compared in TF32.
    excludes: the fields of a problem that it cannot have.
    """

    modes: tuple[str, ...] = MODES
    usual: bool = False
    agreed_everywhere: bool = False
    is_model: bool = False
    clipped_adam: bool = False
    steps: int | None = None
    carries_state: bool = False
    timed_by_call: bool = False
    compared_after: tuple[int, ...] = ()
    least_tolerance: float = 0.0
    dtypes: tuple[str, ...] = DTYPES
    in_tf32: bool = True
    excludes: tuple[str, ...] = ()

    def steps_of(self, seq_len: int) -> int:
        """Return how many time steps of a sequence a call computes."""
        return min(self.steps or seq_len, seq_len)

    def changes_state(self, mode: str) -> bool:
        """Whether each call changes the state, so that a result depends on how many calls were made before."""
        return self.carries_state or (self.is_model and mode == "train_step")


VARYING = ("any_batch", "any_length")
"""The fields by which a call has other sizes than what was prepared: a sequence's alone."""
WORKLOADS = {
    "cell": Workload(usual=True, steps=1, excludes=VARYING),
    "sequence": Workload(usual=True, agreed_everywhere=True),
    "model": Workload(
        usual=True,
        agreed_everywhere=True,
        is_model=True,
        compared_after=(1, 3),
        excludes=VARYING,
    ),
    "train": Workload(
        modes=("train_step",),
        is_model=True,
        clipped_adam=True,
        compared_after=(1, 3),
        least_tolerance=1e-6,  # PyTorch adds it to the norm by which it clips; Optax adds nothing
        dtypes=("float32", "float64"),  # in half precision, a parameter cannot change by so little
        in_tf32=False,  # with its tolerance, a wrong optimizer would pass
        excludes=VARYING,
    ),
    "stream": Workload(
        modes=("forward",),
        steps=1,
        carries_state=True,
        timed_by_call=True,
        compared_after=(1, 3, 1003),  # so a state that is lost at least every 1,000 calls shows
        excludes=("bidirectional", "lengths", "batch_first", "resets", *VARYING),
    ),
}

MODELS = tuple(name for name, workload in WORKLOADS.items() if workload.is_model)
"""The workloads whose LSTM is followed by a linear layer and a loss."""
MODES_OF = {name: workload.modes for name, workload in WORKLOADS.items()}

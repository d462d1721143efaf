"""The messages between the runner and a worker: requests and answers, each a type. Anything else is refused.

A message is one line of JSON: a number, and a request or its answer. An answer carries the number of its request.
"""

from __future__ import annotations

from typing import Any

import msgspec

from benchmarks.worker.timing import Turn


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line that a worker reads: the implementation, device and processors, and the runner."""

    path: str
    device: str
    cores: tuple[int, ...]
    runner: int  # its process id


class Request(msgspec.Struct, forbid_unknown_fields=True, tag_field="request"):
    """A request to a worker."""


class Open(Request, tag="open"):
    """Prepare a benchmark, load it, and call it twice."""

    benchmark: str
    seed: int  # of the weights
    weights: str | None  # the path of an .npz file; None for random weights
    inputs: int  # the seed of the inputs


class Close(Request, tag="close"):
    """Close a benchmark."""

    benchmark: str


class Check(Request, tag="check"):
    """Compare an open benchmark with the reference's results in the file `expected`."""

    benchmark: str
    inputs: int  # the seed of the inputs
    expected: str


class CheckProblem(Request, tag="check_problem"):
    """Compare every mode of a problem and workload with the reference's results, without timing."""

    problem: str
    workload: str
    seed: int  # of the weights
    inputs: int  # of the inputs
    expected: str


class CheckExtremes(Request, tag="check_extremes"):
    """Compare every mode on each extreme of worker/extremes.py with the reference's results, without timing."""

    dtype: str
    seed: int  # of the weights
    inputs: int  # of the inputs
    expected: str


class Inspect(Request, tag="inspect"):
    """Look for missing synchronisation and remembered results in an open benchmark."""

    benchmark: str
    seconds: float  # roughly, of a call


class Estimate(Request, tag="estimate"):
    """Measure roughly how long a call of an open benchmark takes."""

    benchmark: str
    seconds: float  # to spend on this


class MeasurePeak(Request, tag="measure_peak"):
    """Measure the machine's peak in a dtype. Only the floor can."""

    dtype: str


class Load(Request, tag="load"):
    """Load new inputs into an open benchmark: that set of the inputs of the replicate."""

    benchmark: str
    inputs: int


class Warm(Request, tag="warm"):
    """Call an open benchmark so many times, untimed."""

    benchmark: str
    calls: int


class TakeTurn(Request, tag="take_turn"):
    """Time a turn of an open benchmark. With `read`, the result of its last call is read at once, twice."""

    benchmark: str
    samples: int
    calls_per_sample: int
    read: bool
    cold: bool = False  # whether the device's cache is emptied before each call


class Compare(Request, tag="compare"):
    """Compare the result that the last turn has read with the reference's; see whether work was left for the reading.

    expected is the file with the reference's results, and prefix its SET/STEPS.
    """

    benchmark: str
    seconds: float  # of a call in that turn
    expected: str
    prefix: str


class Pipeline(Request, tag="pipeline"):
    """Make calls of an open benchmark that do not wait for the device, and wait once; trace what the device does."""

    benchmark: str
    warm: int  # calls before those that are timed
    calls: int


class NameKernel(Request, tag="name_kernel"):
    """Find out which kernel does an open benchmark."""

    benchmark: str


class Profile(Request, tag="profile"):
    """Profile calls of an open benchmark: by operator, and then as many by Python function."""

    benchmark: str
    calls: int


class ExplainOpening(Request, tag="explain_opening"):
    """Open a benchmark as Open does, in a process that has opened none, and tell what each step takes."""

    benchmark: str
    seed: int
    weights: str | None
    inputs: int


class Answer(msgspec.Struct, forbid_unknown_fields=True, tag_field="answer"):
    """An answer of a worker."""


class Ready(Answer, tag="ready"):
    """The implementation has been imported."""

    digest: str
    import_seconds: float
    base_bytes: int
    pools: list[str]
    keeps_freed: bool
    versions: str


class Opened(Answer, tag="opened"):
    """A benchmark can be called."""

    first_call_seconds: float
    peak_bytes: int | None  # the peak above what was used before, where it is known
    compiled_before_seconds: float = 0.0  # what the first call would have compiled, had an earlier process not done it


class OpeningExplained(Answer, tag="opening_explained"):
    """What opening a benchmark takes.

    first_call_seconds, first_call_cpu_seconds: of the first call under a profiler, all threads together.
    functions: the own seconds of the first call, by Python function.
    peaks: by step, in their order, the bytes by which it raises the peak. Empty where that is not known.
    """

    first_call_seconds: float
    first_call_cpu_seconds: float
    functions: dict[str, float]
    peaks: dict[str, float]


class Done(Answer, tag="done"):
    """The request has been done, and has no result."""


class Checked(Answer, tag="checked"):
    """The results agree: the largest error, the tensor that has it, and the modes that were compared."""

    error: float
    tensor: str
    modes: tuple[str, ...] = ()


class Found(msgspec.Struct, forbid_unknown_fields=True):
    """What an implementation makes of an extreme: its largest error, or the reason why it disagrees.

    It flushes where results below the smallest normal number are zero. That is a fact, no fault.
    """

    error: float = 0.0
    flushes: bool = False
    reason: str = ""


class ExtremesChecked(Answer, tag="extremes_checked"):
    """What the implementation makes of each extreme, by the name of the extreme."""

    found: dict[str, Found]


class Estimated(Answer, tag="estimated"):
    """Roughly how long a call takes."""

    seconds: float


class Peak(Answer, tag="peak"):
    """The machine's peak: by library, the best rate in operations per second, and which instructions it takes."""

    rates: dict[str, float]
    dispatch: dict[str, str]


class Taken(Answer, tag="taken"):
    """A turn, with the fields that the worker fills in, and the numbers of threads of all thread pools."""

    turn: Turn
    threads: list[int]


class Profiled(Answer, tag="profiled"):
    """The seconds per call by operator and by Python function, without what is called from there."""

    operators: dict[str, float]
    functions: dict[str, float]


class Pipelined(Answer, tag="pipelined"):
    """What calls without a wait take, and what the device did in a call; None where that is not known."""

    seconds: float | None
    gpu_seconds: float | None
    gpu_kernels: float | None


class KernelNamed(Answer, tag="kernel_named"):
    """Which kernel does a benchmark, in words; None where its framework does not tell."""

    kernel: str | None


class Failed(Answer, tag="failed"):
    """The request could not be done: the status of the row, and the reason. After some failures nothing works."""

    status: str
    reason: str
    ends: bool = False  # the process is of no more use


AnyRequest = (
    Open
    | Close
    | Check
    | CheckProblem
    | CheckExtremes
    | Inspect
    | Estimate
    | MeasurePeak
    | Load
    | Warm
    | TakeTurn
    | Compare
    | Pipeline
    | NameKernel
    | ExplainOpening
    | Profile
)
AnyAnswer = (
    Ready
    | Opened
    | OpeningExplained
    | Done
    | Checked
    | ExtremesChecked
    | Estimated
    | Peak
    | Taken
    | Pipelined
    | KernelNamed
    | Profiled
    | Failed
)


REFUSED = -1
"""The number of an answer to a line that is no request."""


class NumberedRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request and its number."""

    number: int
    content: AnyRequest


class NumberedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """An answer and the number of its request; 0 is the number of Start."""

    number: int
    content: AnyAnswer


def line(message: Any) -> bytes:
    """Return a message as a line of JSON."""
    return msgspec.json.encode(message) + b"\n"

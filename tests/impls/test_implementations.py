"""Implementations against the reference and against LSTMs that nobody here wrote. `nox -s agree` has many problems."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from benchmarks.cases import Benchmark
from benchmarks.judge import agreement
from benchmarks.worker.evaluation import compute
from impls import jax_scan_vjp_sharded, torch_cell_compiled
from impls.core import reference, registry
from impls.core.case_files import Case
from impls.core.contract import Unsupported
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights
from impls.core.workloads import MODES, MODES_OF
from impls.families import jax as jax_family
from impls.families.torch import FlatLSTM, prepare_module
from tests.helpers.evaluating import evaluated
from tests.helpers.judges import given, torch_judge

NIGHTLY = {"torch_cell_compiled", "torch_lstm_compiled", "torch_lstm_dynamic", "torch_scan"}
"""What torch.compile compiles, which takes seconds. It has one layer and one direction here."""
LIKE_ANOTHER = {"flax_linen", "jax_scan_hoisted"}
"""What XLA compiles for seconds, and is like flax_nnx or jax_scan. Each quick run checks it too."""


def marked(name):
    """A parameter with its marker: what XLA or a compiler of C++ compiles is no plain test."""
    is_compiled = name == "torch_cpp" or registry.resolve(name).framework in ("jax", "flax")
    kind = "nightly" if name in NIGHTLY | LIKE_ANOTHER else "process" if is_compiled else ""
    return pytest.param(name, marks=getattr(pytest.mark, kind) if kind else ())


NAMES = [
    marked(implementation.name)
    for implementation in registry.catalogue().values()
    if implementation.is_lstm and "cpu" in implementation.devices and not implementation.requires
    if not implementation.is_exported
]
"""What runs in this environment. An implementation with REQUIRES has one of its own, in which `agree` checks it.

What is exported is another form of one of these, of which `agree --options` makes tables.
"""


@pytest.fixture(autouse=True)
def one_thread():
    """PyTorch's threads wait for each other, which takes long where others work on the same processors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def able(name):
    """The variants that an implementation has and that go together, in many layers."""
    return [] if name in NIGHTLY else [each for each in registry.resolve(name).variants if each != "resets"]


def prepared_for(name, problem, workload="sequence"):
    weights = make_weights(problem, workload)
    return registry.load(registry.resolve(name)).prepare(problem, weights, "cpu", workload)


def of_case(name, problem, weights, inputs):
    whole = Case(problem, weights, inputs, frozenset({*weights, "x", "h0", "c0", "d_h_n"}))
    return compute(registry.load(registry.resolve(name)), whole, "cpu")


def check(name, problem, workload="sequence", modes=()):
    timed = Benchmark(problem, workload, "forward").timed_problem
    want = agreement.expected(timed, workload, make_weights(timed, workload))
    prepared = prepared_for(name, timed, workload)
    for mode in modes or MODES_OF[workload]:
        assert agreement.check(prepared, timed, workload, mode, want).error <= agreement.TOLERANCES[problem.dtype]


@pytest.mark.parametrize("name", NAMES)
def test_every_mode_agrees_with_the_reference(name, monkeypatch):
    """In float32, with all that the implementation can do but resets; a batch is shared out over two processors."""
    monkeypatch.setattr(torch_cell_compiled, "CHUNK", 2)  # two chunks and a rest
    problem = Problem.parse("t5-b8-i5-h7" if name in NIGHTLY else "t5-b8-i5-h7-l2-bi")
    check(name, problem.replace(**{variant: 3 if variant == "proj_size" else True for variant in able(name)}))


OF_TORCH = {"torch_lstm", "torch_lstm_native", "torch_lstm_compiled", "torch_lstm_dynamic"}
"""What the judge is itself: the reference judges it, which is held to 50 digits."""


@pytest.mark.parametrize("name", NAMES)
def test_a_training_step_agrees_with_a_judge(name):
    """In float64 and without a bias. All rows are shorter than seq_len: a user's may be."""
    judge, kind = (reference.run_sequence, "l2-nobias") if name in OF_TORCH else (torch_judge, "l2-bi-nobias")
    problem, weights, inputs = given(f"t5-b3-i3-h4-{kind}")
    if judge is torch_judge and "lengths" in able(name):
        problem, inputs = problem.replace(lengths=True), dataclasses.replace(inputs, lengths=np.array([3, 1, 4]))
    got = of_case(name, problem, weights, inputs)
    agreement.compare(got, judge(problem, weights, inputs), "float64", name)


JUDGED = [
    pytest.param(name.values[0], text, marks=name.marks)
    for name in NAMES
    for text in ("t7-b4-i3-h4-l2-first-resets", "t5-b3-i3-h4-l2-bi-p2", "t5-b3-i3-h4-bi-even-first")
    if not registry.resolve(name.values[0]).lacks("cpu", Problem.parse(f"{text}-float64"), "sequence")
]


@pytest.mark.parametrize(("name", "text"), JUDGED)
def test_a_variant_agrees_with_an_outside_judge(name, text):
    """With nn.LSTM, which is time-major, and goes step by step where there are resets."""
    problem, weights, inputs = given(text)
    got = of_case(name, problem, weights, inputs)
    agreement.compare(got, torch_judge(problem, weights, inputs), "float64", name)


CASES = [
    *("t5-b3-i4-h6-p3", "t4-b3-i3-h5-l2-bi-p2", "t5-b3-i3-h5-l2-nobias-p2-var"),
    *("t6-b3-i4-h5-resets", "t5-b4-i3-h4-l2-nobias-resets", "t6-b2-i3-h5-l3-p2-resets"),
    *("t5-b3-i3-h4-var", "t5-b3-i3-h4-l2-bi-var", "t4-b3-i2-h5-l2-even"),
]


@pytest.mark.parametrize("name", ["reference", "torch_lstm", pytest.param("jax_scan", marks=pytest.mark.process)])
@pytest.mark.parametrize("text", CASES)
def test_a_variant_in_a_case_file_agrees_with_torch(name, text, tmp_path):
    """In float64, by `evaluate`. Rows start anew at any steps: the first, the last, none, several."""
    problem, weights, inputs = given(text)
    if problem.resets:
        at = np.random.default_rng(3).random((problem.seq_len, problem.batch)) < 0.4
        at[:, 0] = [True, *[False] * (problem.seq_len - 2), True]
        at[:, 1] = False
        inputs = dataclasses.replace(inputs, resets=at)
    arrays = inputs.arrays()
    del arrays["target"]
    np.savez(tmp_path / "case.npz", **weights, **arrays)
    got = evaluated(name, tmp_path / "case.npz")
    agreement.compare(got, torch_judge(problem, weights, inputs), "float64", name)


@pytest.mark.parametrize(
    "name", [*map(marked, ("torch_lstm", "torch_cell", "torch_cell_autograd", "jax_scan", "flax_nnx"))]
)
def test_the_model_agrees_after_one_step_and_three(name):
    """Of each family, and of each way to store parameters: the modes around the LSTM are the family's."""
    variants = {variant: 3 if variant == "proj_size" else True for variant in able(name)}
    check(name, Problem.parse("t4-b3-i5-h7-l2").replace(**variants), "model")


@pytest.mark.parametrize("name", [*map(marked, ("torch_cell", "flax_nnx"))])
def test_training_with_adam_agrees_and_so_does_its_loss_after_a_hundred_steps(name):
    """Flax has one bias where the reference has two: it counts twice in the norm, and moves twice as far."""
    problem = Problem.parse("t6-b8-i7-h16-l2")
    check(name, problem, "train")
    weights, inputs = make_weights(problem, "train"), make_inputs(problem, 11)
    want = agreement.expected(problem, "train", weights, zero_states=(False,), steps=(100,))
    prepared = prepared_for(name, problem, "train")
    state = prepared.load(inputs)
    for _ in range(100):
        result = prepared.train_step(state)
    part = agreement.part_of(want, "0/100", "train", "train_step")
    agreement.compare(prepared.to_numpy("train_step", result), part, "float32", sizes=agreement.sizes_of(want, "0/100"))


@pytest.mark.parametrize("name", [*map(marked, ("torch_cell", "jax_scan"))])
def test_the_cell_agrees(name):
    check(name, Problem.parse("t4-b3-i5-h7-l2"), "cell")


STREAMS = [name for name in NAMES if "stream" in registry.resolve(name.values[0]).workloads]


@pytest.mark.parametrize("name", STREAMS)
def test_each_call_of_a_stream_goes_on_from_its_state(name):
    check(name, Problem.parse("t4-b3-i5-h7" if name in NIGHTLY else "t4-b3-i5-h7-l2"), "stream", ("forward",))


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name.values[0] for name in STREAMS])
def test_a_stream_does_not_drift_away_in_100_000_steps(name):
    """Every second unit remembers all of them; `-s` shows the errors, which a decision note has."""
    problem = Problem.parse("t100000-b1-i32-h32")
    weights, inputs = make_weights(problem), make_inputs(problem)
    prepared, done, errors = prepared_for(name, problem, "stream"), 0, []
    state = prepared.load(inputs)
    for calls, want in reference.run(problem, weights, inputs, "stream", (100, 1_000, 10_000, 100_000)):
        for _ in range(calls - done):
            result = prepared.forward(state)
        got, done = prepared.to_numpy("forward", result), calls
        errors.append(agreement.compare(got, want, "float32").error)
    print(f"| {name} |", " | ".join(f"{error:.1e}" for error in errors), "|")


def test_half_precision_agrees():
    check("torch_cell", Problem.parse("t5-b4-i8-h8-l2-bfloat16"), modes=("train_step",))


@pytest.mark.skipif("AVX512" not in torch.backends.cpu.get_cpu_capability(), reason="oneDNN has no such LSTM for AVX2")
def test_autocast_computes_in_bfloat16_in_each_mode():
    problem = Problem.parse("t5-b4-i8-h8-autocast")
    check("torch_lstm", problem)
    prepared = prepared_for("torch_lstm", problem)
    for mode in ("forward", "forward_train", "train_step"):
        output, h_n, *_ = prepared.call(mode)(prepared.load(make_inputs(problem)))
        assert output.dtype == h_n.dtype == torch.bfloat16
    assert {leaf.dtype for leaf in prepared.load(make_inputs(problem)).leaves} == {torch.float32}


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_int8_infers_only_and_drops_nothing():
    problem = Problem.parse("t5-b4-i8-h8-l2-first-drop-resets-int8")
    check("torch_lstm", problem, modes=["forward"])
    prepared = prepared_for("torch_lstm", problem)
    assert [mode for mode in MODES if getattr(prepared, mode)] == ["forward"]
    inputs = make_inputs(problem)
    got = prepared.to_numpy("forward", prepared.forward(prepared.load(inputs)))
    whole = reference.run_sequence(problem, make_weights(problem), inputs)
    assert agreement.error_of(got["output"], whole["output"]) > 1e-4  # float32 is off by 1e-7
    with pytest.raises(Unsupported, match="projects"):
        prepared_for("torch_lstm", Problem.parse("t5-b4-i8-h8-p2-int8"))


def test_what_an_implementation_lacks_is_said():
    scan, cudnn = registry.resolve("jax_scan_vjp_sharded"), registry.resolve("jax_cudnn")
    problem = Problem(3, 2, 4, 5)
    assert scan.lacks("cpu", problem, "sequence") is None
    for variant in ({"lengths": True}, {"proj_size": 2}, {"batch_first": True}, {"resets": True}):
        assert f"no {next(iter(variant))}" in scan.lacks("cpu", problem.replace(**variant), "sequence")
    assert cudnn.lacks("cpu", problem, "sequence") == "only for device cuda, not cpu"
    assert "not stream" in scan.lacks("cpu", problem, "stream")
    lstm = registry.resolve("torch_lstm")
    assert lstm.lacks("cpu", problem, "stream") is None
    assert "no bidirectional in a stream" in lstm.lacks("cpu", problem.replace(bidirectional=True), "stream")
    assert "a bias" in lstm.lacks("cpu", problem.replace(dtype="int8", bias=False), "sequence")
    assert lstm.lacks("cpu", problem.replace(dtype="int8"), "sequence") is None
    assert "only for dtype" in cudnn.lacks("cuda", problem.replace(dtype="float64"), "sequence")


def test_a_row_of_jax_stays_as_it_is_beyond_its_length():
    """In a scan and around another's layer: the state stays, the output is 0, and a reversed row starts at its end."""
    x, lengths = jnp.arange(1.0, 7.0).reshape(3, 2, 1), jnp.array([1, 3])
    last, output = jax_family.scan(lambda total, x_t: (total + x_t, total + x_t), jnp.zeros((2, 1)), x, lengths)
    assert last.tolist() == [[1], [12]]
    assert output[:, :, 0].tolist() == [[1, 2], [0, 6], [0, 12]]
    assert jax_family.zeroed(x, lengths)[:, :, 0].tolist() == [[1, 2], [0, 4], [0, 6]]
    assert jax_family.turned(x, lengths)[:, :, 0].tolist() == [[1, 6], [3, 4], [5, 2]]


@pytest.mark.process
def test_jax_drops_half_in_training_other_numbers_in_each_call_and_after_each_layer():
    x = jnp.ones((50, 40), jnp.bfloat16)
    drop = jax.random.key(0), jnp.float32(0.5)
    masks = [jax_family.dropped((*drop, call), layer, x) for call, layer in ((1, 0), (2, 0), (1, 1))]
    assert all(set(mask.ravel().tolist()) == {0, 2} and 850 < (mask == 0).sum() < 1150 for mask in masks)
    assert [int((mask != masks[0]).sum()) > 800 for mask in masks] == [False, True, True]
    assert masks[0].dtype == jnp.bfloat16
    np.testing.assert_array_equal(jax_family.dropped((drop[0], jnp.float32(0), 1), 0, x), x)


def test_a_batch_is_shared_out_evenly_or_not_at_all(monkeypatch):
    shards = jax_scan_vjp_sharded.shards
    assert [shards(batch, 2) for batch in (1, 3, 4, 8, 9, 16)] == [1, 1, 1, 2, 1, 2]
    assert [shards(batch, 8) for batch in (1, 6, 16, 20, 64)] == [1, 1, 4, 5, 8]
    monkeypatch.setattr(jax_scan_vjp_sharded, "PROCESSORS", 1000)
    with pytest.raises(Unsupported, match="without JAX_NUM_CPU_DEVICES=1000"):
        prepared_for("jax_scan_vjp_sharded", Problem.parse("t4-b8-i5-h7"))


@pytest.mark.parametrize("workload", ["sequence", "model"])
def test_a_torch_module_infers_in_evaluation_mode_without_gradients_and_trains_in_training_mode(workload):
    seen = []

    class Watched(torch.nn.Module):
        def __init__(self, problem):
            super().__init__()
            self.lstm = FlatLSTM(problem)

        def forward(self, *arguments):
            seen.append((self.training, arguments[0].requires_grad))
            return self.lstm(*arguments)

    problem = Problem.parse("t3-b2-i3-h4")
    weights = make_weights(problem, workload)
    prepared = prepare_module(problem, weights, "cpu", workload, Watched, names=lambda name: f"lstm.{name}")
    state = prepared.load(make_inputs(problem))
    for mode in ("forward", "forward_train", "forward", "train_step"):
        prepared.call(mode)(state)
    inferred, trained = (False, False), (True, workload == "sequence")
    assert seen == [inferred, trained, inferred, trained]

"""native_lstm.jax as anybody's JAX program calls it, against torch.nn.LSTM in float64."""

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from impls.core.problem import Problem
from impls.native.jax import lstm
from tests.helpers import processes
from tests.helpers.judges import given, torch_judge

pytestmark = pytest.mark.process
TOLERANCE = {"float64": 1e-10, "float32": 4e-5, "float16": 1e-2, "bfloat16": 8e-2}
HALF = ("float16", "bfloat16")
"""Each is compiled for ten seconds."""
NAMES = "output", "h_n", "c_n"


def gradients(weights, x, state, cotangents, **options):
    made, back = jax.vjp(functools.partial(lstm, **options), weights, x, state)
    return made, back(cotangents)


def results(problem, weights, inputs, way=jax.jit, dtype="float64"):
    """What torch_judge returns; batch_first is undone."""
    turned = (lambda each: each.swapaxes(0, 1)) if problem.batch_first else (lambda each: each)
    resets = None if inputs.resets is None else turned(inputs.resets)
    call = functools.partial(gradients, lengths=inputs.lengths, resets=resets, batch_first=problem.batch_first)
    cotangents = turned(inputs.d_output), (inputs.d_h_n, inputs.d_c_n)
    given_to = weights, turned(inputs.x), (inputs.h0, inputs.c0), cotangents
    made, (of_weights, d_x, of_state) = way(call)(*jax.tree.map(lambda each: jnp.asarray(each, dtype), given_to))
    named = dict(zip(NAMES, (turned(made[0]), *made[1]), strict=True))
    named |= dict(zip(("grad_x", "grad_h0", "grad_c0"), (turned(d_x), *of_state), strict=True))
    return named | {f"grad_{name}": array for name, array in of_weights.items()}


def same(got, want, dtype="float64"):
    for name, array in got.items():
        assert array.dtype == dtype, name
        most = TOLERANCE[dtype] * max(1, np.abs(want[name]).max())
        assert np.asarray(array, float) == pytest.approx(want[name], rel=0, abs=most), name


@pytest.mark.parametrize("dtype", ["float32", *(pytest.param(each, marks=pytest.mark.nightly) for each in HALF)])
@pytest.mark.parametrize("text", ["t1-b1-i1-h1-nobias", "t4-b3-i2-h5-l3-bi-p2-first", "t7-b5-i3-h17-bi-p3-var"])
def test_every_dtype(text, dtype):
    case = given(text)
    same(results(*case, dtype=dtype), torch_judge(*case), dtype)


@settings(max_examples=15, derandomize=True)
@drawn(st.randoms(use_true_random=False), st.sampled_from(["resets", "lengths", ""]))
def test_any_call(random, kind):
    draw, hidden = random.randint, random.randint(2, 40)
    sizes = draw(1, 9), draw(1, 30), draw(1, 20), hidden, draw(1, 3), kind != "resets" and draw(0, 1) == 1
    options = {"bias": draw(0, 1) == 1, "proj_size": draw(0, hidden - 1) * draw(0, 1), "batch_first": draw(0, 1) == 1}
    problem, weights, inputs = given(Problem(*sizes, **options, **({kind: True} if kind else {})).id)
    rng = np.random.default_rng(draw(0, 99))
    if kind == "lengths":  # perhaps all are short
        inputs = dataclasses.replace(inputs, lengths=rng.integers(1, draw(1, sizes[0]) + 1, sizes[1]))
    if kind == "resets":
        inputs = dataclasses.replace(inputs, resets=rng.random(sizes[:2]) < 0.4)
    same(results(problem, weights, inputs), torch_judge(problem, weights, inputs))


WAYS = {
    "no jit": jax.disable_jit(),
    "numpy": lambda function: lambda *arrays: function(*jax.tree.map(np.asarray, arrays)),
    "ahead": lambda function: lambda *arrays: jax.jit(function).lower(*arrays).compile()(*arrays),
    "donated": lambda function: jax.jit(function, donate_argnums=(0, 1, 2)),
}


@pytest.mark.filterwarnings("ignore:Some donated buffers")
@pytest.mark.parametrize("way", WAYS)
def test_ways_to_call_it(way):
    case = given("t5-b4-i3-h6-l2-bi-p4-var")
    same(results(*case, WAYS[way]), torch_judge(*case))


@pytest.mark.parametrize("only", ["x", "h0", "c0", "weight_hh_l0_reverse", "bias_ih_l1"])
@pytest.mark.parametrize("by", NAMES)
def test_the_gradient_of_one_part_by_one_result(only, by):
    problem, weights, inputs = given("t5-b4-i3-h6-l2-bi-p4-var")
    zero = {f"d_{name}": 0 * getattr(inputs, f"d_{name}") for name in NAMES if name != by}
    want = torch_judge(problem, weights, dataclasses.replace(inputs, **zero))
    every = {**weights, "x": inputs.x, "h0": inputs.h0, "c0": inputs.c0}

    def loss(part, lengths):
        x, h0, c0, *rest = ({**every, only: part}[name] for name in ("x", "h0", "c0", *weights))
        output, (h_n, c_n) = lstm(dict(zip(weights, rest, strict=True)), x, (h0, c0), lengths=lengths)
        return ({"output": output, "h_n": h_n, "c_n": c_n}[by] * getattr(inputs, f"d_{by}")).sum()

    gradient = jax.jit(jax.value_and_grad(loss))(every[only], inputs.lengths)[1]
    same({f"grad_{only}": gradient}, want)


def test_a_checkpointed_scan_over_parts_is_one_call_of_the_whole():
    _, weights, inputs = given("t6-b3-i2-h5-l2")

    def parts(weights, x):
        body = jax.checkpoint(lambda state, part: lstm(weights, part, state)[::-1])
        (_, c_n), outputs = jax.lax.scan(body, (jnp.zeros((2, 3, 5)),) * 2, x.reshape(3, 2, 3, 2))
        return (outputs**2).sum() + c_n.sum()

    def whole(weights, x):
        output, (_, c_n) = lstm(weights, x)  # without a state
        return (output**2).sum() + c_n.sum()

    got, want = (jax.jit(jax.grad(each, (0, 1)))(weights, jnp.asarray(inputs.x)) for each in (parts, whole))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), got, want)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9, 1.0])
def test_dropout(share):
    """A column of the second layer's gradient is 0 where its input is."""
    _, weights, inputs = given("t1-b1-i3-h400-l2")
    layers = [{f"{name[:-1]}0": each for name, each in weights.items() if name[-1] == layer} for layer in "01"]
    run = jax.jit(lambda part, share, key: lstm({**weights, **part}, inputs.x, dropout=share, key=key)[0])
    part, key = {"weight_ih_l1": weights["weight_ih_l1"]}, jax.random.key(3)
    kept = (jax.grad(lambda part: run(part, share, key).sum())(part)["weight_ih_l1"] != 0).any(axis=0)
    assert kept.mean() == pytest.approx(1 - share, abs=0.08)
    scaled = lstm(layers[0], inputs.x)[0] * kept / (1 - share or 1)
    assert run({}, share, key) == pytest.approx(np.asarray(lstm(layers[1], scaled)[0]), abs=1e-6)
    assert (lstm(weights, inputs.x, dropout=share)[0] == run({}, 0.0, None)).all()  # without a key
    of_x = jax.grad(lambda x: lstm(weights, x, dropout=share, key=key)[0].sum())(inputs.x)
    assert jnp.isfinite(of_x).all()
    assert (of_x == 0).all() == (share == 1)


X = np.zeros((4, 2, 3))
W = {"weight_ih_l0": np.zeros((20, 3)), "weight_hh_l0": np.zeros((20, 5))}
W |= {"bias_ih_l0": np.zeros(20), "bias_hh_l0": np.zeros(20)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x=X[0]", "x has shape"), ("x=X[:, :0]", "not empty"), ("x=X[..., :2]", "weight_ih_l0 has shape"),
        ("x=X.astype(int)", "x is int"), ("x=X.astype('float32')", "one dtype"), ("state=(X, X)", "h0 has shape"),
        ("lengths=np.array([1.0, 2.0])", "lengths"), ("lengths=3", "lengths"), ("lengths=np.array([4, 0])", "lengths"),
        ("lengths=[5, 1]", "lengths"), ("lengths=np.array([1, 2**32 + 2])", "lengths"),
        ("resets=X[..., 0]", "resets"), ("resets=X[..., 0] > 0, lengths=np.array([4, 4])", "resets go with"),
        ("weights={}", "missing"), ("weights={'kernel': X}", "kernel"), ("weights={**W, 'weight_ih_l2': X}", "missing"),
        ("weights={name: W[name] for name in list(W)[:3]}", "only"), ("weights={**W, 'weight_hh_l0': X[0]}", "hh_l0"),
        ("weights={**W, 'weight_hh_l0': np.zeros(20)}", "weight_hh_l0"),
        ("weights={**W, 'bias_hh_l0': None}", "only"), ("weights={**W, 'weight_hh_l0': None}", "only"),
        ("dropout=1.5, key=jax.random.key(0)", "dropout"), ("dropout=-0.5, key=jax.random.key(0)", "dropout"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=words):
        jax.block_until_ready(lstm(**{"weights": W, "x": X, **eval(f"dict({text})")}))


@pytest.mark.parametrize("lengths", [[4, 0], [5, 1]])
def test_traced_lengths_are_refused_too(lengths):
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match="lengths must be from 1"):
        jax.block_until_ready(jax.jit(lambda lengths: lstm(W, X, lengths=lengths))(np.array(lengths)))


def loss(x):
    return lstm(W, x)[0].sum()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("jvp(loss, (X,), (X,))", TypeError),
        ("hessian(loss)(X)", ValueError),
        ("grad(lambda x: jax.grad(loss)(x).sum())(X)", ValueError),
    ],
)
def test_transformations_that_are_not_there_say_so(text, error):
    with pytest.raises(error, match=r"jvp|differentiated"):
        eval(f"jax.{text}")


def test_vmap_is_one_call_after_the_other():
    several = np.stack([X, 2 * X, -X])
    want = np.stack([jax.grad(loss)(x) for x in several])
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(loss)))(several), want, rtol=1e-6)


def test_lists_are_arrays_and_shapes_need_no_values():
    _, *given_to = given("t3-b2-i2-h3-l2")
    weights, inputs = given_to
    for arrays in ((weights, inputs.x), (weights, inputs.x, (inputs.h0, inputs.c0))):
        made = lstm(*jax.tree.map(np.ndarray.tolist, arrays), lengths=[1, 3])
        assert jax.tree.map(jnp.shape, made) == jax.tree.map(jnp.shape, jax.eval_shape(lstm, *arrays))


def test_what_is_beyond_a_length_is_not_read():
    _, weights, inputs = given("t40-b16-i3-h33")
    gradient = jax.grad(lambda x: lstm(weights, x, lengths=np.full(16, 3))[0].sum())
    want = gradient(inputs.x)
    unread = np.arange(40)[:, None, None] >= 3
    assert (gradient(np.where(unread, np.nan, inputs.x)) == want).all()
    assert (want[3:] == 0).all()


def test_threads_of_python_and_of_ours_change_nothing(monkeypatch):
    cases = [given(f"t5-b{batch}-i4-h20-l2") for batch in (1, 6, 70)]
    wanted = [torch_judge(*case) for case in cases]
    for threads in ("1", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        with ThreadPoolExecutor(6) as pool:
            for made, want in zip(pool.map(lambda case: results(*case), cases * 2), wanted * 2, strict=True):
                same(made, want)


DEVICES = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
from impls.native.jax import lstm
rng = np.random.default_rng(0)
w = {"weight_ih_l0": rng.normal(size=(20, 3)), "weight_hh_l0": rng.normal(size=(20, 5))}  # float64 becomes float32
x, lengths, rows = rng.normal(size=(4, 6, 3)), np.array([1, 2, 4, 3, 2, 1]), P(None, "b", None)
loss = lambda w, x, lengths: (lstm(w, x, lengths=lengths)[0] ** 2).sum()
mesh = jax.make_mesh((2,), ("b",), axis_types=(jax.sharding.AxisType.Auto,))
def shard_map(function, **options):
    specs = {"in_specs": (P(), rows, P("b")), "out_specs": P()}
    return jax.jit(jax.shard_map(function, mesh=mesh, **specs, **options))
halves, want = (x.reshape(4, 2, 3, 3).swapaxes(0, 1), lengths.reshape(2, 3)), jax.grad(loss)(w, x, lengths)
for made in (
    jax.tree.map(lambda each: each.sum(0), jax.pmap(jax.grad(loss), in_axes=(None, 0, 0))(w, *halves)),
    jax.jit(jax.grad(loss))(w, jax.device_put(x, NamedSharding(mesh, rows)), lengths),
    shard_map(lambda *given: jax.lax.psum(jax.grad(loss)(*given), "b"), check_vma=False)(w, x, lengths),
):
    print(max(float(abs(np.asarray(made[name]) - np.asarray(want[name])).max()) for name in w))
try:
    shard_map(lambda *given: jax.lax.psum(loss(*given), "b"))(w, x, lengths)
except NotImplementedError as error:
    assert "check_vma=False" in str(error)
    print(0.0)
"""


def test_a_batch_on_two_devices_has_the_same_gradient():
    done = processes.python("-W", "ignore", "-c", DEVICES, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert done.returncode == 0, done.stderr
    assert [float(line) < 4e-5 for line in done.stdout.splitlines()] == [True] * 4, done.stdout


def test_without_a_compiler_there_is_one_clear_line(tmp_path):
    changes = {"CXX": "no-such-compiler", "XDG_CACHE_HOME": str(tmp_path), "JAX_TRACEBACK_FILTERING": "off"}
    code = "from tests.native.test_jax import loss, X; loss(X)"
    done = processes.python("-c", code, JAX_ENABLE_X64="1", **changes)
    assert done.stderr.splitlines()[-1].endswith("no C++ compiler no-such-compiler: install g++, or set CXX")

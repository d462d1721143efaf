"""A layer in C++ against the reference."""

import numpy as np
import pytest
import torch

from impls.core import reference
from impls.native import autograd

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def threads():
    """Tests set a number of threads of their own."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drawn(rng, *shape):
    return rng.normal(size=shape)


SIZES = [(1, 3, 7, 1), (5, 70, 16, 2), (13, 3, 33, 3), (67, 5, 33, 2), (5, 3, 33, 4)]
"""Rows, inputs, units, threads: every tail of a panel, threads that own rows, and threads that own units."""


def rows_of(batch, steps, kind):
    """The rows of each step: of a full batch, or of one whose rows end one after the other."""
    if kind != "lengths":
        return np.full(steps, batch)
    lengths = np.linspace(steps, 1, batch).round().astype(int)
    return (lengths > np.arange(steps)[:, None]).sum(1)


@pytest.mark.parametrize("kind", ["full", "lengths", "projected", "resets"])
@pytest.mark.parametrize(("batch", "inputs", "hidden", "threads"), SIZES)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_layer_agrees_with_the_reference(batch, inputs, hidden, threads, kind, reverse):
    """A reverse direction is the second of two, whose first has other weights."""
    if kind == "resets" and reverse:
        pytest.skip("a row has no start inside a sequence that goes back")
    torch.set_num_threads(threads)
    rng, steps = np.random.default_rng(batch * hidden), 6
    state = 3 if kind == "projected" else hidden
    rows = rows_of(batch, steps, kind)
    inside = np.arange(batch)[None, :, None] < rows[:, None, None]
    x = drawn(rng, steps, batch, inputs)
    h0, c0 = drawn(rng, batch, state), drawn(rng, batch, hidden)
    weights = {
        "weight_ih": drawn(rng, 4 * hidden, inputs),
        "weight_hh": drawn(rng, 4 * hidden, state) / np.sqrt(hidden),
        "bias_ih": drawn(rng, 4 * hidden),
        "bias_hh": drawn(rng, 4 * hidden),
    }
    if kind == "projected":
        weights["weight_hr"] = drawn(rng, state, hidden)
    anew = rng.random((steps, batch, 1)) < 0.3 if kind == "resets" else None
    d_output, d_h, d_c = drawn(rng, steps, batch, state), drawn(rng, batch, state), drawn(rng, batch, hidden)

    def turned(array):
        """Each row within its length, which is how the reference goes back."""
        return reference.in_direction("l0_reverse" if reverse else "l0", array, inside)

    starts = np.zeros_like(inside) if anew is None else anew
    output, tape = reference.layer_forward(weights, turned(x), h0, c0, inside, starts)
    want = reference.layer_backward(tape, turned(d_output), d_h, d_c)
    want |= {"output": turned(output), "h_n": tape.h, "c_n": tape.c, "x": turned(want["x"])}

    def tensor(array):
        return torch.tensor(array).requires_grad_()

    packed = inside[:, :, 0]
    leaves = {"x": tensor(x[packed]), "h0": tensor(h0), "c0": tensor(c0)} | {
        name: tensor(array) for name, array in weights.items()
    }
    directions = 2 if reverse else 1
    layer = autograd.Layer(
        steps,
        batch,
        inputs,
        hidden,
        state if kind == "projected" else 0,
        directions,
        torch.tensor(rows) if kind == "lengths" else None,
        None,
        None if anew is None else torch.tensor(anew),
    )
    own = [leaves.get(name) for name in autograd.KINDS]
    other = [None if each is None else -each.detach() for each in own]
    states = [torch.stack([leaves[name]] * directions) for name in ("h0", "c0")]
    made = autograd.run(layer, leaves["x"], *states, [*other, *own] if reverse else own)
    got = {"output": made[0][:, -state:], "h_n": made[1][-1], "c_n": made[2][-1]}
    cotangents = [torch.tensor(array) for array in (d_output[packed], d_h, d_c)]
    of_leaves = torch.autograd.grad(list(got.values()), list(leaves.values()), cotangents)
    got |= dict(zip(leaves, of_leaves, strict=True))
    for name, found in got.items():
        wanted = want[name][packed] if name in ("output", "x") else want[name]
        assert found.detach().numpy() == pytest.approx(wanted, rel=1e-11, abs=1e-12), name


@pytest.mark.parametrize(("dtype", "most"), [("float32", 4e-7), ("float64", 1e-15)])
def test_the_gates_are_precise_however_small_or_large_a_number_is(dtype, most):
    """Relative errors; sigmoid of a very negative number and tanh of a tiny one keep all their digits."""
    some = np.geomspace(1e-30, 80, 400)
    values = torch.tensor(np.concatenate([some, -some, [0.0, 1e3, -60.0]]).astype(dtype))
    layer = autograd.Layer(len(values), 1, 1, 1, 0, 1, None, None, None)
    zero = values.new_zeros(1, 1, 1)
    weights = [values.new_ones(4, 1), values.new_zeros(4, 1), None, None, None]
    gates = autograd.forward(layer, True, values.view(-1, 1, 1), zero, zero, *weights)[3]
    exact = values.double().numpy()
    for column, want in ((0, reference.sigmoid(exact)), (2, np.tanh(exact))):
        got = gates[0, :, 0, column].double().numpy()
        assert np.abs(got - want).max() <= most
        assert (np.abs(got - want) <= most * np.abs(want) + 1e-300).all()

"""Where matrix products are done is seen, on a busy machine too: in loading, in a reading, or in first calls only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest
import torch

from benchmarks.judge.sanity import Suspicious
from benchmarks.worker import products
from impls.api import Prepared
from impls.core.problem import Problem
from impls.core.weights import make_inputs

SIDE = 64
NEEDED = 2.0 * SIDE**3
"""The operations of the product that each call makes."""
POOL = ThreadPoolExecutor(1)


@dataclass
class State:
    """A matrix, and what was kept."""

    matrix: torch.Tensor = field(default_factory=lambda: torch.rand(SIDE, SIDE))
    kept: Any = None


def product(state):
    return state.matrix @ state.matrix


def prepared(call=product, load=lambda _: State(), read=lambda result: result):
    return Prepared(load, lambda _, result: {"output": np.asarray(read(result))}, forward=call)


def look(*arguments, **options):
    problem = Problem.parse("t1-b1-i1-h1")
    return products.look(prepared(*arguments, **options), "forward", make_inputs(problem))


def loaded_with_its_product(_):
    state = State()
    state.kept = product(state)
    return state


def kept_from_the_first(state):
    if state.kept is None:
        state.kept = product(state)
    return state.kept.clone()


def half_of_it_kept(state):
    if state.kept is None:
        state.kept = state.matrix[:32] @ state.matrix
    return torch.cat([state.kept, state.matrix[32:] @ state.matrix])


def kept_by_another_thread(state):
    if state.kept is None:
        state.kept = POOL.submit(product, state).result()
    return state.kept.clone()


def tried_in_three_ways_at_first(state):
    if state.kept is None:
        state.kept = [product(state) for _ in range(3)]
    return product(state)


def by_einsum(state):
    return torch.einsum("ij,jk->ik", state.matrix, state.matrix)


def of_another_library(state):
    return torch.from_numpy(state.matrix.numpy() @ state.matrix.numpy())


def a_small_one_at_first(state):
    """A call of another library, which takes a small product of PyTorch to set itself up."""
    if state.kept is None:
        state.kept = state.matrix[:2] @ state.matrix
    return of_another_library(state)


def set_up_at_first(state):
    """As a library of its own that is given the weights once, multiplied by each other."""
    if state.kept is None:
        state.kept = product(state)
    return torch.conv1d(state.matrix[None], state.matrix[:, :, None])[0]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"load": loaded_with_its_product}, "when inputs are loaded"),
        ({"call": lambda state: state, "read": product}, "when its result is read"),
        ({"call": lambda state: state, "read": lambda state: POOL.submit(product, state).result()}, "result is read"),
        ({"call": kept_from_the_first}, "a call does 0% of"),
        ({"call": half_of_it_kept}, "a call does 50% of"),
        ({"call": kept_by_another_thread}, "a call does 0% of"),
    ],
)
def test_products_that_are_not_in_each_call_are_found(parts, said):
    with pytest.raises(Suspicious, match=said):
        products.check(look(**parts), NEEDED)


@pytest.mark.parametrize(
    ("call", "proven"),
    [
        (product, True),
        (tried_in_three_ways_at_first, True),
        (by_einsum, True),
        (of_another_library, False),
        (a_small_one_at_first, False),
        (set_up_at_first, False),
    ],
)
def test_a_call_that_does_all_its_products_is_no_sign(call, proven):
    """What is done by code that no profiler knows proves nothing, and accuses nobody."""
    assert products.check(look(call), NEEDED) == proven


def test_to_permute_by_einsum_is_no_product():
    def permuted(_):
        return State(torch.einsum("ij->ji", torch.rand(SIDE, SIDE)))

    assert products.check(look(load=permuted), NEEDED)


def test_products_of_jax_are_found_where_they_do_not_belong():
    matrix = jax.numpy.ones((256, 256))
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    assert not products.check(look(multiply, load=lambda _: matrix), NEEDED)
    mask = jax.jit(lambda key: jax.random.bernoulli(key, 0.5, (256, 256)))  # a loop of XLA, and no product
    assert not products.check(look(multiply, load=lambda _: (matrix, mask(jax.random.key(0)))[0]), NEEDED)
    with pytest.raises(Suspicious, match="when inputs are loaded"):
        products.check(look(multiply, load=lambda _: multiply(matrix)), NEEDED)


def test_what_forward_train_does_of_backward_is_found():
    """Its own products belong there, and no more."""

    def with_own(state):
        state.kept = product(state)

    def with_those_of_backward(state):
        state.kept = [product(state) for _ in range(3)]

    def look_at_backward(forward_train, backward):
        problem = Problem.parse("t1-b1-i1-h1")
        whole = Prepared(lambda _: State(), lambda *_: {}, forward_train=forward_train, backward=backward)
        return products.look(whole, "backward", make_inputs(problem))

    def twice(state):
        return product(state) + product(state)

    assert products.check(look_at_backward(with_own, twice), 2 * NEEDED, NEEDED)
    with pytest.raises(Suspicious, match="forward_train makes products of backward"):
        products.check(look_at_backward(with_those_of_backward, lambda state: state.kept[0]), 2 * NEEDED, NEEDED)


def test_a_profiler_that_fails_accuses_nobody(monkeypatch):
    monkeypatch.setattr(products, "_by_torch", lambda *_: 1 / 0)
    monkeypatch.setattr(products, "_by_jax", lambda *_: 1 / 0)
    assert not products.check(look(kept_from_the_first), NEEDED)

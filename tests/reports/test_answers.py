"""The questions that a run answers."""

import pytest

from tests.helpers.answers import answered
from tests.helpers.records import record, trained

HOISTING = "What does hoisting the input projection buy?"
JAX = "Where does JAX beat base?"
ODD = "Where does inference take longer than a training step?"
COST = "What do rows of different lengths cost?"


def cells(answer):
    return [[column.cell(row) for column in answer.columns] for row in answer.rows]


def hoisted(seconds=3e-3, **where):
    """Records of a baseline, and of an implementation without and with hoisting."""
    names = {"base": 1e-3, "torch_cell": 4e-3, "torch_cell_hoisted": seconds}
    return [row for name, time in names.items() for row in trained(name, time, **where)]


def test_a_change_is_answered_from_the_two_implementations_that_differ_in_it(tmp_path):
    found = answered(tmp_path, hoisted())
    assert found[HOISTING].sentence.endswith(
        "Relative to torch_cell, a training step of torch_cell_hoisted takes 0.75 × at p."
        " Beside base, torch_cell_hoisted takes 3.00 × its time: slower everywhere."
    )
    (row,) = cells(found[HOISTING])
    assert row[:5] == ["p", "train_step", "cpu", "torch_cell", "torch_cell_hoisted"]
    assert (row[5][:4], row[-1]) == ("0.75", "faster")
    assert "What does a hand-written backward buy?" not in found


def test_a_change_that_is_unclear_says_so(tmp_path):
    found = answered(tmp_path, hoisted(4e-3))[HOISTING]
    assert "takes 1.00 × at p (unclear)." in found.sentence
    assert cells(found)[0][-1] == "unclear"


def test_an_implementation_that_failed_once_answers_no_question(tmp_path):
    rows = hoisted()
    rows[-1].update(status="disagrees", reason="grad_x", seconds=None, turns=None)
    assert not any("torch_cell_hoisted" in answer.sentence for answer in answered(tmp_path, rows).values())


def test_problems_keep_their_order_and_several_devices_are_named(tmp_path):
    places = [(problem, device) for problem in ("q", "p") for device in ("cpu", "cuda")]
    found = answered(tmp_path, [row for p, device in places for row in hoisted(problem=p, device=device)])[HOISTING]
    assert [row[:3] for row in cells(found)] == [[problem, "train_step", device] for problem, device in places]
    assert "0.75 × at q on cpu, 0.75 × at q on cuda, 0.75 × at p on cpu and 0.75 × at p on cuda." in found.sentence


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        ({"p": 2.0, "q": 3.0}, "No, if base does what you need"),
        ({"p": 0.5, "q": 0.4}, "Yes: it is faster than base at every shape"),
        ({"p": 0.5, "q": 3.0}, "It depends on the shape."),
    ],
)
def test_whether_torch_compile_is_worth_it_is_answered_plainly(tmp_path, compiled, said):
    rows = []
    for problem, ratio in compiled.items():
        for name, seconds in (("base", 1e-3), ("torch_cell", 5e-3), ("torch_cell_compiled", 1e-3 * ratio)):
            rows += trained(name, seconds, problem=problem)
    assert answered(tmp_path, rows)["Is torch.compile worth it?"].sentence.startswith(said)


def test_any_jax_implementation_that_is_faster_counts_not_only_the_one_of_least_time(tmp_path):
    rows = trained("base", 1e-3) + trained("jax_scan", 0.9e-3, versions="jax 1")
    where = {"workload": "sequence", "mode": "train_step", "versions": "jax 1"}
    rows += [record("noisy", r, 0.85e-3 * (2 if r % 2 else 0.5), **where) for r in range(4)]
    assert "faster than base at p (jax_scan)" in answered(tmp_path, rows)[JAX].sentence


def test_a_run_without_a_training_step_says_nothing_of_one(tmp_path):
    rows = trained("base", 1e-3, "forward") + trained("jax_scan", 2e-3, "forward", versions="jax 1")
    assert answered(tmp_path, rows)[JAX].sentence == ""


def test_where_jax_is_slower_many_problems_are_counted_and_not_named_one_by_one(tmp_path):
    rows = []
    for k in range(8):
        rows += trained("base", 1e-3, problem=f"p{k}") + trained("jax_scan", 2e-3, versions="jax 1", problem=f"p{k}")
    assert answered(tmp_path / "many", rows)[JAX].sentence.endswith("slower at 8 of 8 problems.")
    few = answered(tmp_path / "few", rows[:8])[JAX].sentence
    assert few == "In no training step is JAX clearly faster than base. All of its implementations are slower at p0."


def test_where_forward_clearly_takes_longer_than_a_training_step_is_said(tmp_path):
    rows = trained("base", 2e-3) + trained("base", 1e-3, "forward")
    rows += trained("odd", 2e-3) + trained("odd", 3e-3, "forward") + trained("noisy", 2e-3)
    noise = {"workload": "sequence", "mode": "forward"}
    rows += [record("noisy", replicate, 2.1e-3 * (1.3 if replicate % 2 else 0.7), **noise) for replicate in range(4)]
    ((problem, name, forward, step),) = cells(answered(tmp_path, rows)[ODD])
    assert (problem, name, forward[:3], step[:3]) == ("p", "odd", "3.0", "2.0")


def test_the_cost_of_lengths_is_the_ratio_to_the_same_problem_without(tmp_path):
    rows = trained("base", 1e-3, problem="t1-b1-i1-h1") + trained("base", 5e-3, problem="t1-b1-i1-h1-var")
    rows += trained("other", 2e-3, problem="t1-b1-i1-h1") + trained("other", 2e-3, problem="t1-b1-i1-h1-var")
    answer = answered(tmp_path, rows)[COST]
    assert {row[3]: row[4][:4] for row in cells(answer)} == {"base": "5.00", "other": "1.00"}
    assert "A training step of base takes 5.00 × at t1-b1-i1-h1-var." in answer.sentence
    assert "base with the same lengths, a training step of other takes 0.40 × at t1-b1" in answer.sentence


@pytest.mark.parametrize("problem", ["t1-b1-i1-h1-var", "t1-b1-i1-h1"])
def test_lengths_without_their_like_cost_nothing_known(tmp_path, problem):
    assert COST not in answered(tmp_path, trained("base", 1e-3, problem=problem))

"""The questions that a run answers."""

import pytest

from tests.helpers.answers import answered
from tests.helpers.records import record, trained

HOISTING = "What does hoisting the input projection buy?"
JAX = "Where does JAX beat base?"


def cells(answer):
    return [[column.cell(row) for column in answer.columns] for row in answer.rows]


def test_a_question_is_answered_from_the_two_arms_it_compares(tmp_path):
    rows = trained("base", 1e-3) + trained("torch_cell", 4e-3) + trained("torch_cell_hoisted", 3e-3)
    found = answered(tmp_path, rows + trained("jax_scan", 2e-3, versions="jax 1"))
    assert found[HOISTING].sentence.endswith(
        "Relative to torch_cell, a training step of torch_cell_hoisted takes 0.75 × at p."
        " Beside base, torch_cell_hoisted takes 3.00 × its time: slower everywhere."
    )
    (row,) = cells(found[HOISTING])
    assert row[:5] == ["p", "train_step", "cpu", "torch_cell", "torch_cell_hoisted"]
    assert row[5].startswith("0.75")
    assert row[-1] == "faster"
    assert found[JAX].sentence == (
        "In no training step is JAX clearly faster than base. All of its implementations are slower at p."
    )
    assert "What does a hand-written backward buy?" not in found


def test_an_answer_that_is_unclear_says_so(tmp_path):
    rows = trained("base", 1e-3) + trained("torch_cell", 4e-3) + trained("torch_cell_hoisted", 4e-3)
    found = answered(tmp_path, rows)
    assert "takes 1.00 × at p (unclear)." in found[HOISTING].sentence
    assert cells(found[HOISTING])[0][-1] == "unclear"


def test_an_arm_that_failed_once_answers_no_question(tmp_path):
    rows = trained("base", 1e-3) + trained("torch_cell", 4e-3) + trained("torch_cell_hoisted", 3e-3)
    rows[-1].update(status="disagrees", reason="grad_x", seconds=None, turns=None)
    assert not any("torch_cell_hoisted" in answer.sentence for answer in answered(tmp_path, rows).values())


def test_a_run_without_a_training_step_says_nothing_of_one(tmp_path):
    rows = trained("base", 1e-3, "forward") + trained("jax_scan", 2e-3, "forward", versions="jax 1")
    assert answered(tmp_path, rows)[JAX].sentence == ""


def test_any_jax_arm_that_is_faster_counts_not_only_the_one_of_least_time(tmp_path):
    rows = trained("base", 1e-3) + trained("jax_scan", 0.9e-3, versions="jax 1")
    where = {"workload": "sequence", "mode": "train_step", "versions": "jax 1"}
    rows += [record("noisy", r, 0.85e-3 * (2 if r % 2 else 0.5), **where) for r in range(4)]
    found = answered(tmp_path, rows)[JAX]
    assert "faster than base at p (jax_scan)" in found.sentence


def test_problems_keep_their_order_and_several_devices_are_named(tmp_path):
    rows = []
    for problem in ("q", "p"):
        for device in ("cpu", "cuda"):
            where = {"problem": problem, "device": device}
            rows += trained("base", 1e-3, **where) + trained("torch_cell", 4e-3, **where)
            rows += trained("torch_cell_hoisted", 3e-3, **where)
    found = answered(tmp_path, rows)[HOISTING]
    assert [row[:3] for row in cells(found)] == [
        [problem, "train_step", device] for problem in ("q", "p") for device in ("cpu", "cuda")
    ]
    assert "0.75 × at q on cpu, 0.75 × at q on cuda, 0.75 × at p on cpu and 0.75 × at p on cuda." in found.sentence


ODD = "Where does inference take longer than a training step?"


def test_where_forward_takes_longer_than_a_training_step_is_said(tmp_path):
    rows = trained("base", 2e-3) + trained("base", 1e-3, "forward")
    rows += trained("odd", 2e-3) + trained("odd", 3e-3, "forward")
    found = answered(tmp_path, rows)[ODD]
    assert found.sentence == "Forward alone takes longer than forward and backward together in odd at p."
    ((problem, name, forward, step),) = cells(found)
    assert (problem, name) == ("p", "odd")
    assert forward.startswith("3.0")
    assert step.startswith("2.0")


def test_where_the_two_can_not_be_told_apart_nothing_is_said(tmp_path):
    noisy = [record("odd", r, 2.1e-3 * (1.3 if r % 2 else 0.7), workload="sequence", mode="forward") for r in range(4)]
    assert ODD not in answered(tmp_path, trained("base", 1e-3) + trained("odd", 2e-3) + noisy)


def test_many_problems_are_counted_and_not_named_one_by_one(tmp_path):
    rows = []
    for k in range(8):
        where = {"problem": f"p{k}"}
        rows += trained("base", 1e-3, **where) + trained("jax_scan", 2e-3, versions="jax 1", **where)
    found = answered(tmp_path, rows)
    assert found[JAX].sentence.endswith("All of its implementations are slower at 8 of 8 problems.")


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        ({"p": 2.0, "q": 3.0}, "No, if base does what you need: it is faster without, at every shape here."),
        ({"p": 0.5, "q": 0.4}, "Yes: it is faster than base at every shape here."),
        ({"p": 0.5, "q": 3.0}, "It depends on the shape."),
    ],
)
def test_whether_torch_compile_is_worth_it_is_answered_plainly(tmp_path, compiled, said):
    rows = []
    for problem, ratio in compiled.items():
        rows += trained("base", 1e-3, problem=problem) + trained("torch_cell", 5e-3, problem=problem)
        rows += trained("torch_cell_compiled", 1e-3 * ratio, problem=problem)
    assert answered(tmp_path, rows)["Is torch.compile worth it?"].sentence.startswith(said)

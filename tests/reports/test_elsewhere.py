"""Published figures beside the run's own, and what rows of different lengths cost."""

import pytest

from impls.core import registry
from impls.core.problem import Problem
from reports.parts.elsewhere import figures
from tests.helpers.answers import answered
from tests.helpers.records import trained

TITLE = "What have others published?"
COST = "What do rows of different lengths cost?"


def cells(answer):
    return [{column.key: column.cell(row) for column in answer.columns} for row in answer.rows]


FIGURES = list(figures().itertuples())
STEPS = [figure for figure in FIGURES if figure.mode == "train_step"]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.what}-{figure.mode}")
def test_every_figure_is_of_a_problem_and_of_implementations_that_there_are(figure):
    Problem.parse(figure.problem)
    names = {figure.implementation, *([figure.other] if isinstance(figure.other, str) else [])}
    assert names <= set(registry.catalogue())
    assert figure.source.startswith("https://")
    assert (figure.ratio > 0) == isinstance(figure.other, str) == (not figure.seconds > 0)


def test_a_published_ratio_stands_beside_ours(tmp_path):
    figure = next(figure for figure in STEPS if figure.ratio > 0)
    where = {"problem": figure.problem}
    rows = trained(figure.other, 1e-3, **where) + trained(figure.implementation, 3e-3, **where)
    rows += trained("base", 1e-3, **where)
    answer = answered(tmp_path, rows)[TITLE]
    assert answer.sentence.startswith(
        "In the published pair, the same implementation is faster here. Published figures are from"
    )
    (row,) = cells(answer)
    assert row["of"] == f"{figure.implementation} over {figure.other}"
    assert row["published"] == f"{figure.ratio:.2f}"
    assert row["ours"].startswith("3.0")
    assert row["on"] == f"{figure.device}, {figure.year}"


def test_an_order_that_does_not_hold_here_is_said(tmp_path):
    figure = next(figure for figure in STEPS if figure.ratio > 0)
    assert figure.ratio > 1
    where = {"problem": figure.problem}
    rows = trained(figure.other, 3e-3, **where) + trained(figure.implementation, 1e-3, **where)
    answer = answered(tmp_path, rows + trained("base", 1e-3, **where))[TITLE]
    assert answer.sentence.startswith(
        "Of 1 published pair, the same implementation is faster here in 0, the other one in 1."
    )


def test_a_pair_whose_interval_holds_1_is_counted_apart(tmp_path):
    figure = next(figure for figure in STEPS if figure.ratio > 0)
    where = {"problem": figure.problem}
    rows = trained(figure.other, 1e-3, **where) + trained(figure.implementation, 1e-3, **where)
    answer = answered(tmp_path, rows + trained("base", 1e-3, **where))[TITLE]
    assert "in 0, the other one in 0; in 1 the interval holds 1." in answer.sentence


def test_a_published_time_stands_beside_ours(tmp_path):
    figure = next(figure for figure in STEPS if figure.seconds > 0)
    (row,) = cells(answered(tmp_path, trained(figure.implementation, 2e-3, problem=figure.problem))[TITLE])
    assert row["published"] == "9.76 ms"
    assert row["ours"].startswith("2.00")


def test_a_figure_whose_other_arm_did_not_run_is_left_out(tmp_path):
    figure = next(figure for figure in STEPS if figure.ratio > 0)
    assert TITLE not in answered(tmp_path, trained(figure.implementation, 2e-3, problem=figure.problem))


def test_the_cost_of_lengths_is_the_ratio_to_the_same_problem_without(tmp_path):
    rows = trained("base", 1e-3, problem="t1-b1-i1-h1") + trained("base", 5e-3, problem="t1-b1-i1-h1-var")
    rows += trained("other", 2e-3, problem="t1-b1-i1-h1") + trained("other", 2e-3, problem="t1-b1-i1-h1-var")
    answer = answered(tmp_path, rows)[COST]
    found = {row["implementation"]: row["cost"] for row in cells(answer)}
    assert found["base"].startswith("5.00")
    assert found["other"].startswith("1.00")
    assert "A training step of base takes 5.00 × at t1-b1-i1-h1-var." in answer.sentence
    said = "Relative to base with the same lengths, a training step of other takes 0.40 × at t1-b1-i1-h1-var."
    assert answer.sentence.endswith(said)
    assert "same lengths" not in answered(tmp_path, rows[: len(rows) // 2])[COST].sentence


def test_lengths_without_their_like_cost_nothing_known(tmp_path):
    assert COST not in answered(tmp_path, trained("base", 1e-3, problem="t1-b1-i1-h1-var"))
    assert COST not in answered(tmp_path, trained("base", 1e-3, problem="t1-b1-i1-h1"))

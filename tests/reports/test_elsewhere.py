"""Published figures beside the run's own."""

import pytest

from impls.core import registry
from impls.core.problem import Problem
from reports.parts.elsewhere import figures
from tests.helpers.answers import answered
from tests.helpers.records import trained

TITLE = "What have others published?"
FIGURES = list(figures().itertuples())
STEPS = [figure for figure in FIGURES if figure.mode == "train_step"]
PAIR = next(figure for figure in STEPS if figure.ratio > 1)
ALONE = next(figure for figure in STEPS if figure.seconds > 0)


def cells(answer):
    return [{column.key: column.cell(row) for column in answer.columns} for row in answer.rows]


def test_every_figure_is_of_a_problem_and_of_implementations_that_there_are():
    for figure in FIGURES:
        Problem.parse(figure.problem)
        names = {figure.implementation, *([figure.other] if isinstance(figure.other, str) else [])}
        assert names <= set(registry.catalogue())
        assert figure.source.startswith("https://")
        assert (figure.ratio > 0) == isinstance(figure.other, str) == (not figure.seconds > 0)


@pytest.mark.parametrize(
    ("other", "mine", "said"),
    [
        (1e-3, 3e-3, "In the published pair, the same implementation is faster here."),
        (3e-3, 1e-3, "faster here in 0, the other one in 1."),
        (1e-3, 1e-3, "faster here in 0, the other one in 0; in 1 the interval holds 1."),
    ],
)
def test_a_published_ratio_stands_beside_ours_and_whether_its_order_holds_is_said(other, mine, said, tmp_path):
    rows = trained(PAIR.other, other, problem=PAIR.problem) + trained(PAIR.implementation, mine, problem=PAIR.problem)
    answer = answered(tmp_path, rows + trained("base", 1e-3, problem=PAIR.problem))[TITLE]
    assert said in answer.sentence
    (row,) = cells(answer)
    assert row["of"] == f"{PAIR.implementation} over {PAIR.other}"
    assert row["published"] == f"{PAIR.ratio:.2f}"
    assert float(row["ours"].partition(" ")[0]) == pytest.approx(mine / other, abs=5e-3)
    assert row["on"] == f"{PAIR.device}, {PAIR.year}"


def test_a_figure_whose_other_implementation_did_not_run_is_left_out(tmp_path):
    assert TITLE not in answered(tmp_path, trained(PAIR.implementation, 2e-3, problem=PAIR.problem))


def test_a_published_time_stands_beside_ours(tmp_path):
    (row,) = cells(answered(tmp_path, trained(ALONE.implementation, 2e-3, problem=ALONE.problem))[TITLE])
    assert (row["published"], row["ours"][:4]) == ("9.76 ms", "2.00")

"""The map of implementations and shapes."""

import pytest

from reports.heatmap import colour, maps
from reports.summary import summarise
from tests.helpers.records import failed, record, save, trained


def mapped(tmp_path, rows):
    return list(maps(summarise(save(tmp_path / "run", rows))))


def test_every_arm_and_shape_has_its_ratio_and_its_colour(tmp_path):
    rows = []
    for problem, ratio in (("p1", 0.6), ("p2", 3.0)):
        rows += trained("base", 1e-3, problem=problem) + trained("other", ratio * 1e-3, problem=problem, track="tuned")
    (found,) = mapped(tmp_path, rows)
    assert (found.mode, found.device, found.shapes) == ("train_step", "cpu", ["p1", "p2"])
    cells = {name: list(row) for name, row in found.rows}
    assert cells == {"base": [("1", "b4"), ("1", "b4")], "other": [("0.60", "b1"), ("3.00", "b8")]}


def test_what_is_unclear_is_marked_and_what_failed_says_how(tmp_path):
    where = {"workload": "sequence", "mode": "train_step"}
    rows = trained("base", 1e-3, problem="p1") + trained("base", 1e-3, problem="p2")
    rows += [record("odd", k, 1e-3 * (2 if k % 2 else 0.5), problem="p1", **where) for k in range(4)]
    rows += [failed("odd", k, "crashed", "SIGSEGV", problem="p2", **where) for k in range(4)]
    (found,) = mapped(tmp_path, rows)
    odd = dict(found.rows)["odd"]
    assert odd[0][1].endswith(" unclear")
    assert odd[1] == ("crashed", "")


def test_the_peak_has_no_place_and_one_shape_is_no_map(tmp_path):
    rows = trained("base", 1e-3) + trained("other", 2e-3)
    assert mapped(tmp_path, rows) == []
    more = rows + trained("base", 1e-3, problem="q") + trained("peak", 1e-4, track="peak", problem="q")
    (found,) = mapped(tmp_path / "more", more)
    assert [name for name, _ in found.rows] == ["base", "other"]
    assert [text for text, _ in dict(found.rows)["other"]] == ["2.00", "–"]


@pytest.mark.parametrize(
    ("ratio", "number"), [(0.1, 0), (0.5, 0), (0.51, 1), (0.9, 3), (1.0, 4), (1.04, 5), (2.0, 7), (5.0, 8), (80.0, 9)]
)
def test_colours_go_from_much_faster_to_much_slower(ratio, number):
    assert colour(ratio) == number

"""Which run each part of a page is taken from."""

import dataclasses

import pandas as pd
import pytest

from reports import composition, today, tracks
from reports.charts.drawing import Drawing
from reports.headline import recommendations
from reports.report import Report, Shown
from reports.summary import summarise
from tests.helpers.records import failed, record, save, trained, with_baseline

FULL = ("forward", "train_step", "backward")


def measured(folder, run_id, names=("base",), problems=("p",), modes=FULL, **machine):
    """A run of some implementations, as the page gets it."""
    arms = [(k, name, mode, problem) for problem in problems for mode in modes for k, name in enumerate(names, 1)]
    rows = [row for k, name, mode, p in arms for row in trained(name, 1e-3 * k, mode, problem=p, run_id=run_id)]
    run = save(folder / run_id, rows, run_id, **machine)
    return Report(run, summarise(run), run_id)


def test_the_run_of_most_implementations_of_todays_code_comes_first_and_then_the_newest(tmp_path):
    """A newer run of older code, however much it compares, heads no page and answers nothing that today's code does."""
    runs = []
    for run_id, names, digest in (
        ("20260101T000000-a", ("torch_lstm", "jax_scan"), {}),
        ("20260102T000000-b", ("torch_lstm", "jax_scan"), {}),
        ("20260103T000000-c", ("torch_lstm",), {}),
        ("20260104T000000-d", ("torch_lstm", "jax_scan", "torch_cell"), {"digest": "0" * 16}),
    ):
        rows = [row for name in names for row in trained(name, 1e-3, run_id=run_id, **digest)]
        runs.append(save(tmp_path / run_id, rows, run_id))
    assert [each.run_id[-1] for each in today.in_order(runs)] == ["b", "a", "c", "d"]


def test_an_answer_is_not_from_a_row_of_older_code(tmp_path):
    rows = trained("base", 1e-3) + trained("torch_cell", 2e-3) + trained("jax_scan", 5e-4, digest="0" * 16)
    (found,) = recommendations(Report(run := save(tmp_path / "run", rows), summarise(run)))
    assert found.compared == 2
    assert "jax_scan" not in found.sentence


def test_a_run_stands_on_its_machine_where_it_measured_what_no_run_before_it_has(tmp_path):
    reports = [
        measured(tmp_path, "full", ("base", "other")),
        measured(tmp_path, "quick", ("base",), modes=("forward",)),
        measured(tmp_path, "more", ("base", "third"), modes=("forward",)),
        measured(tmp_path, "shape", ("base",), ("q",)),
        measured(tmp_path, "there", family=26),
        measured(tmp_path, "like it", family=26, stepping=2),
    ]
    found = {machine.label: [each.name for each in machine.runs] for machine in composition.machines(reports)}
    assert found == {
        "a cpu": ["full", "more", "shape"],
        "a cpu, family 26": ["there"],
        "a cpu, family 26 (like it)": ["like it"],  # machines that read the same are told apart
    }


@pytest.fixture
def machine(tmp_path):
    """A machine with a full run, one of a third implementation, and one of another shape."""
    full = measured(tmp_path, "full", ("base", "other"), ("p", "o"))
    more = measured(tmp_path, "more", ("base", "other", "third"), modes=("train_step",))
    shape = measured(tmp_path, "shape", ("base", "other"), ("q",))
    (found,) = composition.machines([full, more, shape])
    return found


def test_the_advice_is_from_the_run_that_compared_most_implementations(machine):
    said = {(each.problem, each.mode): each.report.name for each in composition.advice(machine)}
    modes = ("train_step", "forward")
    assert said == {("p", "train_step"): "more", ("p", "forward"): "full"} | {
        (problem, mode): name for problem, name in (("o", "full"), ("q", "shape")) for mode in modes
    }


def test_the_map_has_the_shapes_of_the_first_run_with_what_the_advice_is_from(machine):
    training, inference = composition.maps(machine.head, composition.advice(machine))
    assert list(training.shapes) == list(inference.shapes) == ["p", "o"]
    cells = {name: [text for text, _ in row] for name, row in training.rows}
    assert cells == {"base": ["1", "1"], "other": ["2.00", "2.00"], "third": ["3.00", "–"]}
    assert [name for name, _ in inference.rows] == ["base", "other"]


def test_a_shape_whose_advice_has_another_baseline_is_not_in_the_map(tmp_path):
    full = measured(tmp_path, "full", ("base", "other"), ("p", "o", "n"))
    more = measured(tmp_path, "more", ("base", "other", "third"), modes=("train_step",))
    run = with_baseline(more.run, "other")
    (machine,) = composition.machines([full, Report(run, summarise(run), "more")])
    found = {each.mode: each.shapes for each in composition.maps(machine.head, composition.advice(machine))}
    assert found == {"train_step": ["o", "n"], "forward": ["p", "o", "n"]}


def test_a_chart_is_of_the_first_run_or_of_the_one_that_shows_most_on_the_first_machine_that_has_it(tmp_path):
    def shown(name, marks, problem=None):
        picture = Drawing(name, name, name, problem, None, ["a mark"] * marks, None, "<svg/>", "<svg/>")
        return Shown(picture, "more", 1, {"ratio": "head", "every": "every"}.get(name[:5], "most"))

    charts = {
        "full": [shown("ratio-a", 1), shown("sizes-a", 2), shown("every", 1)],
        "shape": [shown("ratio-a", 9), shown("sizes-a", 5), shown("directions-q", 3, "q")],
        "other": [shown("sizes-a", 9), shown("every", 1), shown("rates-a", 1), shown("directions-p", 2, "p")],
    }
    machines = {"full": {}, "shape": {"problems": ("q",)}, "other": {"family": 26}}
    drawn = [
        dataclasses.replace(measured(tmp_path, name, **known), shown=charts[name]) for name, known in machines.items()
    ]
    found = composition.sections(composition.machines(drawn))["more"]
    assert sorted((each.name, report.name) for each, report in found) == [
        ("directions-p", "other"), ("every", "full"), ("every", "other"), ("rates-a", "other"), ("ratio-a", "full"),
        ("sizes-a", "shape"),
    ]  # fmt: skip


def mapped(tmp_path, rows):
    run = save(tmp_path / "run", rows)
    (machine,) = composition.machines([Report(run, summarise(run))])
    found = composition.maps(machine.head, composition.advice(machine))
    return [(each.mode, each.shapes, dict(each.rows)) for each in found]


def test_every_arm_and_shape_has_its_ratio_and_its_colour_and_what_failed_says_how(tmp_path):
    where = {"workload": "sequence", "mode": "train_step"}
    rows = [row for problem in "pq" for row in trained("base", 1e-3, problem=problem)]
    rows += [*trained("tuned", 6e-4, problem="p", track="tuned"), *trained("tuned", 3e-3, problem="q", track="tuned")]
    rows += [record("odd", k, 1e-3 * (2 if k % 2 else 0.5), problem="p", **where) for k in range(4)]
    rows += [failed("odd", k, "crashed", "SIGSEGV", problem="q", **where) for k in range(4)]
    rows += trained("peak", 1e-4, track="peak", problem="q")
    ((mode, shapes, cells),) = mapped(tmp_path, rows)
    assert (mode, shapes) == ("train_step", ["p", "q"])
    assert cells == {
        "base": [("1", "b4"), ("1", "b4")],
        "odd": [("1.00", "b4 unclear"), ("crashed", "")],
        "tuned": [("0.60", "b1"), ("3.00", "b8")],
    }
    assert mapped(tmp_path / "one shape", [row for row in rows if row["problem"] == "p"]) == []


def test_rows_stand_by_track_then_by_their_mean_log_and_last_without_one():
    arms = [("slow", "default", 3.0), ("none", "default", None), ("tuned", "tuned", 0.1), ("quick", "default", 2.0)]
    rows = pd.DataFrame(arms, columns=["implementation", "track", "ratio"])
    assert tracks.in_order(rows, "ratio") == ["quick", "slow", "none", "tuned"]

"""Which run each part of a page is taken from."""

import dataclasses
from types import SimpleNamespace

import msgspec
import pytest

from reports import composition, parts
from reports.charts.drawing import Drawing
from reports.composition import colour, in_order, maps_of
from reports.report import Report, Shown
from reports.summary import summarise
from tests.helpers.records import described, failed, record, save, trained

FULL = ("forward", "train_step", "backward")


def measured(folder, run_id, names=("base",), problems=("p",), modes=FULL, family=None):
    """A run of some implementations, as the page gets it."""
    rows = [
        row
        for problem in problems
        for mode in modes
        for k, name in enumerate(names)
        for row in trained(name, 1e-3 * (k + 1), mode, problem=problem, run_id=run_id)
    ]
    run = save(folder / run_id, rows, run_id)
    run = described(run, machine=msgspec.structs.replace(run.metadata.machine, family=family))
    return Report(run, summarise(run), run_id)


def test_the_run_of_most_workloads_and_modes_comes_first_and_then_the_newest(tmp_path):
    def run(run_id, modes, problems=1):
        rows = [
            record("base", r, 1e-3, run_id=run_id, mode=f"m{k}", problem=f"p{j}")
            for k in range(modes)
            for j in range(problems)
            for r in (0, 1)
        ]
        return save(tmp_path / run_id, rows, run_id)

    many_shapes = run("20260104T000000-d", 2, problems=9)
    runs = [run("20260101T000000-a", 3), run("20260102T000000-b", 3), run("20260103T000000-c", 1), run("other", 1)]
    ordered = [each.run_id[-1] for each in in_order([*runs, many_shapes])]
    assert ordered == ["b", "a", "d", "c", "r"]
    assert in_order([]) == []


def standing(reported):
    return [[each.name for each in machine.runs] for machine in composition.machines(reported)]


def test_a_run_stands_where_it_measured_what_no_run_before_it_has(tmp_path):
    full = measured(tmp_path, "full", ("base", "other"))
    again = measured(tmp_path, "quick", ("base",), modes=("forward",))
    more = measured(tmp_path, "more", ("base", "third"), modes=("forward",))
    shape = measured(tmp_path, "shape", ("base",), ("q",))
    assert standing([full, again, more, shape]) == [["full", "more", "shape"]]


def test_each_machine_is_headed_by_a_run_of_its_own(tmp_path):
    here, there = measured(tmp_path, "here", family=25), measured(tmp_path, "there", family=26)
    found = composition.machines([here, there])
    assert [machine.head.name for machine in found] == ["here", "there"]
    assert [machine.label for machine in found] == ["a cpu, family 25", "a cpu, family 26"]


def test_machines_that_read_the_same_are_told_apart(tmp_path):
    here, there = measured(tmp_path, "here", family=25), measured(tmp_path, "there", family=25)
    run = there.run
    run = described(run, machine=msgspec.structs.replace(run.metadata.machine, stepping=2))
    labels = [each.label for each in composition.machines([here, dataclasses.replace(there, run=run)])]
    assert labels == ["a cpu, family 25", "a cpu, family 25 (there)"]


def test_the_advice_is_from_the_run_that_compared_most_implementations(tmp_path):
    full = measured(tmp_path, "full", ("base", "other"))
    more = measured(tmp_path, "more", ("base", "other", "third"), modes=("train_step",))
    shape = measured(tmp_path, "shape", ("base", "other"), ("q",))
    (machine,) = composition.machines([full, more, shape])
    said = {(each.problem, each.mode): each.report.name for each in composition.advice(machine)}
    assert said == {
        ("p", "train_step"): "more",
        ("p", "forward"): "full",
        ("q", "train_step"): "shape",
        ("q", "forward"): "shape",
    }


def test_the_map_has_the_shapes_of_the_first_run_with_what_the_advice_is_from(tmp_path):
    full = measured(tmp_path, "full", ("base", "other"), ("p", "o"))
    more = measured(tmp_path, "more", ("base", "other", "third"), modes=("train_step",))
    shape = measured(tmp_path, "shape", ("base", "other"), ("q",))
    (machine,) = composition.machines([full, more, shape])
    training, inference = composition.maps(machine.head, composition.advice(machine))
    assert list(training.shapes) == list(inference.shapes) == ["p", "o"]
    cells = {name: [text for text, _ in row] for name, row in training.rows}
    assert cells == {"base": ["1", "1"], "other": ["2.00", "2.00"], "third": ["3.00", "–"]}
    assert [name for name, _ in inference.rows] == ["base", "other"]


@pytest.fixture
def drawn(tmp_path):
    """Two runs of a machine and one of another, with charts that have nothing but a name and words."""

    def shown(name, marks, problem=None):
        picture = Drawing(name, name, name, problem, None, ["a mark"] * marks, None, "<svg/>", "<svg/>")
        return Shown(picture, "more", 1, "head" if name.startswith("ratio") else "most")

    full = measured(tmp_path, "full", problems=("p",), family=25)
    shape = measured(tmp_path, "shape", problems=("q",), family=25)
    other = measured(tmp_path, "other", problems=("p",), family=26)
    give = dataclasses.replace
    return [
        give(full, shown=[shown("ratio-a", 1), shown("sizes-a", 2)]),
        give(shape, shown=[shown("ratio-a", 9), shown("sizes-a", 5), shown("directions-q", 3, "q")]),
        give(other, shown=[shown("sizes-a", 9), shown("rates-a", 1), shown("directions-p", 2, "p")]),
    ]


def test_a_chart_is_of_the_first_run_or_of_the_one_that_shows_most_on_the_first_machine_that_has_it(drawn):
    found = composition.sections(composition.machines(drawn))["more"]
    chosen = {each.name: report.name for each, report in found}
    assert chosen == {"ratio-a": "full", "sizes-a": "shape", "rates-a": "other", "directions-p": "other"}
    assert [each.size for each, _ in found] == [1, 5, 1, 2]


def test_an_answer_is_of_the_run_with_most_to_say_and_figures_of_others_are_of_every_run(tmp_path):
    shapes = ("t100-b64-i512-h512", "t64-b16-i128-h128")
    pair = ("torch_lstm", "torch_lstm_native")
    full = measured(tmp_path, "full", ("base", *pair), shapes[1:], family=25)
    there = measured(tmp_path, "there", ("base", *pair), shapes[:1], family=26)
    again = measured(tmp_path, "again", ("base", *pair), shapes[:1], modes=("train_step",), family=25)
    reports = [dataclasses.replace(each, shown=list(parts.made(each))) for each in (full, there, again)]
    found = composition.sections(composition.machines(reports))
    assert {report.name for _, report in found["elsewhere"]} == {"again", "there"}
    assert len({each.name for each, _ in found["elsewhere"]}) == 1
    answers = [each.name for part in ("changes", "more") for each, _ in found.get(part, ())]
    assert answers
    assert len(answers) == len(set(answers))


def mapped(tmp_path, rows):
    run = save(tmp_path / "run", rows)
    return list(maps_of(Report(run, summarise(run)).asked))


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


def test_the_id_of_a_row_names_it_and_fits_an_address():
    row = SimpleNamespace(
        implementation="torch_lstm", problem="t1-b1-i1-h1", workload="sequence", mode="forward", device="cpu"
    )
    assert composition.address("", row) == "t1-b1-i1-h1/sequence/forward/torch_lstm"
    assert composition.address("run", row) == "run/t1-b1-i1-h1/sequence/forward/torch_lstm"
    hostile = composition.address("", SimpleNamespace(**{**vars(row), "implementation": 'a" b<'}))
    assert hostile == "t1-b1-i1-h1/sequence/forward/a-b-"
    on_a_gpu = SimpleNamespace(**{**vars(row), "device": "cuda"})
    assert composition.address("", on_a_gpu) == "t1-b1-i1-h1/sequence/forward/cuda/torch_lstm"

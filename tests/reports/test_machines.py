"""Which runs of a machine stand on a page, and which of them each part of it is from."""

import dataclasses

import pandas as pd
import pytest

from reports import code_age, machines, selection, tracks
from reports.charts.drawing import Drawing
from reports.machines import by_machine
from tests.helpers.answers import report_of
from tests.helpers.records import save, trained

FULL = ("forward", "train_step", "backward")


def measured(folder, run_id, names=("base",), problems=("p",), modes=FULL, **machine):
    """A run of some implementations, as the page gets it."""
    arms = [(k, name, mode, problem) for problem in problems for mode in modes for k, name in enumerate(names, 1)]
    rows = [row for k, name, mode, p in arms for row in trained(name, 1e-3 * k, mode, problem=p, run_id=run_id)]
    return report_of(save(folder / run_id, rows, run_id, **machine), run_id)


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
    assert [each.run_id[-1] for each in code_age.in_order(runs)] == ["b", "a", "c", "d"]


def test_a_release_of_a_file_is_of_todays_code_where_the_file_is(tmp_path):
    name = "jax_scan@jax==0.8.*"
    rows = [*trained("base", 1e-3), *trained(name, 1e-3, digest=code_age.digests()["jax_scan"])]
    assert code_age.is_today(pd.DataFrame(rows)).all()
    assert not code_age.is_today(pd.DataFrame(trained(name, 1e-3))).any(), "another digest"


def test_a_run_stands_on_its_machine_where_it_measured_what_no_run_before_it_has(tmp_path):
    reports = [
        measured(tmp_path, "full", ("base", "other")),
        measured(tmp_path, "quick", ("base",), modes=("forward",)),
        measured(tmp_path, "more", ("base", "third"), modes=("forward",)),
        measured(tmp_path, "shape", ("base",), ("q",)),
        measured(tmp_path, "there", family=26),
        measured(tmp_path, "like it", family=26, stepping=2),
    ]
    found = {machine.label: [each.name for each in machine.runs] for machine in by_machine(reports)}
    assert found == {
        "a cpu": ["full", "more", "shape"],
        "a cpu, family 26": ["there"],
        "a cpu, family 26 (like it)": ["like it"],  # machines that read the same are told apart
    }


def test_what_is_said_of_a_machine_has_every_implementation_each_of_the_first_run_that_has_it(tmp_path):
    full = measured(tmp_path, "full", ("base", "other"), ("p", "o"))
    more = measured(tmp_path, "more", ("base", "other", "third"), modes=("train_step",))
    rows = selection.sequences([full, more, measured(tmp_path, "shape", ("base", "other"), ("q",))])
    rows = rows[(rows["problem"] == "p") & (rows["mode"] == "train_step")]
    runs = {row.implementation: row.report.name for row in rows.itertuples()}
    assert runs == {"base": "full", "other": "full", "third": "more"}


def test_a_machine_shows_each_chart_of_the_run_that_has_most_of_it(tmp_path, monkeypatch):
    def shown(name, marks):
        return Drawing(name, name, name, ["a mark"] * marks, None, "<svg/>")

    full = dataclasses.replace(measured(tmp_path, "full"), shown=[shown("a", 2), shown("b", 3)])
    shape = dataclasses.replace(measured(tmp_path, "shape", problems="q"), shown=[shown("a", 5), shown("b", 3)])
    (machine,) = by_machine([full, shape])
    for new, of_a in ({"full": 2, "shape": 1}, "shape"), ({"full": 1, "shape": 0}, "full"):  # so many of today's code
        monkeypatch.setattr(machines, "of_today", lambda run, new=new: new[run.folder.name])
        found = [(each.name, report.name) for each, report in machine.shown]
        assert found == [("a", of_a), ("b", "full")]


def test_rows_stand_by_track_then_by_their_mean_log_and_last_without_one():
    arms = [("slow", "default", 3.0), ("none", "default", None), ("tuned", "tuned", 0.1), ("quick", "default", 2.0)]
    rows = pd.DataFrame(arms, columns=["implementation", "track", "ratio"])
    assert tracks.in_order(rows, "ratio") == ["quick", "slow", "none", "tuned"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["Intel Xeon, AMX", "AMD EPYC, family 25 (Zen 4)"], ["Intel Xeon", "AMD EPYC"]),
        (
            ["Intel Xeon, AMX", "AMD EPYC, family 25 (Zen 4)", "AMD EPYC, family 26 (Zen 5)"],
            ["Intel Xeon", "AMD EPYC (Zen 4)", "AMD EPYC (Zen 5)"],
        ),
        (["Intel Xeon, AMX", "Intel Xeon, AVX2"], ["Intel Xeon, AMX", "Intel Xeon, AVX2"]),
    ],
)
def test_two_machines_never_have_the_same_short_name(labels, names):
    assert machines.brands(labels) == dict(zip(labels, names, strict=True))

"""The figures of docs/cases.md come from published runs."""

import pytest

from impls.core.contract import MODES
from reports import formatting, frames
from reports.parts import answers, made
from reports.report import Report
from reports.summary import summarise
from tests.helpers.processes import ROOT
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.texts
PAGE = ROOT / "docs" / "cases.md"
NAMES = ("torch_lstm", "torch_cell", "keras_jax", "jax_scan")
COMPILED = ("torch_lstm", "torch_cell_compiled", "torch_scan", "torch_lstm_compiled", "jax_scan")


def newest(end):
    return max(path for path in PUBLISHED if path.name.endswith(end))


def table(head, rows):
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def packed(mode):
    """What lengths cost, by sequence length and implementation."""
    run = frames.read_run(newest("-packed"))
    answer = next(each for each in answers(made(Report(run, summarise(run)))) if "lengths" in each.title)
    found = {}
    for row in answer.rows:
        if row.mode == mode:
            steps = int(str(row.problem).split("-")[0].removeprefix("t"))
            found[steps, row.implementation] = formatting.interval(row.cost, row.cost_low, row.cost_high)
    steps = sorted({steps for steps, _ in found})
    return table(["T", *NAMES], [[str(t), *(found[t, name] for name in NAMES)] for t in steps])


def first_calls():
    """How long the first calls take at T = 64, in the order in which they were made."""
    summary = summarise(frames.read_run(newest("-all")))
    rows = summary[summary["workload"].eq("sequence") & summary["problem"].eq("t64-b16-i128-h128")]
    seconds = rows.set_index(["mode", "implementation"])["first_call_seconds"]
    return table(
        ["first call", *MODES],
        [[name, *(formatting.duration(seconds[mode, name]) for mode in MODES)] for name in COMPILED],
    )


TABLES = {
    "inference with lengths": lambda: packed("forward"),
    "training with lengths": lambda: packed("train_step"),
    "first calls": first_calls,
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_newest_published_run_gives(name):
    assert f"\n{TABLES[name]()}\n" in PAGE.read_text()

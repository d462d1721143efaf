"""What README and docs/cases.md show comes from published runs, whose tables tests/reports recomputes."""

import re

import pytest
import torch

from impls.core.contract import MODES
from reports import formatting, frames
from reports.run_folder import complete
from reports.summary import summarise
from tests.helpers.processes import ROOT
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.texts
FIGURE = re.compile(r"[\d.]+ \[[\d., ]+\]")


def newest(end):
    return max(path for path in PUBLISHED if path.name.endswith(end))


def test_each_figure_of_readme_stands_in_the_table_of_the_run_beside_the_same_name():
    page = (ROOT / "README.md").read_text()
    quoted = 0
    for k, table in enumerate(re.findall(r"(?m)^\| track.*(?:\n\|.*)*", page)):
        lines = (newest("-full" if k == 0 else "-all") / "table.md").read_text().splitlines()
        head, _, *rows = table.splitlines()
        for row in [head, *rows]:
            name = "torch_lstm" if row == head else row.split("|")[2].strip()
            there = "\n".join(line for line in lines if f"| {name} " in line)
            quoted += len(FIGURE.findall(row))
            assert [figure for figure in FIGURE.findall(row) if figure not in there] == [], name
    for row in page.partition("<!-- published -->")[2].partition("<!-- end of published -->")[0].splitlines()[3:]:
        there = (ROOT / re.search(r"\((reports/published/.*?/table\.md)\)", row)[1]).read_text()
        quoted += len(FIGURE.findall(row))
        assert [figure for figure in FIGURE.findall(row) if figure not in there] == []
    assert quoted > 60
    assert [path.name for path in PUBLISHED if f"reports/published/{path.name}/table.md" not in page] == []


def table(head, rows):
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def packed(mode, names=("torch_lstm", "torch_cell", "keras_jax", "jax_scan")):
    """What lengths cost, by sequence length and implementation."""
    run = frames.read_run(newest("-packed"))
    answer = next(each for each in complete(run).answers if "lengths" in each.title)
    found = {}
    for row in answer.rows:
        if row.mode == mode:
            steps = int(str(row.problem).split("-")[0].removeprefix("t"))
            found[steps, row.implementation] = formatting.interval(row.cost, row.cost_low, row.cost_high)
    steps = sorted({steps for steps, _ in found})
    return table(["T", *names], [[str(t), *(found[t, name] for name in names)] for t in steps])


def first_calls():
    """How long the first calls take at T = 64, in the order in which they were made."""
    names = ("torch_lstm", "torch_cell_compiled", "torch_scan", "torch_lstm_compiled", "jax_scan")
    summary = summarise(frames.read_run(newest("-all")))
    rows = summary[summary["workload"].eq("sequence") & summary["problem"].eq("t64-b16-i128-h128")]
    seconds = rows.set_index(["mode", "implementation"])["first_call_seconds"]
    lines = [[name, *(formatting.duration(seconds[mode, name]) for mode in MODES)] for name in names]
    return table(["first call", *MODES], lines)


def test_the_tables_of_cases_are_what_the_newest_published_runs_give():
    page = (ROOT / "docs" / "cases.md").read_text()
    for shown in (packed("forward"), packed("train_step"), first_calls()):
        assert f"\n{shown}\n" in page


@pytest.mark.process
def test_the_module_that_readme_uses_in_a_program_is_an_lstm():
    torch.manual_seed(0)
    code = re.search(r"```python\n(import torch\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    there = {}
    exec(code[1], there)
    same = torch.nn.LSTM(128, 128)
    same.load_state_dict(there["lstm"].state_dict())
    want, (h_n, c_n) = same(there["x"], (there["h0"], there["c0"]))
    got = there["output"], there["h_n"], there["c_n"]
    torch.testing.assert_close(got, (want, h_n, c_n), rtol=0, atol=2e-5)


def test_readme_shows_the_published_calibration():
    """Without it, no figure of the gate is claimed."""
    page = (ROOT / "README.md").read_text()
    shown = page.partition("<!-- calibration -->\n")[2].partition("<!-- end of calibration -->")[0]
    published = ROOT / "reports" / "published" / "calibration-family-25-model-1" / "calibration.md"
    assert shown.strip() == (published.read_text().strip() if published.exists() else "")

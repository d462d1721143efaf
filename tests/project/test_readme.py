"""What README shows comes from a published run's raw files."""

import math
import re
import statistics

import pandas as pd
import pytest
import torch

from reports import formatting, frames, tables
from reports.summary import summarise
from tests.helpers.processes import ROOT
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.texts
FULL, ALL = (max(path for path in PUBLISHED if path.name.endswith(end)) for end in ("-full", "-all"))


@pytest.mark.parametrize("folder", [FULL, ALL], ids=["full", "every implementation"])
def test_readme_shows_the_newest_published_runs(folder):
    """Bold is the fastest of its track; `unclear` stands beside a ratio whose verdict is that."""
    run = frames.read_run(folder)
    summary = summarise(run)
    rows = summary[(summary["workload"] == "sequence") & (summary["status"] == "ok")]
    known = {(row.mode, row.problem, row.implementation): row for row in rows.itertuples()}
    page = (ROOT / "README.md").read_text()
    quoted = 0
    modes = iter(["train_step", "train_step", "forward"])
    for k, table in enumerate(re.findall(r"(?m)^\| track.*(?:\n\|.*)*", page)):
        mode = next(modes)
        if (k == 0) != (folder == FULL):
            continue
        head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for number, (problem, _, time) in enumerate(cell.partition("<br>") for cell in head):
            if not time:
                continue
            base = known[mode, problem, run.baseline]
            assert time == formatting.time_with_interval(base.seconds, base.seconds_low, base.seconds_high)
            for line in lines:
                row = known.get((mode, problem, line[1]))
                if row is None:
                    assert line[number] == "–"
                    continue
                ratio = "1" if row.verdict == "baseline" else tables.ratio()(row)
                shown = f"**{ratio}**" if row.fastest == "yes" else ratio
                assert line[number] == shown + (" unclear" if row.verdict == "unclear" else "")
                quoted += 1
    assert quoted > 40


def test_readme_names_every_published_run_and_what_it_quotes_stands_in_its_table():
    page = (ROOT / "README.md").read_text()
    assert [path.name for path in PUBLISHED if f"reports/published/{path.name}/table.md" not in page] == []
    rows = page.partition("<!-- published -->")[2].partition("<!-- end of published -->")[0].splitlines()[3:]
    quoted = 0
    for row in rows:
        path = re.search(r"\((reports/published/.*?/table\.md)\)", row)
        table = (ROOT / path[1]).read_text()
        for figure in re.findall(r"[\d.]+ \[[\d., ]+\]|(?<= )\d\.\d+(?= )", row):
            assert figure in table, figure
            quoted += 1
    assert quoted >= 8


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_published_numbers_recomputed_from_single_turns(folder):
    """By other code than the report's: plain Python over the raw turns, one implementation and benchmark."""
    records = pd.read_parquet(folder / "results.parquet")
    records = records[records["track"] != "floor"]
    summary = summarise(frames.read_run(folder)).set_index(["problem", "workload", "mode", "implementation"])
    first = records[records["status"] == "ok"].iloc[0]
    key = (first["problem"], first["workload"], first["mode"])
    mine = records[(records[["problem", "workload", "mode"]] == list(key)).all(axis=1) & (records["status"] == "ok")]
    by_arm = {}
    for row in mine.to_dict("records"):
        blocks = {}
        for turn in row["turns"]:
            blocks.setdefault(turn["block"], []).append(math.log(statistics.median(turn["samples"])))
        by_arm.setdefault(row["implementation"], {})[row["replicate"]] = {k: sum(v) / 2 for k, v in blocks.items()}
    base = by_arm["torch_lstm"]
    for name, replicates in by_arm.items():
        if name == "torch_lstm":
            continue
        logs = [statistics.median(b[k] - base[r][k] for k in b) for r, b in replicates.items()]
        assert math.isclose(math.exp(sum(logs) / len(logs)), summary.loc[(*key, name), "ratio"], rel_tol=1e-9)


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

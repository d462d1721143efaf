"""What README and docs/cases.md show comes from published runs, whose tables tests/reports recomputes."""

import re

import pytest
import torch

from tests.helpers.processes import ROOT
from tests.helpers.records import PUBLISHED

pytestmark = pytest.mark.texts
README, CASES = ((ROOT / name).read_text() for name in ("README.md", "docs/cases.md"))
FIGURE = re.compile(r"[\d.]+ \[[\d., ]+\]|[\d.]+ m?s")


def published(end):
    """The lines of the newest run's tables."""
    return (max(path for path in PUBLISHED if path.name.endswith(end)) / "table.md").read_text().splitlines()


def cells(page, first):
    """The cells of each table whose head begins so."""
    for table in re.findall(rf"(?m)^\| {first} .*(?:\n\|.*)*", page):
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        yield head, rows


def quoted():
    """Each figure that a page has, the lines among which it must stand, and the words beside it."""
    for k, (head, rows) in enumerate(cells(README, "track")):
        lines = published("-full" if k == 0 else "-all")
        for row in [["", "torch_lstm", *head[2:]], *rows]:
            yield from ((figure, lines, (f"| {row[1]} ",)) for cell in row[2:] for figure in FIGURE.findall(cell))
    for head, rows in cells(CASES, "T"):
        for steps, *row in rows:
            yield from (
                (figure, published("-packed"), (f"| t{steps}-", f"| {name} "))
                for name, figure in zip(head[1:], row, strict=True)
            )
    for _, rows in cells(CASES, "first call"):
        yield from ((figure, published("-all"), (f"| {name} ",)) for name, *row in rows for figure in row)


def test_each_figure_stands_in_the_table_of_its_run_beside_its_name():
    found = list(quoted())
    assert len(found) > 130
    for figure, lines, words in found:
        assert any(all(word in line for word in (figure, *words)) for line in lines), (figure, words)


def test_readme_names_every_published_run_and_quotes_its_table():
    assert [path.name for path in PUBLISHED if f"reports/published/{path.name}/table.md" not in README] == []
    for row in README.partition("<!-- published -->")[2].partition("<!-- end of published -->")[0].splitlines()[3:]:
        there = (ROOT / re.search(r"\((reports/published/.*?/table\.md)\)", row)[1]).read_text()
        assert [figure for figure in re.findall(r"[\d.]+ \[[\d., ]+\]", row) if figure not in there] == []


@pytest.mark.process
def test_the_module_that_readme_uses_in_a_program_is_an_lstm():
    torch.manual_seed(0)
    code = re.search(r"```python\n(import torch\n.*?)```", README, re.DOTALL)
    there = {}
    exec(code[1], there)
    same = torch.nn.LSTM(128, 128)
    same.load_state_dict(there["lstm"].state_dict())
    want, (h_n, c_n) = same(there["x"], (there["h0"], there["c0"]))
    got = there["output"], there["h_n"], there["c_n"]
    torch.testing.assert_close(got, (want, h_n, c_n), rtol=0, atol=2e-5)


def test_readme_shows_the_published_calibration():
    """Without it, no figure of the gate is claimed."""
    shown = README.partition("<!-- calibration -->\n")[2].partition("<!-- end of calibration -->")[0]
    published = ROOT / "reports" / "published" / "calibration-family-25-model-1" / "calibration.md"
    assert shown.strip() == (published.read_text().strip() if published.exists() else "")

"""Maps and lines of sizes: what is on them is what was measured, and their marks lead to its rows."""

import re
import xml.etree.ElementTree as ET

import pytest

from reports import sizes
from reports.charts.drawing import WIDTH, specification, svg, write
from reports.parts.sizes import map_name
from reports.run_folder import complete
from reports.site.rows import row_id
from tests.helpers.records import save, trained

BATCHES, HIDDENS = (1, 16), (16, 64, 256)
SECONDS = {"base": 1e-3, "plain": 9e-4, "tuned": 5e-4}


def cells(mode="train_step", hiddens=HIDDENS, steps=64):
    """Records of every batch with every hidden size; at hidden size 256 the tuned code is slower than the baseline."""
    rows = []
    for batch in BATCHES:
        for hidden in hiddens:
            problem = f"t{steps}-b{batch}-i{hidden}-h{hidden}"
            for name, seconds in SECONDS.items():
                slow = 4 if name == "tuned" and hidden == 256 else 1
                track = "tuned" if name == "tuned" else "default"
                rows += trained(name, seconds * hidden * slow, mode, problem=problem, track=track)
    return rows


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rows = cells() + cells("forward") + trained("base", 1.0, problem="t64-b1-i16-h16-l2")
    return complete(save(tmp_path_factory.mktemp("run"), rows))


def shown(report, start):
    return {each.name: each for each in report.shown if getattr(each, "name", "").startswith(start)}


def test_the_largest_map_has_the_same_steps_options_and_rule_of_the_input(report):
    rows = sizes.sized(report.sound)
    assert sizes.map_of(report, "train_step")["problem"].nunique() == 6
    longer = rows[rows["hidden"] == 16].assign(steps=8, problem="t8")
    fixed = rows.assign(input=5, problem=rows["problem"] + "-i5")
    assert [len(group.drop_duplicates("problem")) for group in sizes.maps(rows)][:2] == [6, 6]  # of two modes
    assert next(sizes.maps(fixed[fixed["hidden"] > 16]))["input"].eq(5).all()
    assert all(group["steps"].eq(64).all() for group in sizes.maps(rows.merge(longer, how="outer")))


def test_a_size_with_few_cells_is_left_out_of_a_map(tmp_path):
    """Such as the shape of a line over the steps."""
    rows = cells() + trained("base", 1e-3, problem="t64-b1-i128-h128")
    full = sizes.map_of(complete(save(tmp_path, rows)), "train_step")
    assert {*full["hidden"]} == {128, *HIDDENS}  # of two batches, one is half
    more = [{**row, "problem": row["problem"].replace("-b1-", "-b4-")} for row in cells() if "-b1-" in row["problem"]]
    sparse = sizes.map_of(complete(save(tmp_path / "more", rows + more)), "train_step")
    assert {*sparse["hidden"]} == {*HIDDENS}


def test_a_line_has_one_size_that_differs(report):
    rows = sizes.sized(report.sound)
    lines = sizes.lines(rows, "hidden")
    assert [sorted(line["hidden"].unique()) for line in lines] == [[*HIDDENS]] * 4
    assert all(line["batch"].nunique() == 1 for line in lines)
    assert sizes.lines(rows, "steps") == []


def test_a_cell_of_the_map_has_the_fastest_plain_and_the_fastest_tuned_code(report):
    drawing = shown(report, "map-")[map_name("train_step")]
    text = svg(drawing)
    assert len(drawing.labels) == 2 * 6 == text.count("data-tip")
    assert sum("plain: plain 0.90" in label for label in drawing.labels) == 6
    assert sum("tuned: tuned 0.50" in label for label in drawing.labels) == 4
    assert sum("tuned: tuned 2.00" in label for label in drawing.labels) == 2
    assert "At 4 of 6 (batch 1 to 16, hidden size 16 to 64), tuned code is clearly faster" in drawing.alt
    root = ET.fromstring(text)
    assert float(root.get("width")) <= WIDTH
    known = {row_id(report, report, row) for row in report.summary.itertuples()}
    links = re.findall(r'href="rows\.html#([^"]+)"', text)
    assert len(links) == 12
    assert set(links) <= known


def test_what_is_unclear_is_hatched(tmp_path):
    rows = [row for row in cells() if row["replicate"] == 0]  # with one replicate all is
    unclear = svg(shown(complete(save(tmp_path, rows)), "map-")[map_name("train_step")])
    clear = svg(shown(complete(save(tmp_path / "all", cells())), "map-")[map_name("train_step")])
    assert unclear.count("<path") == clear.count("<path") + 12


def test_the_file_of_a_map_leads_to_the_page_of_its_run(report, tmp_path):
    drawing = write(shown(report, "map-")[map_name("forward")], tmp_path)
    assert (tmp_path / f"{drawing.name}.svg").read_text().count('"../rows.html#') == 12
    assert '"../rows' not in drawing.drawn


def test_the_chart_of_growth_has_the_time_of_a_step_and_names_the_fastest(report):
    (drawing,) = shown(report, "growth-hidden-train").values()
    assert drawing.chart().to_dict(validate=True)
    data = []
    for values in specification(drawing.chart())["datasets"].values():
        data += values
    times = [row["step_seconds"] for row in data if row["implementation"] == "base" and row["size"] == 64]
    assert times == pytest.approx([1e-3 * 64 / 64] * 2, rel=0.01)
    assert f"plain, t64-b1-i16-h16: {0.9e-3 * 16 / 64 * 1e6:.0f} µs a step" in drawing.labels
    assert len(drawing.labels) == 18


def test_the_chart_of_growth_has_a_panel_for_the_smallest_the_middle_and_the_largest_batch(tmp_path):
    rows = []
    for batch in (1, 2, 4, 8, 16):
        for hidden in (16, 64, 128, 256)[: 4 if batch == 4 else 3]:
            rows += trained("base", 1e-3 * hidden, problem=f"t64-b{batch}-i{hidden}-h{hidden}")
    (drawing,) = shown(complete(save(tmp_path, rows)), "growth-hidden").values()
    panels = [panel["title"]["text"] for panel in specification(drawing.chart())["vconcat"]]
    assert panels == [f"64 steps, batch {batch}" for batch in (1, 4, 16)]


def test_a_run_without_sizes_has_no_map(tmp_path):
    few = complete(save(tmp_path, cells(hiddens=(16,))))
    assert not shown(few, "map-")
    assert not shown(few, "growth-")

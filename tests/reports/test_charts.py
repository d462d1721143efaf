"""Charts: what is drawn is what was measured; they fit, and are read in the light and in the dark."""

import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from reports import parts
from reports.charts import shapes, style
from reports.charts.drawing import WIDTH, Drawing, specification, svg, write
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import record, save

SECONDS = {"base": 1e-3, "quick": 5e-4, "slow": 3e-3}
MODES = {"forward": 1.0, "forward_train": 1.2, "backward": 2.0, "train_step": 3.1}


def rows(replicates=3, names=SECONDS, modes=MODES, **changes):
    """Records of a sequence, no two of whose numbers are alike."""
    found = []
    for replicate in range(replicates):
        for mode, factor in modes.items():
            for k, (name, seconds) in enumerate(names.items()):
                own = {
                    "track": "tuned" if name == "quick" else "default",
                    "error": 1e-7 * (k + 2),
                    "workload": "sequence",
                    "mode": mode,
                }
                drift = 1 + 0.02 * ((3 * replicate + k) % 4)
                row = record(name, replicate, seconds * factor**1.1 * drift, **{**own, **changes})
                for turn in row["turns"]:
                    turn["started"] = 1e9 + 60 * replicate + len(found) / 7 + turn["position"] / 50 + turn["block"]
                    turn["seconds"] *= 1 + 0.01 * turn["position"]
                found.append(row)
    return found


def drawn(folder, records):
    """The summary of a run, and its charts by their names."""
    run = save(folder, records)
    summary = summarise(run)
    found = [each.what for each in parts.made(Report(run, summary))]
    return summary, {what.name: what for what in found if isinstance(what, Drawing)}


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("one"), rows())


def rows_in(drawing, *columns):
    """The rows of data of a chart that have these columns."""
    found = specification(drawing)["datasets"].values()
    return pd.DataFrame([row for rows in found for row in rows if set(columns) <= set(row)])[list(columns)]


def placed(drawing):
    """What each mark of a chart says, with where it stands: text, x, y in pixels within its panel."""
    found = []
    for element in ET.fromstring(svg(drawing)).iter():
        if said := element.get("data-tip"):
            x, y = map(float, re.findall(r"translate\(([-\d.e]+),([-\d.e]+)\)", element.get("transform"))[-1])
            found.append((said, x, y))
    return found


def test_every_chart_fits_its_width_and_is_read_in_the_light_and_in_the_dark(one):
    for drawing in one[1].values():
        assert drawing.alt.endswith(".")
        # drawing itself does not check the specification: that takes a tenth of the time of a report
        assert drawing.chart().to_dict(validate=True) == drawing.chart().to_dict(validate=False)
        text = svg(drawing)
        root = ET.fromstring(text)
        assert float(root.get("width")) <= WIDTH + 16, drawing.name
        fonts = {element.get("font-size") for element in root.iter()} - {None}
        assert root.get("font-size")
        assert all(float(size.removesuffix("px")) >= 11 for size in fonts), drawing.name
        assert set(re.findall(r'(?:fill|stroke)="(#\w+)"', text)) <= set(style.DARK), drawing.name


def test_a_dot_is_the_best_of_its_framework_and_the_baseline_is_the_line(tmp_path):
    versions = {"base": "torch 2", "quick": "torch 2", "slow": "torch 2", "other": "jax 1", "far": "numpy 2"}
    seconds = {**SECONDS, "other": 2e-3, "far": 1.0}
    records = rows(names=seconds, modes={"train_step": 1})
    records = [{**row, "versions": versions[row["implementation"]], "problem": "t8-b2-i4-h4"} for row in records]
    summary = summarise(save(tmp_path, records))
    drawing = shapes.draw("a cpu", "train_step", "cpu", [summary], "base")
    assert [said.split(":")[0] for said in drawing.said] == ["quick, t8-b2-i4-h4", "other, t8-b2-i4-h4"]
    assert "1 slower than 8" in drawing.alt
    words = {element.text for element in ET.fromstring(svg(drawing)).iter()}
    assert {"quick", "other", "t8-b2", "i4-h4"} <= words  # labelled directly
    assert drawing.chart().to_dict(validate=True)
    assert shapes.draw("a cpu", "train_step", "cpu", [summary[summary["implementation"] == "base"]], "base") is None


def test_errors_drawn_are_the_summarys_and_none_stands_at_the_left(tmp_path):
    records = [{**row, "error": 0.0 if row["implementation"] == "quick" else row["error"]} for row in rows(2)]
    summary, found = drawn(tmp_path, records)
    mine = summary[summary["mode"] == "train_step"].set_index("implementation")["error"]
    shown = rows_in(found["accuracy-float32-cpu"], "implementation", "error").set_index("implementation")["error"]
    assert shown.to_dict() == mine.to_dict()
    assert rows_in(found["accuracy-float32-cpu"], "at")["at"].tolist() == [2**-23]  # the spacing of float32 at 1
    assert min(placed(found["accuracy-float32-cpu"]), key=lambda mark: mark[1])[0] == "quick, p: no error"


def test_the_file_of_a_chart_has_its_dark_colors(one, tmp_path):
    write(one[1]["accuracy-float32-cpu"], tmp_path)
    dark = (tmp_path / "accuracy-float32-cpu.svg").read_text().partition("prefers-color-scheme: dark")[2]
    assert f'svg [fill="{style.BLUE}"]{{fill:{style.DARK[style.BLUE]}}}' in dark
    assert (tmp_path / "accuracy-float32-cpu.png").read_bytes().startswith(b"\x89PNG")


def test_what_failed_is_not_drawn(tmp_path):
    failed = {"status": "crashed", "reason": "killed", "seconds": None, "turns": None, "error": None}
    records = [row if row["implementation"] != "base" else {**row, **failed} for row in rows()]
    _, found = drawn(tmp_path, records)
    assert {said.split(",")[0] for said, _, _ in placed(found["accuracy-float32-cpu"])} == {"quick", "slow"}
    assert drawn(tmp_path, [{**row, **failed} for row in rows()])[1] == {}


def test_a_long_name_may_have_any_sign(tmp_path):
    """Vega cuts names between the two halves of a sign, which no SVG can hold."""
    name = "🔥" * 40
    _, found = drawn(tmp_path, [*rows(1), *rows(1, {name: 2e-3, f"a{name}": 2e-3})])
    for drawing in found.values():
        svg(drawing)


@pytest.mark.parametrize("shown", [(1e-6, 1e3), (1.05, 1.13), (0.4, 2.5), (3e-4, 2e-2)])
@pytest.mark.parametrize("most", [3, 8])
def test_a_log_axis_has_a_few_round_ticks(shown, most):
    ticks = style.ticks(*shown, most)
    assert 2 <= len(ticks) <= 10
    assert all(shown[0] <= tick <= shown[1] for tick in ticks)
    assert all(len(f"{tick:.12g}".strip("0").replace(".", "").lstrip("0").split("e")[0]) <= 3 for tick in ticks)

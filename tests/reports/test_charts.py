"""Charts: what is drawn is what was measured; they fit, and are read in the light and in the dark."""

import re
import xml.etree.ElementTree as ET

import pytest

from reports.charts import shapes, style
from reports.charts.drawing import WIDTH, specification, svg, write
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


def drawn(folder, records, mode="train_step"):
    """The summary of a run, and the dot plot of its shapes; None where there is none."""
    summary = summarise(save(folder, records)).assign(older=False)
    timed = summary[(summary["mode"] == mode) & (summary["status"] == "ok")]
    return summary, shapes.draw("a cpu", mode, "cpu", [timed], "base")


def of_frameworks(records):
    """The same records, each implementation of a framework of its own."""
    return [{**row, "versions": f"{row['implementation']} 1"} for row in records]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("one"), of_frameworks(rows()))


def test_every_chart_fits_its_width_and_is_read_in_the_light_and_in_the_dark(one):
    drawing = one[1]
    assert drawing.alt.endswith(".")
    # drawing itself does not check the specification: that takes a tenth of the time of a report
    assert drawing.chart().to_dict(validate=True) == drawing.chart().to_dict(validate=False)
    text = svg(drawing)
    root = ET.fromstring(text)
    assert float(root.get("width")) <= WIDTH + 16
    fonts = {element.get("font-size") for element in root.iter()} - {None}
    assert all(float(size.removesuffix("px")) >= 11 for size in fonts)
    assert set(re.findall(r'(?:fill|stroke)="(#\w+)"', text)) <= set(style.DARK)


def test_a_dot_is_the_best_of_its_framework_and_the_baseline_is_the_line(tmp_path):
    versions = {"base": "torch 2", "quick": "torch 2", "slow": "torch 2", "other": "jax 1", "far": "numpy 2"}
    seconds = {**SECONDS, "other": 2e-3, "far": 1.0}
    records = rows(names=seconds, modes={"train_step": 1})
    records = [{**row, "versions": versions[row["implementation"]], "problem": "t8-b2-i4-h4"} for row in records]
    summary = summarise(save(tmp_path, records)).assign(older=False)
    drawing = shapes.draw("a cpu", "train_step", "cpu", [summary], "base")
    assert [label.split(":")[0] for label in drawing.labels] == ["quick, t8-b2-i4-h4", "other, t8-b2-i4-h4"]
    assert "1 slower than 8" in drawing.alt
    words = {element.text for element in ET.fromstring(svg(drawing)).iter()}
    assert {"quick", "other", "t8-b2", "i4-h4"} <= words  # labelled directly
    assert drawing.chart().to_dict(validate=True)
    assert shapes.draw("a cpu", "train_step", "cpu", [summary[summary["implementation"] == "base"]], "base") is None


def test_ratios_drawn_are_the_summarys_with_their_intervals(one):
    summary, drawing = one
    wanted = summary[(summary["mode"] == "train_step") & (summary["implementation"] != "base")]
    ends = ["ratio", "ratio_low", "ratio_high"]
    (data,) = (rows for rows in specification(drawing)["datasets"].values() if "ratio" in rows[0])
    shown = {row["implementation"]: [row[end] for end in ends] for row in data}
    assert shown == {row.implementation: [getattr(row, end) for end in ends] for row in wanted.itertuples()}


def test_the_file_of_a_chart_has_its_dark_colors(one, tmp_path):
    name = write(one[1], tmp_path).name
    dark = (tmp_path / f"{name}.svg").read_text().partition("prefers-color-scheme: dark")[2]
    assert f'svg [fill="{style.BLUE}"]{{fill:{style.DARK[style.BLUE]}}}' in dark


def test_what_failed_is_not_drawn(tmp_path):
    failed = {"status": "crashed", "reason": "killed", "seconds": None, "turns": None, "error": None}
    records = [row if row["implementation"] != "slow" else {**row, **failed} for row in of_frameworks(rows())]
    assert [label.split(",")[0] for label in drawn(tmp_path, records)[1].labels] == ["quick"]
    without = [row if row["implementation"] != "base" else {**row, **failed} for row in records]
    assert drawn(tmp_path, without)[1] is None

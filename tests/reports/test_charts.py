"""Charts: what is drawn is what was measured; they fit, and are read in the light and in the dark."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from reports.charts import past, shapes, style
from reports.charts.drawing import WIDTH, specification, svg, write
from reports.headline import Recommendation
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
                track = "tuned" if name == "quick" else "default"
                own = {"track": track, "error": 1e-7 * (k + 2), "workload": "sequence", "mode": mode}
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
    return summary, drawn_of(summary[(summary["mode"] == mode) & (summary["status"] == "ok")], mode)


def drawn_of(timed, mode="train_step"):
    """The dot plot of the rows of one shape."""
    return shapes.draw("a cpu", [Recommendation("base", "p", mode, "cpu", [], timed, None)])


def of_frameworks(records):
    """The same records, each implementation of a framework of its own."""
    return [{**row, "versions": f"{row['implementation']} 1"} for row in records]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("one"), of_frameworks(rows()))


def of_rounds():
    """The chart of two rows: of more rounds than a phone has room for, and of few, one of which has one replicate."""
    many = pd.DataFrame({"round": [f"202612{day:02d}T000000-r" for day in range(1, 31)], "is_ratio": True})
    value = np.linspace(1.1, 1.9, 30)
    many = many.assign(value=value, low=0.9 * value, high=1.1 * value, label=many["round"])
    many = many.assign(mark=[*past.LOOKS] * 5, older=many["round"] < "20261210")
    few = many.head(3).assign(high=[np.inf, 2, 2], is_ratio=False)
    return past.svg("a title", [("training", many), ("inference", few)])


def test_every_chart_fits_its_width_and_is_read_in_the_light_and_in_the_dark(one):
    drawing = one[1]
    assert drawing.alt.endswith(".")
    # drawing itself does not check the specification: that takes a tenth of the time of a report
    assert drawing.chart().to_dict(validate=True) == drawing.chart().to_dict(validate=False)
    for text in (svg(drawing), of_rounds()):
        root = ET.fromstring(text)
        assert float(root.get("width")) <= WIDTH + 16
        fonts = {element.get("font-size") for element in root.iter()} - {None}
        assert all(float(size.removesuffix("px")) >= 11 for size in fonts)
        assert set(re.findall(r'(?:fill|stroke)="(#\w+)"', text)) <= set(style.DARK)


def test_a_mark_of_each_round_is_hollow_where_its_code_is_older():
    root = ET.fromstring(of_rounds())
    marks = [element for element in root.iter() if element.get("data-tip")]
    assert len(marks) == 33
    hollow = {mark.get("data-tip") for mark in marks if mark.get("fill") == style.PAPER}
    assert hollow == {f"202612{day:02d}T000000-r" for day in range(1, 10)}
    days = {element.text for element in root.iter()} & {f"12-{day:02d}" for day in range(1, 31)}
    assert "12-01" in days
    assert 5 < len(days) < 15  # as many as there is room for


@pytest.mark.parametrize("ends", [(0.97, 1.004), (0.1, 30.0), (1.6, 1.9), (0.003, 0.008), (5.0, 5.0)])
def test_an_axis_has_a_few_numbers(ends):
    numbers = list(past.ticks(*ends))
    assert 1 <= len(numbers) <= 6
    assert 0.999 * ends[0] <= min(numbers) <= 3 * ends[0]
    assert max(numbers) <= 1.001 * ends[1]


def test_a_dot_is_the_best_of_its_framework_and_the_baseline_is_the_line(tmp_path):
    versions = {"base": "torch 2", "quick": "torch 2", "slow": "torch 2", "other": "jax 1", "far": "numpy 2"}
    seconds = {**SECONDS, "other": 2e-3, "far": 1.0}
    records = rows(names=seconds, modes={"train_step": 1})
    records = [{**row, "versions": versions[row["implementation"]], "problem": "t8-b2-i4-h4"} for row in records]
    summary = summarise(save(tmp_path, records)).assign(older=False)
    drawing = drawn_of(summary)
    assert [label.split(":")[0] for label in drawing.labels] == ["quick, t8-b2-i4-h4", "other, t8-b2-i4-h4"]
    assert "1 slower than 8" in drawing.alt
    words = {element.text for element in ET.fromstring(svg(drawing)).iter()}
    assert {"quick", "other", "t8-b2", "i4-h4"} <= words  # labelled directly
    assert drawing.chart().to_dict(validate=True)
    assert drawn_of(summary[summary["implementation"] == "base"]) is None


def test_ratios_drawn_are_the_summarys_with_their_intervals(one):
    summary, drawing = one
    wanted = summary[(summary["mode"] == "train_step") & (summary["implementation"] != "base")]
    ends = ["ratio", "ratio_low", "ratio_high"]
    (data,) = (rows for rows in specification(drawing.chart())["datasets"].values() if "ratio" in rows[0])
    tips = [element.get("data-tip") for element in ET.fromstring(svg(drawing)).iter() if element.get("data-tip")]
    assert sorted(tips) == sorted(drawing.labels), "with all their digits"
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

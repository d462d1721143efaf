"""Charts: what is drawn is what was measured; the same bytes for the same records; hostile names; light and dark."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from reports import history, parts
from reports.charts import style
from reports.charts.drawing import NARROW, WIDE, Drawing, specification, svg
from reports.parts import sizes
from reports.report import Report
from reports.summary import summarise
from tests.helpers.records import record, save

SECONDS = {"base": 1e-3, "quick": 5e-4, "slow": 3e-3}
TRACKS = {"quick": "tuned"}
MODES = {"forward": 1.0, "forward_train": 1.2, "backward": 2.0, "train_step": 3.1}


def rows(replicates=3, names=SECONDS, modes=MODES, **changes):
    """Records of a sequence, no two of whose numbers are alike."""
    found = []
    for replicate in range(replicates):
        for mode, factor in modes.items():
            for k, (name, seconds) in enumerate(names.items()):
                drift = 1 + 0.02 * ((3 * replicate + k) % 4)
                own = {
                    "track": TRACKS.get(name, "default"),
                    "error": 1e-7 * (k + 2),
                    "workload": "sequence",
                    "mode": mode,
                }
                row = record(name, replicate, seconds * factor**1.1 * drift, **{**own, **changes})
                for turn in row["turns"]:
                    turn["started"] = 1e9 + 60 * replicate + len(found) / 7 + turn["position"] / 50 + turn["block"]
                    turn["seconds"] *= 1 + 0.01 * turn["position"]
                found.append(row)
    return found


def drawn(folder, records):
    run = save(folder / "run", records)
    summary = summarise(run)
    found = [each.what for each in parts.made(Report(run, summary))]
    return run, summary, {what.name: what for what in found if isinstance(what, Drawing)}


def written(run, folder):
    """The charts of a run, written into a folder."""
    found = [each.what for each in parts.drawn(parts.made(Report(run, summarise(run))), folder)]
    return [what for what in found if isinstance(what, Drawing)]


def shape(t=8, b=2, i=4, h=4):
    return {"problem": f"t{t}-b{b}-i{i}-h{h}", "seq_len": t, "batch": b, "input_size": i, "hidden_size": h}


def swept():
    shapes = [*({"t": t} for t in (8, 16, 32)), {"b": 4}, *({"i": h, "h": h} for h in (8, 16))]
    return [
        row
        for k, one in enumerate(shapes)
        for row in rows(2, {"base": 1e-3 * (k + 1), "quick": 4e-4 * (k + 1)}, {"forward": 1}, **shape(**one))
    ]


def rows_in(drawing, *columns):
    """The rows of data of a chart that have these columns."""
    found = specification(drawing, WIDE)["datasets"].values()
    return pd.DataFrame([row for rows in found for row in rows if set(columns) <= set(row)])[list(columns)]


def marks(drawing, width=WIDE):
    """What each mark of a chart says, with where it stands: text, x, y in pixels within its panel."""
    found = []
    for element in ET.fromstring(svg(drawing, width)).iter():
        if said := element.get("data-tip"):
            x, y = map(float, re.findall(r"translate\(([-\d.e]+),([-\d.e]+)\)", element.get("transform"))[-1])
            found.append((said, x, y))
    return found


def test_which_charts_there_are_and_in_which_order(tmp_path):
    _, _, one = drawn(tmp_path, rows())
    known = [
        "ratio-sequence-forward-cpu",
        "ratio-sequence-train_step-cpu",
        "directions-p",
        "accuracy-float32-cpu",
        "drift",
    ]
    assert [name for name in one if name in known] == known  # others may stand between them
    _, _, several = drawn(tmp_path, swept())
    known = ["ratio-sequence-forward-cpu", "sizes-sequence-forward-cpu", "accuracy-float32-cpu", "drift"]
    assert [name for name in several if name in known] == known
    for drawing in several.values():
        assert drawing.alt.endswith(".")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_chart_fits_its_width_and_has_readable_text(width, tmp_path):
    found = [*drawn(tmp_path, rows())[2].values(), *drawn(tmp_path, swept())[2].values()]
    for drawing in found:
        root = ET.fromstring(svg(drawing, width))
        assert float(root.get("width")) <= width, drawing.name
        sizes_of = {element.get("font-size") for element in root.iter() if element.get("font-size")}
        assert root.get("font-size")
        assert all(float(size.removesuffix("px")) >= 11 for size in sizes_of), drawing.name


def test_ratios_drawn_are_the_summarys(tmp_path):
    _, summary, found = drawn(tmp_path, rows())
    drawing = found["ratio-sequence-train_step-cpu"]
    mine = summary[summary["mode"] == "train_step"].set_index("implementation")
    shown = rows_in(drawing, "implementation", "track", "ratio", "low", "high").set_index("implementation")
    assert sorted(shown.index) == sorted(SECONDS)
    for name, row in shown.iterrows():
        wanted = mine.loc[name, ["track", "ratio", "ratio_low", "ratio_high"]].tolist()
        assert row.tolist() == [wanted[0], *map(pytest.approx, wanted[1:])]


def test_a_mark_stands_where_its_number_is(tmp_path):
    _, summary, found = drawn(tmp_path, rows())
    mine = summary[summary["mode"] == "train_step"].set_index("implementation")
    placed = {said.split(",")[0]: x for said, x, _ in marks(found["ratio-sequence-train_step-cpu"])}
    assert sorted(placed) == sorted(SECONDS)
    logs, at = np.log(mine.loc[list(placed), "ratio"].to_numpy(float)), np.array(list(placed.values()))
    slope, start = np.polyfit(logs, at, 1)
    assert slope > 0
    assert at == pytest.approx(start + slope * logs, abs=0.1)


def test_rows_stand_by_track_and_the_quickest_first_without_the_peak(tmp_path):
    _, _, found = drawn(tmp_path, rows(names={**SECONDS, "another": 4e-4}) + rows(names={"peak": 1e-4}, track="peak"))
    placed = marks(found["ratio-sequence-train_step-cpu"])
    names = [said.split(",")[0] for said, _, _ in sorted(placed, key=lambda mark: mark[2])]
    assert names == ["another", "base", "slow", "quick"]


def test_directions_drawn_are_the_summarys(tmp_path):
    _, summary, found = drawn(tmp_path, rows())
    shown = rows_in(found["directions-p"], "implementation", "mode", "seconds", "low", "high")
    mine = summary[summary["mode"].isin(["forward", "train_step"])]
    key = ["implementation", "mode"]
    both = shown.merge(mine, on=key, suffixes=("", "_wanted"), validate="1:1")
    assert len(both) == len(mine) == len(shown) == 2 * len(SECONDS)
    for name, wanted in (("seconds", "seconds_wanted"), ("low", "seconds_low"), ("high", "seconds_high")):
        assert both[name].to_numpy() == pytest.approx(both[wanted].to_numpy())


def test_errors_drawn_are_the_summarys_and_none_stands_at_the_left(tmp_path):
    records = [{**row, "error": 0.0 if row["implementation"] == "quick" else row["error"]} for row in rows(2)]
    _, summary, found = drawn(tmp_path, records)
    mine = summary[(summary["mode"] == "train_step") & summary["error"].notna()].set_index("implementation")["error"]
    shown = rows_in(found["accuracy-float32-cpu"], "implementation", "error").set_index("implementation")["error"]
    assert shown.to_dict() == mine.to_dict()
    first, *_ = sorted(marks(found["accuracy-float32-cpu"]), key=lambda mark: mark[1])
    assert first[0] == "quick, p: no error"


def test_sizes_drawn_are_the_summarys_and_only_where_three_problems_differ_in_one(tmp_path):
    _, summary, found = drawn(tmp_path, swept())
    drawing = found["sizes-sequence-forward-cpu"]
    text = ET.fromstring(svg(drawing, WIDE))
    words = {element.text for element in text.iter() if element.tag.endswith("text")}
    assert {"sequence length T", "hidden size H", "B = 2, I = 4, H = 4", "T = 8, B = 2, I = H"} <= words
    assert "batch B" not in words
    shown = rows_in(drawing, "implementation", "size", "value", "low", "high")
    assert sorted(set(shown["size"])) == [4, 8, 16, 32]
    shapes = [*(shape(t=t)["problem"] for t in (8, 16, 32)), *(shape(i=h, h=h)["problem"] for h in (4, 8, 16))]
    wanted = summary.set_index("problem").loc[shapes]
    for name, column in (("value", "seconds"), ("low", "seconds_low"), ("high", "seconds_high")):
        assert sorted(shown[name]) == pytest.approx(sorted(wanted[column]))


def test_sequences_per_second_are_the_batch_over_the_time(tmp_path):
    records = [
        row
        for k, batch in enumerate((2, 4, 8))
        for row in rows(2, {"base": 1e-3 * (k + 1), "quick": 4e-4 * (k + 1)}, {"forward": 1}, **shape(b=batch))
    ]
    _, summary, found = drawn(tmp_path, records)
    shown = rows_in(found["rates-sequence-forward-cpu"], "implementation", "size", "value", "low", "high")
    batch = summary["problem"].str.extract(r"-b(\d+)-")[0].astype(float)
    assert sorted(shown["value"]) == pytest.approx(sorted(batch / summary["seconds"]))
    assert sorted(shown["low"]) == pytest.approx(sorted(batch / summary["seconds_high"]))
    assert (shown["low"] < shown["value"]).all()
    assert (shown["value"] < shown["high"]).all()


def test_a_line_crosses_only_between_clear_sizes():
    def line(ratios, clear=None):
        clear = clear or [True] * len(ratios)
        return pd.DataFrame(
            {
                "implementation": "x",
                "size": [1, 4, 16][: len(ratios)],
                "value": [1.0, 2.0, 4.0][: len(ratios)],
                "ratio": ratios,
                "clear": clear,
            }
        )

    (crossed,) = sizes.crossings(line([0.5, 2.0])).itertuples()
    assert (crossed.size, crossed.value) == (pytest.approx(2), pytest.approx(2**0.5))
    assert crossed.said == "x becomes slower than the baseline between 1 and 4"
    (over,) = sizes.crossings(line([2.0, 1.1, 0.5], [True, False, True])).itertuples()
    assert over.said == "x becomes faster than the baseline between 1 and 16"
    assert sizes.crossings(line([0.5, 0.9, 0.7])).empty
    assert sizes.crossings(line([0.5, 2.0], [True, False])).empty


def test_drift_is_each_block_against_its_arms_medians(tmp_path):
    records = rows()
    _, _, found = drawn(tmp_path, records)
    turns = [
        (r["mode"], r["replicate"], t["block"], r["implementation"], t["seconds"]) for r in records for t in r["turns"]
    ]
    arms, blocks = {}, {}
    for mode, _, _, name, seconds in turns:
        arms.setdefault((name, mode), []).append(seconds)
    for mode, replicate, block, name, seconds in turns:
        blocks.setdefault((mode, replicate, block), []).append(seconds / np.median(arms[name, mode]))
    shown = rows_in(found["drift"], "minutes", "low", "middle", "high")
    assert len(shown) == len(blocks)
    assert sorted(shown["middle"]) == pytest.approx(sorted(map(np.median, blocks.values())))
    assert shown["minutes"].min() >= 0


def past(ratios, machine="a cpu", **changes):
    """The history of a made-up implementation, a run a day."""
    rows = [
        {
            "machine": machine, "problem": "p", "workload": "sequence", "mode": "train_step", "device": "cpu",
            "implementation": name, "run_id": f"r{day}", "date": pd.Timestamp(2026, 1, 1 + day, tz="UTC"),
            "commit": f"commit{day}", "versions": "torch 2", "ratio": ratio, "ratio_low": 0.9 * ratio,
            "ratio_high": 1.1 * ratio, "baseline": "base", **changes,
        }
        for name, each in (("base", [1.0] * len(ratios)), ("other", ratios))
        for day, ratio in enumerate(each)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_history_drawn_is_the_ratios_in_the_order_of_their_dates():
    (drawing,) = history.draw(past([1.2, 1.1, 1.3]))
    shown = rows_in(drawing, "date", "ratio", "low", "high")
    assert shown["ratio"].tolist() == [1.2, 1.1, 1.3]
    assert shown["date"].str[:10].tolist() == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert shown["low"].tolist() == pytest.approx([1.08, 0.99, 1.17])
    placed = marks(drawing)
    assert [said.split(": ")[0] for said, _, _ in sorted(placed, key=lambda mark: mark[1])] == [
        f"other, p, 2026-01-0{day}" for day in (1, 2, 3)
    ]


def test_history_needs_two_runs_on_a_machine_with_a_date():
    assert list(history.draw(past([1.2]))) == []
    assert list(history.draw(past([1.2, 1.1], date=pd.NaT))) == []
    several = pd.concat([past([1.2, 1.1]), past([1.2, 1.1], "another"), past([1.3], "a third")])
    assert len({drawing.name for drawing in history.draw(several)}) == 2


def test_no_drift_where_turns_do_not_say_when_they_ran(tmp_path):
    _, _, found = drawn(tmp_path, [record(n, r, 1e-3) for n in ("base", "other") for r in (0, 1)])
    assert "drift" not in found
    assert found


def test_one_replicate_has_points_and_no_intervals(tmp_path):
    _, summary, found = drawn(tmp_path, rows(1))
    assert np.isinf(summary.loc[summary["implementation"] == "slow", "ratio_high"]).all()
    shown = rows_in(found["ratio-sequence-train_step-cpu"], "implementation", "low")
    assert shown.set_index("implementation")["low"].dropna().to_dict() == {"base": 1.0}
    assert rows_in(found["directions-p"], "low")["low"].isna().all()
    assert len(marks(found["directions-p"])) == 2 * len(SECONDS)


def test_what_failed_is_not_drawn_and_without_the_baseline_nothing_is_compared(tmp_path):
    failed = {"status": "crashed", "reason": "killed", "seconds": None, "turns": None, "error": None}
    records = [row if row["implementation"] != "base" else {**row, **failed} for row in rows()]
    _, _, found = drawn(tmp_path, records)
    assert not [name for name in found if name.startswith("ratio")]
    names = {said.split(",")[0] for said, _, _ in marks(found["directions-p"])}
    assert names == {"quick", "slow"}
    _, _, found = drawn(tmp_path, [{**row, **failed} for row in rows()])
    assert found == {}


def luminance(color):
    channels = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_color_is_told_from_white_and_from_the_dark_page():
    for light, other in style.DARK.items():
        if light not in (style.GRID, style.PAPER):
            least = 4.5 if light in (style.INK, style.SOFT) else 3
            assert contrast(light, "#ffffff") >= least, light
            assert contrast(other, "#121212") >= least, other


def test_every_color_of_a_chart_has_its_stand_in_on_a_dark_page(tmp_path):
    run = save(tmp_path / "run", rows(2))
    for picture in written(run, tmp_path / "figures"):
        used = set(re.findall(r'(?:fill|stroke)="(#\w+)"', picture.wide + picture.narrow))
        assert used
        assert used <= set(style.DARK), picture.name
        text = (tmp_path / "figures" / f"{picture.name}.svg").read_text()
        assert "@media screen and (prefers-color-scheme: dark)" in text
        for color in used:
            assert f'svg [fill="{color}"]{{fill:{style.DARK[color]}}}' in style.dark_rules()


def test_names_are_cut_and_put_on_one_line():
    assert style.plain("a\nb\x00c") == "a b\\x00c"
    assert len(style.plain("x" * 99)) == 30


@pytest.mark.parametrize("shown", [(1e-6, 1e3), (1.05, 1.13), (0.4, 2.5), (3e-4, 2e-2)])
@pytest.mark.parametrize("most", [3, 8])
def test_a_log_axis_has_a_few_round_ticks(shown, most):
    ticks = style.ticks(*shown, most)
    assert 2 <= len(ticks) <= 10
    assert all(shown[0] <= tick <= shown[1] for tick in ticks)
    assert all(len(f"{tick:.12g}".strip("0").replace(".", "").lstrip("0").split("e")[0]) <= 3 for tick in ticks)


def test_an_implementation_has_the_same_color_in_every_chart():
    from reports.charts import marks, style

    def colors(*names):
        scale = marks.several(names).to_dict()
        return dict(zip(scale["domain"], scale["range"], strict=True))

    one, other = colors("jax_scan", "torch_lstm", "mine"), colors("mine", "torch_lstm", "torch_cpp", "jax_scan")
    assert one["torch_lstm"] == other["torch_lstm"]
    assert one["jax_scan"] == other["jax_scan"]
    assert len(set(other.values())) == 4
    assert len(set(colors(*"abcdefg").values())) == len(style.SEVERAL)
    assert len(colors(*"abcdefghijk")) == 11


def test_every_specification_is_what_vega_lite_says(tmp_path):
    """Drawing itself does not check it: that takes a tenth of the time of a report."""
    found = [*drawn(tmp_path, rows())[2].values(), *drawn(tmp_path, swept())[2].values()]
    assert {drawing.name.partition("-")[0] for drawing in found} >= {
        "ratio",
        "directions",
        "sizes",
        "accuracy",
        "drift",
    }
    for drawing in found:
        for width in (WIDE, NARROW):
            assert drawing.chart(width).to_dict(validate=True) == drawing.chart(width).to_dict(validate=False)

"""Figures: what is drawn is what was measured; the same bytes for the same records; hostile names; light and dark."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from reports import charts
from reports.charts import drift, labels, style
from reports.estimates import Blocks
from reports.summary import summarise
from tests.helpers.records import record, save

HOSTILE = ["</td><script>", "../x", "$math$", "$a$ $", "\\frac{", "a\nb\x00", "字", "-", "x" * 300]
SECONDS = {"base": 1e-3, "quick": 5e-4, "slow": 3e-3, "floor": 2e-4}
TRACKS = {"quick": "tuned", "floor": "floor"}
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
                    "error": None if name == "floor" else 1e-7 * (k + 2),
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
    return run, summary, {drawing.name: drawing for drawing in charts.draw(run, summary)}


def shape(t=8, b=2, i=4, h=4):
    return {"problem": f"t{t}-b{b}-i{i}-h{h}", "seq_len": t, "batch": b, "input_size": i, "hidden_size": h}


def swept():
    shapes = [*({"t": t} for t in (8, 16, 32)), {"b": 4}, *({"i": h, "h": h} for h in (8, 16))]
    return [
        row
        for k, one in enumerate(shapes)
        for row in rows(2, {"base": 1e-3 * (k + 1), "quick": 4e-4 * (k + 1)}, {"forward": 1}, **shape(**one))
    ]


def marks(axis, kinds="osD^v"):
    """Single points of an axis, as (marker, x, y)."""
    lines = [line for line in axis.get_lines() if line.get_marker() in set(kinds) and len(line.get_xdata()) == 1]
    return [(line.get_marker(), float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def intervals(axis):
    lines = [line for line in axis.get_lines() if line.get_marker() == "None" and len(line.get_xdata()) == 2]
    return {tuple(map(float, line.get_xdata())) for line in lines if line.get_linewidth() == 1.6}


def names_at(axis):
    return {y: text.get_text() for y, text in zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)}


def test_which_figures_there_are_and_in_which_order(tmp_path):
    _, _, one = drawn(tmp_path, rows())
    assert list(one) == ["ratio-p", "directions-p", "accuracy-p", "drift"]
    assert [drawing.problem for drawing in one.values()] == ["p", "p", "p", None]
    _, _, several = drawn(tmp_path, swept())
    assert list(several)[:3] == ["ratio-t8-b2-i4-h4", "accuracy-t8-b2-i4-h4", "ratio-t16-b2-i4-h4"]
    assert list(several)[-2:] == ["sizes-sequence-forward-cpu", "drift"]
    for drawing in several.values():
        assert drawing.alt.endswith(".")
        assert drawing.figure.get_figwidth() * 96 <= 1040


def test_ratios_drawn_are_the_summarys(tmp_path):
    run, summary, found = drawn(tmp_path, rows())
    blocks = Blocks(run, run.records)
    others = summary[summary["implementation"] != "base"].reset_index(drop=True)
    logs = blocks.replicate_log_ratios(others, others.assign(implementation="base"))
    logs["mode"] = others["mode"].to_numpy()[logs["pair"]]
    axes = found["ratio-p"].figure.axes
    assert [axis.get_title(loc="left") for axis in axes] == [f"sequence, {mode}" for mode in MODES]
    for axis, mode in zip(axes, MODES, strict=True):
        mine = summary[summary["mode"] == mode].set_index("implementation")
        shown = {names_at(axes[0])[y]: (kind, x) for kind, x, y in marks(axis)}
        assert shown == {
            name: (style.TRACKS[row["track"]][1], pytest.approx(row["ratio"])) for name, row in mine.iterrows()
        }
        assert intervals(axis) == set(zip(mine["ratio_low"], mine["ratio_high"], strict=True))
        dots = np.sort(np.concatenate([line.get_xdata() for line in axis.get_lines() if line.get_marker() == "."]))
        wanted = logs[logs["mode"] == mode]["log_ratio"]
        assert dots == pytest.approx(np.sort(np.exp(wanted)))


def test_rows_stand_by_track_and_the_quickest_first_with_the_floor_last(tmp_path):
    _, _, found = drawn(tmp_path, rows(names={**SECONDS, "tuned too": 4e-4}))
    names = names_at(found["ratio-p"].figure.axes[0])
    assert [names[y] for y in sorted(names)] == ["default", "tuned too", "base", "slow", "tuned", "quick", "floor"]


def test_directions_drawn_are_the_summarys(tmp_path):
    _, summary, found = drawn(tmp_path, rows())
    (axis,) = found["directions-p"].figure.axes
    from reports.charts.directions import MARKS

    ticks = {y: name for y, name in names_at(axis).items() if name in SECONDS}
    shown = {(ticks[min(ticks, key=lambda t: abs(t - y))], kind): x for kind, x, y in marks(axis)}
    wanted = {(row.implementation, MARKS[row.mode][1]): pytest.approx(row.seconds) for row in summary.itertuples()}
    assert shown == wanted
    assert intervals(axis) == set(zip(summary["seconds_low"], summary["seconds_high"], strict=True))


def test_accuracy_drawn_is_the_summarys_and_names_do_not_overlap(tmp_path):
    crowd = {f"implementation {k}": 1e-3 * (1 + 0.03 * k) for k in range(12)}
    _, summary, found = drawn(tmp_path, rows(names={**SECONDS, **crowd}))
    figure = found["accuracy-p"].figure
    (axis,) = figure.axes
    mine = summary[(summary["mode"] == "train_step") & summary["error"].notna()]
    assert {(x, y) for _, x, y in marks(axis)} == set(zip(mine["ratio"], mine["error"], strict=True))
    names = [note for note in axis.texts if note.get_text() in set(mine["implementation"])]
    assert len(names) == len(mine)
    boxes = [note.get_window_extent() for note in names]
    for k, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[k + 1 :]), names[k].get_text()


def test_sizes_drawn_are_the_summarys_and_only_where_three_problems_differ_in_one(tmp_path):
    _, summary, found = drawn(tmp_path, swept())
    figure = found["sizes-sequence-forward-cpu"].figure
    assert [axis.get_xlabel() for axis in figure.axes] == ["sequence length T", "hidden size H"]
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["B = 2, I = 4, H = 4", "T = 8, B = 2, I = H"]
    problems = {"T": [shape(t=t) for t in (8, 16, 32)], "H": [shape(i=h, h=h) for h in (4, 8, 16)]}
    at = summary.set_index(["problem", "implementation"])
    for axis, (letter, shapes) in zip(figure.axes, problems.items(), strict=True):
        lines = {line.get_linestyle(): line for line in axis.get_lines()}
        spans = {(low, high) for one in axis.collections for (_, low), (_, high) in one.get_segments()}
        mine = at.loc[[one["problem"] for one in shapes]]
        assert spans == set(zip(mine["seconds_low"], mine["seconds_high"], strict=True))
        for name, dash in (("base", "-"), ("quick", "--")):
            wanted = [at.loc[(one["problem"], name), "seconds"] for one in shapes]
            assert list(lines[dash].get_ydata()) == pytest.approx(wanted), letter
            assert list(lines[dash].get_xdata()) == [
                one["seq_len" if letter == "T" else "hidden_size"] for one in shapes
            ]


def test_drift_is_each_turn_against_its_arms_median_in_the_order_of_time(tmp_path):
    records = rows()
    _, _, found = drawn(tmp_path, records)
    (axis,) = found["drift"].figure.axes
    turns = [(r["implementation"], r["mode"], t["started"], t["seconds"]) for r in records for t in r["turns"]]
    arms = {}
    for name, mode, _, seconds in turns:
        arms.setdefault((name, mode), []).append(seconds)
    start = min(started for _, _, started, _ in turns)
    wanted = sorted(((w - start) / 60, s / np.median(arms[name, mode])) for name, mode, w, s in turns)
    dots = [line for line in axis.get_lines() if line.get_alpha() == 0.45 and line.get_marker() != drift.BEYOND]
    shown = sorted((x, y) for line in dots for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert np.array(shown) == pytest.approx(np.array(wanted))
    assert [patch.get_alpha() for patch in axis.patches] == [0.45] * 3


def test_no_drift_where_turns_do_not_say_when_they_ran(tmp_path):
    _, _, found = drawn(tmp_path, [record(n, r, 1e-3) for n in ("base", "other") for r in (0, 1)])
    assert list(found) == ["ratio-p", "accuracy-p"]


def test_one_replicate_has_points_and_no_intervals(tmp_path):
    _, summary, found = drawn(tmp_path, rows(1))
    assert np.isinf(summary.loc[summary["implementation"] == "slow", "ratio_high"]).all()
    assert list(found) == ["ratio-p", "directions-p", "accuracy-p", "drift"]
    base = {(1.0, 1.0)}
    assert all(intervals(axis) <= base for axis in found["ratio-p"].figure.axes)
    assert not intervals(found["directions-p"].figure.axes[0])
    assert len(marks(found["directions-p"].figure.axes[0])) == len(MODES) * len(SECONDS)


def test_what_failed_is_not_drawn_and_without_the_baseline_nothing_is_compared(tmp_path):
    failed = {"status": "crashed", "reason": "killed", "seconds": None, "turns": None, "error": None}
    records = [row if row["implementation"] != "base" else {**row, **failed} for row in rows()]
    _, _, found = drawn(tmp_path, records)
    assert list(found) == ["directions-p", "drift"]
    names = names_at(found["directions-p"].figure.axes[0]).values()
    assert "base" not in names
    assert "slow" in names
    _, _, found = drawn(tmp_path, [{**row, **failed} for row in rows()])
    assert found == {}


def test_errors_of_zero_stand_below_all_others(tmp_path):
    records = [{**row, "error": 0.0 if row["implementation"] == "quick" else row["error"]} for row in rows(2)]
    _, _, found = drawn(tmp_path, records)
    (axis,) = found["accuracy-p"].figure.axes
    low = min(marks(axis), key=lambda mark: mark[2])
    assert low[0] == style.TRACKS["tuned"][1]
    assert "no error" in [text.get_text() for text in axis.texts]


def test_the_same_records_give_the_same_bytes_and_every_picture_its_two_files(tmp_path):
    run = save(tmp_path / "run", rows(2, dict(list(SECONDS.items())[:3])))
    pictures = [charts.save(run, summarise(run), tmp_path / name) for name in ("one", "other")]
    assert pictures[0] == pictures[1]
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert files == {f"{picture.name}.{kind}" for picture in pictures[0] for kind in ("svg", "png")}
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    for picture in pictures[0]:
        assert picture.svg == (tmp_path / "one" / f"{picture.name}.svg").read_text()


def test_hostile_names_make_no_path_no_mathematics_and_no_broken_svg(tmp_path):
    names = {"base": 1e-3, **{name: 1e-3 * (k + 2) for k, name in enumerate(HOSTILE)}}
    records = rows(1, names, {"forward": 1, "backward": 2})
    records += rows(1, {"base": 1.2e-3, "other": 3.1e-3}, {"forward": 1}, problem="</td><script>$x$/../..")
    records += rows(1, {"base": 1.1e-3, "other": 2.1e-3}, {"forward": 1}, problem="</td><script>$x$/..\\..")
    run = save(tmp_path / "run", records)
    pictures = charts.save(run, summarise(run), tmp_path / "figures")
    assert len({picture.name for picture in pictures}) == len(pictures) == 3 + 4 + 1
    assert {path.parent for path in tmp_path.rglob("*.svg")} == {tmp_path / "figures"}
    for picture in pictures:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,100}", picture.name)
        ET.fromstring(picture.svg)
        assert "<script" not in re.sub(r"<!--.*?-->", "", picture.svg, flags=re.DOTALL)


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


def test_every_color_of_an_svg_has_its_stand_in_on_a_dark_page(tmp_path):
    run = save(tmp_path / "run", rows(2))
    for picture in charts.save(run, summarise(run), tmp_path / "figures"):
        sheet, body = picture.svg.split("</style>", 1)
        assert "@media screen and (prefers-color-scheme: dark)" in sheet
        used = {word for style in re.findall(r'style="([^"]*)"', body) for word in re.findall(r"#\w+", style)}
        assert used
        # the only other are ids of marks, which are no colors
        assert {word for word in used if len(word) == 7} <= set(style.DARK), picture.name
        for color in used:
            assert f'[style*="fill: {color}"]{{fill:{style.DARK[color]}!important}}' in sheet


def test_names_are_cut_and_put_on_one_line():
    assert style.plain("a\nb\x00c") == "a b\\x00c"
    assert len(style.plain("x" * 99)) == 30


def test_a_name_with_no_free_place_is_still_written(tmp_path):
    from matplotlib.figure import Figure

    axis = Figure(figsize=(1, 1)).subplots()
    labels.write(axis, [(0.5, 0.5)] * 9, ["a long name"] * 9)
    assert len([note for note in axis.texts if note.get_text()]) == 9


@pytest.mark.parametrize("shown", [(1e-6, 1e3), (1.05, 1.13), (0.4, 2.5), (3e-4, 2e-2)])
def test_a_log_axis_has_a_few_ticks(shown):
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    style.log_scale(axis.xaxis, shown, "{:g}".format)
    assert 3 <= len([tick for tick in axis.get_xticks() if shown[0] <= tick <= shown[1]]) <= 10

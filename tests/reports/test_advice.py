"""What a map advises between its cells, and how that is held against shapes that it has not seen."""

import pandas as pd
import pytest

from reports import advice

NAMES = {"base": ("default", "torch 2"), "plain": ("default", "flax 1, jax 1"), "tuned": ("tuned", "torch 2")}
NAMES["torch_cpp"] = NAMES["tuned"]


def cells(ratios, mode="train_step"):
    """The rows of a map: by (batch, hidden), the ratio of plain and of tuned; below 0.9 is clearly faster."""
    rows = []
    for (batch, hidden), of_names in ratios.items():
        for name, ratio in {"base": 1.0, **of_names}.items():
            verdict = "baseline" if name == "base" else "faster" if ratio < 0.9 else "unclear"
            where = {"problem": f"b{batch}-h{hidden}", "batch": batch, "hidden": hidden, "mode": mode}
            ends = {"ratio_low": 0.9 * ratio, "ratio_high": 1.1 * ratio}
            track, versions = NAMES[name]
            of_file = {"implementation": name, "track": track, "versions": versions}
            rows.append({**where, **ends, **of_file, "ratio": ratio, "verdict": verdict})
    return pd.DataFrame(rows)


MAP = {
    (1, 16): {"plain": 0.5, "tuned": 0.2}, (16, 16): {"plain": 0.95, "tuned": 0.5},
    (1, 64): {"plain": 0.8, "tuned": 0.4}, (16, 64): {"plain": 1.5, "tuned": 1.2},
}  # fmt: skip


def region_at(batch, hidden, ratios=MAP):
    return next(each for each in advice.regions(cells(ratios)) if each.has(batch, hidden))


def named(choice):
    return choice.implementation, choice.low, choice.high


def test_a_cell_advises_its_own_best_and_a_region_the_best_of_all_its_neighbors():
    assert named(region_at(1, 16).best) == ("tuned", pytest.approx(0.18), pytest.approx(0.22))
    assert region_at(1, 16).is_cell
    between = region_at(4, 16)
    assert (between.batches, between.hiddens, between.is_cell) == ((1, 16), (16, 16), False)
    assert named(between.best) == ("tuned", pytest.approx(0.18), pytest.approx(0.55))
    assert named(between.among[advice.PLAIN]) == ("plain", pytest.approx(0.45), pytest.approx(1.045))
    inside = region_at(4, 32)
    assert named(inside.best) == ("tuned", pytest.approx(0.18), pytest.approx(1.32))
    assert inside.among["PyTorch"] == inside.best
    assert inside.among["JAX"].high == pytest.approx(1.65)


def test_who_cannot_leave_a_library_is_told_its_best_even_where_that_is_slower():
    slower = {(1, 16): {"plain": 1.5}, (16, 16): {"plain": 3.0}}
    among = region_at(4, 16, slower).among
    assert named(among["JAX"]) == named(among["plain JAX"]) == ("plain", pytest.approx(1.35), pytest.approx(3.3))
    assert among["PyTorch"] is None  # the baseline is
    assert among[advice.PLAIN] is None
    assert "JAX" not in region_at(4, 16, {(1, 16): {"tuned": 0.5}, (16, 16): {"tuned": 0.5}}).among


def said(region):
    return list(advice.sentences(region, "base"))


def test_the_baseline_is_advised_where_nothing_is_clearly_faster():
    assert region_at(16, 64).best is None
    nothing = said(region_at(4, 16, {(1, 16): {"tuned": 0.95}, (16, 16): {"tuned": 0.95}}))
    assert nothing[0] == ("", "Use base: nothing is clearly faster.", False)
    sure = said(region_at(4, 16))
    assert sure[0] == ("", "Use tuned (tuned): it takes 0.18 to 0.55 × base's time.", True)
    assert ("jax", "In JAX: plain, 0.45 to 1.04 × base.", True) in sure
    assert ("jax", "In plain JAX: plain, 0.45 to 1.04 × base.", True) in sure
    unsure = said(region_at(4, 32))
    assert unsure[0] == ("", "Use base, or measure yours: tuned (tuned) takes 0.18 to 1.32 × its time.", True)


def test_advice_says_what_is_in_no_library():
    ours = said(region_at(1, 16, {(1, 16): {"torch_cpp": 0.5}}))
    assert ours[0].sentence == "Use torch_cpp (our C++): it takes 0.45 to 0.55 × base's time."


def test_nothing_is_advised_outside_nor_beside_a_cell_that_is_missing():
    assert not any(each.has(17, 16) or each.has(1, 8) for each in advice.regions(cells(MAP)))
    gap = {place: ratios for place, ratios in MAP.items() if place != (16, 64)}
    assert not any(each.has(4, 32) or each.has(16, 32) for each in advice.regions(cells(gap)))
    assert any(each.has(1, 32) for each in advice.regions(cells(gap)))


def test_advice_is_held_against_shapes_that_were_measured_apart():
    """At 4 × 16 it is the best; at 1 × 32 it takes 1.5 times the best's time, above its range; else it says nothing."""
    unseen = cells(
        {
            (4, 16): {"plain": 0.7, "tuned": 0.4},
            (1, 32): {"plain": 0.4, "tuned": 0.6},
            (99, 32): {"plain": 0.1, "tuned": 2},
        }
    )
    assert advice.held(cells(MAP), unseen) == advice.Held(2, 1, pytest.approx(1.5), 1, 2)

"""The lines above and below the tables."""

import dataclasses

import pytest

from reports import history
from reports.frames import machine_label
from reports.preamble import about, alone, card, peak_and_noise, preamble
from tests.helpers.records import SMALL, described, failed, record, save

FULL = "full float32: no TF32, no bfloat16 products"


def test_a_run_on_a_busy_machine_says_so(tmp_path):
    steady = save(tmp_path / "steady", [record("base", r, 1e-3 * (1 + r / 100)) for r in range(4)])
    busy = save(tmp_path / "busy", [record("base", r, 1e-3 * (1 + r)) for r in range(4)])
    assert "BUSY" not in " ".join(peak_and_noise(steady))
    assert "BUSY" in " ".join(peak_and_noise(busy))


@pytest.mark.parametrize(
    ("dtypes", "recorded", "line"),
    [
        (["float32"], FULL, FULL),
        (["float64"], FULL, "float64"),
        (["float32", "float64"], FULL, f"{FULL}; float64"),
        (["float32"], "unknown", "float32, the precision of its products is unknown"),
        (["float32"], "tf32", "tf32"),
    ],
)
def test_the_precision_is_that_of_the_runs_dtypes(dtypes, recorded, line, tmp_path):
    run = save(tmp_path, [record("base", r, 1e-3, problem=d, dtype=d) for d in dtypes for r in (0, 1)])
    assert preamble(described(run, matmul_precision=recorded))[2] == f"{line}; 2 threads"


def test_the_versions_are_those_of_what_ran(tmp_path):
    rows = [record("base", r, 1e-3, versions="torch 2") for r in (0, 1)]
    rows += [failed("other", r, "unsupported", "no cell", versions="mlx not installed") for r in (0, 1)]
    assert preamble(save(tmp_path / "some", rows))[1] == "torch 2, Python 3.11"
    rows += [record("mine", r, 1e-3, versions="torch 2, Python 3.11") for r in (0, 1)]
    rows += [record(name, r, 1e-3, versions="jax 1, Python 3.13.5") for name in ("a@jax", "b") for r in (0, 1)]
    line = preamble(save(tmp_path / "newer", rows))[1]
    assert line == "jax 1, torch 2, Python 3.11, Python 3.13.5 (a@jax and b)"
    assert "mlx not installed" in preamble(save(tmp_path / "none", rows[2:4]))[1]


def test_what_an_interval_is_about_is_told(tmp_path, monkeypatch):
    run = save(tmp_path, SMALL)
    assert "this run only" in about(run)
    rounds = history.read()
    known = rounds[rounds["problem"] == "t64-b16-i128-h128"].assign(machine=machine_label(run.metadata))
    monkeypatch.setattr(history, "read", lambda: known.assign(workload="w", mode="m"))
    assert "one more run on such a machine" in about(run)
    assert f"{known['round'].nunique()} rounds on record" in about(run)
    assert "this run only" in about(dataclasses.replace(run, records=run.records.assign(device="cuda")))


def test_a_replicate_that_stands_alone_is_named(tmp_path):
    times = {"base": [1, 1, 1.4, 1], "other": [2, 2, 18, 2], "steady": [3, 3.2, 3, 3]}
    rows = [record(name, r, 1e-3 * t) for name, values in times.items() for r, t in enumerate(values)]
    line = alone(save(tmp_path, rows))
    assert "1 replicate that stood alone: other at p/w/m (6.4 × its median)" in line
    assert not alone(save(tmp_path, SMALL))


def on_a_card(*turns):
    """Records whose turns say this of their card."""
    rows = [record("base", r, 1e-3, device="cuda") for r in (0, 1)]
    for row in rows:
        row["turns"] = [{**turn, **said} for turn, said in zip(row["turns"], turns, strict=True)]
    return rows


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ([{"gpu_throttled": 0, "gpu_others": 0}] * 4, []),
        ([{}] * 4, []),
        ([{"gpu_throttled": 0x20}, {"gpu_throttled": 4}, {}, {}],
         ["THE GPU HELD ITSELF BACK in 4 of 8 turns (power limit, temperature)"]),
        ([{"gpu_others": 1}, {}, {}, {}], ["OTHERS USED THE GPU in 2 of 8 turns"]),
    ],
)  # fmt: skip
def test_a_card_that_held_itself_back_or_was_shared_is_told(turns, said, tmp_path):
    lines = card(save(tmp_path, on_a_card(*turns)))
    assert lines == ([f"{said[0]}; measure again before you believe these times"] if said else [])


def test_the_clock_of_a_card_is_told(tmp_path):
    (line,) = card(save(tmp_path, on_a_card({"gpu_hertz": 1.98e9}, {}, {"gpu_hertz": 1.41e9}, {})))
    assert "1410 to 1980 MHz" in line

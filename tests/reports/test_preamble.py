"""The lines above and below the tables."""

import pytest

from reports.preamble import notes, peak_and_noise, preamble
from tests.helpers.records import described, record, save

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


def test_the_libraries_of_the_peak_and_of_the_floor_are_named(tmp_path):
    run = save(tmp_path, [record("base", r, 1e-3) for r in (0, 1)])
    known = described(
        run,
        matmul_flops_per_second={"float32": 2e11},
        peak_library={"float32": "oneDNN"},
        floor_libraries={"p/w/m": "XLA", "q/w/m": "OpenBLAS"},
    )
    line = peak_and_noise(known)[0]
    assert line.startswith(
        "a large float32 matrix product reached 200 GFLOP/s (oneDNN); the floor is by OpenBLAS, XLA;"
    )


def test_the_notes_name_every_word_that_needs_one():
    text = "\n".join(notes("base"))
    for word in ("faster", "slower than base", "unclear", "fastest in its track", "× floor", "% of peak", "first call"):
        assert word in text
    assert "1 %" in text

"""The cells of the agreement matrix."""

from benchmarks.correctness.matrix import cell_of
from benchmarks.measurement.protocol import Found


def test_a_limit_that_a_file_names_excuses_only_what_disagrees():
    wrong, right = Found(reason="grad_x is nan"), Found(error=1e-7, flushes=True)
    assert cell_of(wrong, "its sigmoid has no gradient there").status == "unsupported"
    assert cell_of(wrong, "its sigmoid has no gradient there").reason == "its sigmoid has no gradient there"
    assert cell_of(wrong, None).status == "disagrees"
    assert cell_of(wrong, None).reason == "grad_x is nan"
    for limit in ("why", None):
        cell = cell_of(right, limit)
        assert (cell.status, cell.error, cell.flushes) == ("ok", 1e-7, True)

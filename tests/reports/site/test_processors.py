"""The section that sets processors side by side."""

from reports.machines import by_machine
from reports.site import processors
from tests.helpers.answers import report_of
from tests.helpers.records import save, trained

SHAPES = ("t64-b16-i128-h128", "t64-b1-i128-h128", "t32-b64-i256-h512")


def on(folder, cpu, ratios):
    """A run on a processor: two LSTMs at each shape, with their times over the baseline's."""
    run_id = f"20260101T000000-{cpu}"
    rows = []
    for shape, (first, second) in zip(SHAPES, ratios, strict=True):
        for name, seconds in (("base", 1e-3), ("first", first * 1e-3), ("second", second * 1e-3)):
            rows += trained(name, seconds, problem=shape, run_id=run_id)
    return report_of(save(folder / cpu, rows, run_id, cpu=cpu), run_id)


def test_it_says_where_processors_differ_in_what_is_fastest(tmp_path):
    one = on(tmp_path, "one", [(0.5, 0.7), (0.5, 2.0), (0.5, 2.0)])
    two = on(tmp_path, "two", [(0.7, 0.5), (0.6, 2.0), (1.0, 2.0)])
    said = processors.side_by_side(by_machine([one, two])).text
    assert "The same LSTM is fastest in 1 of 3 cases; base's time differs up to 1.0 times: " in said
    assert f"Training at {SHAPES[0]}: first on one; second on two." in said
    assert f"Training at {SHAPES[1]}" not in said
    assert f"Training at {SHAPES[2]}: first on one; on two nothing is clearly faster than base." in said

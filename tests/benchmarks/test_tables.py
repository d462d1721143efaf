"""A table from a list of columns, on a terminal and in Markdown."""

import io

from benchmarks import tables
from benchmarks.tables import CleanConsole, Column
from benchmarks.words import count, duration, listed, share, signed, size, two_digits
from tests.helpers.markdown import rendered
from tests.helpers.poison import POISON, live

COLUMNS = (
    Column("name", POISON, lambda row: row[0], words=True, style=lambda row: "red" if row[1] > 1 else ""),
    Column("time", "time", lambda row: f"{row[1]} ms"),
)


def test_both_forms_have_every_cell_and_show_text_from_outside_as_it_is():
    rows = [(POISON, 1), ("[/]\\", 2)]
    written = tables.markdown(COLUMNS, rows)
    assert not live(written)
    assert "<a " not in rendered(written)
    stream = io.StringIO()
    CleanConsole(file=stream, width=500).print(tables.terminal(COLUMNS, rows, POISON, lambda row: "bold"))
    shown = stream.getvalue()
    assert not live(shown)
    assert "[red]a[/red]" in shown
    for text in (written, shown):
        assert "1 ms" in text
        assert "2 ms" in text
    assert "[/]\\ " in shown


def test_quantities_differences_and_lists_read_well():
    assert [duration(seconds) for seconds in (1e-3, 0.0182, 999.9e-6)] == ["1 ms", "18.2 ms", "1 ms"]
    assert [size(300 * 2**20), share(0.0062), share(float("nan"))] == ["300 MiB", "0.62 %", "–"]
    assert [two_digits(0.618), count(1, "block"), count(2, "block")] == ["0.62", "1 block", "2 blocks"]
    assert [listed(names) for names in (["a", "b", "c"], ["a"], [])] == ["a, b and c", "a", ""]
    given = (240e-6, -3e-6, 0.9999e-3, float("nan"))
    assert [signed(seconds) for seconds in given] == ["+240 µs", "−3 µs", "+1 ms", "–"]

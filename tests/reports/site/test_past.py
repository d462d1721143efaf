"""The pages of rounds on record: a row leads to its chart, whose marks say what is on record."""

import re

import pytest

pytestmark = pytest.mark.nightly


def opened(site, row):
    """The part of rows.html that a row opens to."""
    return (site / "rows.html").read_text().partition(f'id="{row}"')[2].partition("</tbody>")[0]


def chart_of(site, row):
    """The chart that a row leads to."""
    file, anchor = re.search(r'href="(history/.+?)#(.+?)"', opened(site, row)).groups()
    return (site / file).read_text().partition(f'<figure id="{anchor}"')[2].partition("</figure>")[0]


def test_a_row_with_several_rounds_leads_to_them(small_site):
    """The baseline's are times. A row with one round has no chart."""
    chart = chart_of(small_site, "a/t1-b1-i1-h1/sequence/train_step/other")
    marks = re.findall(r'data-tip="(.+?)"', chart)
    assert len(marks) == 4  # of two modes
    for day in ("2025-12-31", "2026-01-01"):
        assert sum(mark.startswith(f"{day} 00:00: 2.00") for mark in marks) == 2
    assert all("× torch_lstm; torch 2, Python 3.11" in mark for mark in marks)
    assert '<th scope="row">2025-12-31 00:00</th>' in chart
    assert " ms; torch 2" in chart_of(small_site, "a/t1-b1-i1-h1/sequence/train_step/base")
    assert "history/" not in opened(small_site, "t1-b1-i1-h1/sequence/train_step/other")

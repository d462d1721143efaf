"""Numbers as text, cut to the digits that an interval supports."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.words import error, interval, time_with_interval, unit_of


@given(st.floats(1e-9, 1e3), st.floats(1e-4, 1))
def test_a_time_keeps_the_digits_that_its_interval_bears_out(seconds, spread):
    written = time_with_interval(seconds, seconds / (1 + spread), seconds * (1 + spread))
    shown = float(written.split(" ")[0])
    scale, _ = unit_of(seconds)
    half = (seconds * (1 + spread) - seconds / (1 + spread)) / 2 / scale
    assert abs(shown - seconds / scale) <= max(half * 0.06, 0.51 if half > 10 else 0, 6e-5)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((6.82, 6.61, 7.05), "6.82 [6.61, 7.05]"),
        ((1.234, 1.222, 1.246), "1.234 [1.222, 1.246]"),
        ((321.4, 299.6, 344.2), "321 [300, 344]"),
        ((1.06, 0.501, 2.0), "1.06 [0.50, 2.00]"),  # not quite a factor of 4
        ((1.06, 0.501, 2.01), "1.1 [0.5, 2]"),  # wider than that: two digits each
        ((0.24, 3.4e-4, 218), "0.24 [0.00034, 220]"),
        ((1.0, 1 - 1e-6, 1 + 1e-6), "1.0000 [1.0000, 1.0000]"),  # never more than four decimals
        ((1.5, 1.5, 1.5), "1.500 [1.500, 1.500]"),
        *(((1.0, *ends), "1 [one replicate]") for ends in ((0.0, math.inf), (0.5, math.inf), (0.0, 2.0))),
    ],
)
def test_an_interval_has_as_many_digits_as_it_supports(numbers, text):
    assert interval(*numbers) == text


def test_a_time_has_its_unit_and_what_is_not_known_is_a_dash():
    assert time_with_interval(6.82e-3, 6.61e-3, 7.05e-3) == "6.82 [6.61, 7.05] ms"
    assert (error(7.4e-7), error(float("nan"))) == ("7e-07", "–")

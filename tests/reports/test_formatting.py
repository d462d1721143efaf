"""Numbers as text, cut to the digits that an interval supports."""

from hypothesis import given
from hypothesis import strategies as st

from reports import formatting


@given(st.floats(1e-9, 1e3), st.floats(1e-4, 1))
def test_a_time_keeps_the_digits_that_its_interval_bears_out(seconds, spread):
    written = formatting.time_with_interval(seconds, seconds / (1 + spread), seconds * (1 + spread))
    shown = float(written.split(" ")[0])
    scale, _ = formatting.unit_of(seconds)
    half = (seconds * (1 + spread) - seconds / (1 + spread)) / 2 / scale
    assert abs(shown - seconds / scale) <= max(half * 0.06, 0.51 if half > 10 else 0, 6e-5)


def test_text_of_times():
    assert formatting.time_with_interval(6.82e-3, 6.61e-3, 7.05e-3) == "6.82 [6.61, 7.05] ms"
    assert formatting.time_with_interval(1.0, 0.0, float("inf")) == "1 [one replicate] s"
    assert formatting.interval(0.24, 3.4e-4, 218) == "0.24 [0.00034, 220]"  # too wide to say how many digits count
    assert formatting.duration(0.0182) == "18.2 ms"
    assert formatting.duration(float("nan")) == "–"

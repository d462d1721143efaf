"""Sizes of injected slowdowns with a known line and a known interval."""

from benchmarks.calibration.sizing import ENDS, FEWEST, Size


def size_of(offset: float, factor: float, half: float, processes: int = FEWEST) -> Size:
    """A size whose processes differ from its line by the same amount, in turn above and below it."""

    def with_spread(spread: float) -> Size:
        apart = [spread * (-1) ** number for number in range(processes)]
        return Size(tuple((ENDS, tuple(offset + factor * work + off for work in ENDS)) for off in apart))

    assert processes % 2 == 0
    return with_spread(half / with_spread(1.0).half)

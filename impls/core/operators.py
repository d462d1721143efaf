"""What a profiler tells of operators, and the words for the one that takes the most time."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Ran(NamedTuple):
    """What a profiler tells of an operator, over all calls or for one: its own seconds, and how often it ran."""

    seconds: float
    times: float


def added(events: Iterable[tuple[str, Ran]]) -> dict[str, Ran]:
    """Return what each operator did in all, from what it did in parts."""
    sums: dict[str, Ran] = {}
    for name, (seconds, times) in events:
        before = sums.get(name, Ran(0.0, 0))
        sums[name] = Ran(before.seconds + seconds, before.times + times)
    return sums


def longest(ran: Mapping[str, Ran]) -> str:
    """Return such as `aten::addmm × 128`: the operator with the most time, and how often it ran."""
    name = max(ran, key=lambda name: ran[name].seconds)
    return f"{name} × {ran[name].times}"

"""Charts of rows over their rounds on record: a mark for each round with its interval, in the order of time.

There are over a thousand, so the SVG is written here: Vega takes 50 ms for each.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, inf, log, log10
from typing import Any

import pandas as pd

from reports.charts import style
from reports.charts.drawing import WIDTH
from reports.frames import began

LOOKS = {
    "●": ("M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z", style.BLUE),
    "■": ("M-3.5,-3.5h7v7h-7z", style.VERMILION),
    "▲": ("M0,-5l4.5,8h-9z", style.BLUE),
    "◆": ("M0,-5l5,5l-5,5l-5,-5z", style.VERMILION),
    "▼": ("M0,5l4.5,-8h-9z", style.BLUE),
    "✚": ("M-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", style.VERMILION),
}
"""How a text writes the marks of releases, one after the other, with their path and color."""
HEIGHT, TITLE, NUMBERS = 90, 22, 44
"""The height of a panel without its title, that of its title, and the room for the numbers of its axis, in pixels."""
DAYS, DAY = 20, 40
"""The height of the line of days, and the least width of a day."""
WIDEST_STEP = 28
"""The most pixels from one round to the next."""
NEAR = 2.0
"""The line at 1 is drawn where a ratio is within this factor of it."""


def svg(title: str, panels: Sequence[tuple[str, pd.DataFrame]]) -> str:
    """Return the chart of some rows over the same rounds, a panel for each.

    Args:
        title: what it shows, for those who can't see it.
        panels: the name of each row, and its rounds: round, value, low, high, mark (a key of LOOKS), older, label (what
            the mark says) and is_ratio.
    """
    rounds = sorted(pd.concat([rows["round"] for _, rows in panels]).unique())
    step = min(WIDEST_STEP, (WIDTH - NUMBERS - 8) / len(rounds))
    places = {each: NUMBERS + step * (k + 0.5) for k, each in enumerate(rounds)}
    bottom = (TITLE + HEIGHT) * len(panels)
    root = ET.Element("svg", {"role": "img", "aria-label": title, "font-family": style.FONT})
    root.attrib |= _numbers(width=WIDTH, height=bottom + DAYS)
    root.set("font-size", f"{style.SIZE}px")
    for number, (name, rows) in enumerate(panels):
        panel = ET.SubElement(
            root, "g", transform=f"translate(0,{(TITLE + HEIGHT) * number + TITLE})"
        )
        _text(panel, name, 0, -8)
        _draw(panel, rows, places, NUMBERS + step * len(rounds))
    for day, place in _days(places):
        _text(root, day, place, bottom + 14, anchor="middle")
    return ET.tostring(root, encoding="unicode")


def _days(places: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield each day such as `12-31`, and the place of its first round for which there is room."""
    free = 0.0
    labelled = ""
    for each, place in places.items():
        day = began(each)
        if day != labelled and place >= free:
            yield day[5:], place
            labelled = day
            free = place + DAY


def _draw(panel: ET.Element, rows: pd.DataFrame, places: Mapping[str, float], right: float) -> None:
    """Draw the rounds of a row on a logarithmic axis."""
    finite = rows[rows["high"] < inf]
    low = min([*rows["value"], *finite["low"]])
    high = max([*rows["value"], *finite["high"]])
    has_1 = rows["is_ratio"].all() and low / NEAR < 1 < high * NEAR
    if has_1:
        low = min(low, 1)
        high = max(high, 1)
    top = high * 1.02
    scale = HEIGHT / log(top * 1.02 / low)

    def height(value: float) -> float:
        return scale * log(top / value)

    for number in ticks(low, high):
        at = height(number)
        _line(panel, NUMBERS, at, right, at, style.GRID)
        _text(panel, f"{number:g}", NUMBERS - 6, at + 4, anchor="end")
    if has_1:
        _line(panel, NUMBERS, height(1), right, height(1), style.SOFT)
    row: Any
    for row in rows.itertuples():
        x = places[row.round]
        path, color = LOOKS[row.mark]
        if row.high < inf:
            _line(panel, x, height(row.low), x, height(row.high), color, width=2)
        mark = {"d": path, "fill": style.PAPER if row.older else color, "stroke": color}
        mark["transform"] = f"translate({x:.1f},{height(row.value):.1f})"
        ET.SubElement(panel, "path", mark, **{"stroke-width": "1.8", "data-tip": row.label})


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in values.items()}


def _line(
    panel: ET.Element, x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1
) -> None:
    line = ET.SubElement(panel, "line", _numbers(x1=x1, y1=y1, x2=x2, y2=y2), stroke=color)
    line.set("stroke-width", str(width))


def _text(panel: ET.Element, words: str, x: float, y: float, anchor: str = "start") -> None:
    text = ET.SubElement(panel, "text", _numbers(x=x, y=y), fill=style.INK)
    text.set("text-anchor", anchor)
    text.text = words


def ticks(low: float, high: float) -> Iterator[float]:
    """Yield round numbers from low to high, up to six: powers of 2, or where these are few, steps of one size."""
    if high > 4 * low:
        step = 4.0 if high > 64 * low else 2.0
        power = step ** ceil(log(low, step))
        while power <= high:
            yield power
            power *= step
        return
    least = (high - low) / 4 or high / 10
    magnitude = 10.0 ** floor(log10(least))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= least)
    for number in range(ceil(low / step), floor(high / step) + 1):
        yield float(f"{number * step:.6g}")

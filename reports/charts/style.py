"""How charts look: colors that stay apart for the color-blind, in print and on a dark page; axes with few ticks."""

from __future__ import annotations

import math
from typing import Any

from impls.core.text import one_line

INK, SOFT, GRID, PAPER = "#222222", "#5f5f5f", "#dddddd", "#fefefe"
BLUE, VERMILION = "#0072b2", "#d55e00"
"""Of Okabe and Ito's colors: contrast at least 3 to 1 with white, and DARK's with its paper."""

DARK = {
    INK: "#e8e8e8", SOFT: "#b0b0b0", GRID: "#3d3d3d", PAPER: "#121212",
    BLUE: "#4fa3e3", VERMILION: "#ff8648",
}  # fmt: skip
"""The color that replaces each color on a dark page."""

FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
SIZE = 12
"""Of every text, in pixels."""
_TEXT = {"labelFont": FONT, "titleFont": FONT, "labelFontSize": SIZE, "titleFontSize": SIZE}
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        **_TEXT, "labelColor": INK, "titleColor": INK, "titleFontWeight": "normal", "gridColor": GRID,
        "domainColor": SOFT, "tickColor": SOFT, "labelLimit": 170, "aria": False,
    },
    "axisY": {"grid": False, "domain": False, "ticks": False},
    "header": {**_TEXT, "labelColor": INK, "titleColor": INK, "labelAnchor": "start", "labelLimit": 300},
    "point": {"size": 55, "filled": True, "opacity": 1},
    "rule": {"strokeWidth": 2},
}  # fmt: skip
"""The look of every chart, in Vega-Lite's words."""


def plain(name: object, longest: int = 30) -> str:
    """Return a name on one line, and cut where it is too long for a chart."""
    return one_line(str(name), longest)


def dark_rules() -> str:
    """Return the rules of CSS that give a chart the colors of DARK."""
    return "".join(
        f'svg [{what}="{light}"]{{{what}:{other}}}' for light, other in DARK.items() for what in ("fill", "stroke")
    )


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Return round values between two ends of a log axis: at most so many, and a few where the ends are near."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 6, 8), (1, 2, 5), (1,)):
        found = [float(f"{step}e{decade}") for decade in decades for step in steps]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= most:
            break
    if len(found) >= min(3, most):
        return found[:: math.ceil(len(found) / most)]
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= max((k for k in (1, 2, 5) if k * step * 2 <= high - low), default=1)
    return [float(f"{k * step:.12g}") for k in range(math.ceil(low / step), math.floor(high / step) + 1)]

"""How charts look: colors that stay apart for the color-blind, in print and on a dark page; axes with few ticks."""

from typing import Any

INK = "#222222"
SOFT = "#5f5f5f"
GRID = "#dddddd"
PAPER = "#fefefe"
BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#008f6b"
PURPLE = "#a8588a"
"""Near Okabe and Ito's colors: contrast at least 3 to 1 with white, and DARK's with its paper."""
FASTEST = "#6db3e2"
FASTER = "#a3d0ee"
FAST = "#d5eaf8"
EVEN = "#f1f1f1"
SLOW = "#fbdcc4"
HATCHING = "#c4c4c4"
"""The cells of a heat map: contrast at least 4.5 to 1 with INK, and DARK's with its ink."""

DARK = {
    INK: "#e8e8e8", SOFT: "#b0b0b0", GRID: "#3d3d3d", PAPER: "#121212",
    BLUE: "#4fa3e3", VERMILION: "#ff8648", GREEN: "#2fbf95", PURPLE: "#d58bb8",
    FASTEST: "#206bab", FASTER: "#124e87", FAST: "#0b3a66", EVEN: "#282828", SLOW: "#6b3a12", HATCHING: "#666666",
}  # fmt: skip
"""The color that replaces each color on a dark page."""

FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
SIZE = 12
"""Of every text, in pixels."""
_TEXT = {"labelFontSize": SIZE, "titleFontSize": SIZE, "labelColor": INK, "titleColor": INK}
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        **_TEXT, "titleFontWeight": "normal", "gridColor": GRID,
        "domainColor": SOFT, "tickColor": SOFT, "labelLimit": 170, "aria": False,
    },
    "axisY": {"grid": False, "domain": False, "ticks": False},
    "legend": {"labelFontSize": SIZE, "labelColor": INK},
    "title": {"color": INK},
    "header": {**_TEXT, "labelAnchor": "start", "labelLimit": 300},
    "point": {"size": 55, "filled": True, "opacity": 1},
    "rule": {"strokeWidth": 2},
}  # fmt: skip
"""The look of every chart, in Vega-Lite's words."""


def dark_rules() -> str:
    """Return the rules of CSS that give a chart the colors of DARK on a dark screen."""
    rules = ""
    for light, dark in DARK.items():
        for attribute in ("fill", "stroke"):
            rules += f'svg [{attribute}="{light}"]{{{attribute}:{dark}}}'
    return f"@media screen and (prefers-color-scheme: dark){{{rules}}}"

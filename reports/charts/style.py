"""How charts look: colors that stay apart for the color-blind, in print and on a dark page; axes with few ticks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator, NullLocator

from impls.core.text import one_line
from reports.tracks import DEFAULT, FLOOR, TUNED

WIDTH = 10.4
"""In inches: 998 pixels of a page."""

INK, SOFT, GRID, PAPER = "#222222", "#5f5f5f", "#dddddd", "#fefefe"
BLUE, VERMILION, GREEN, PURPLE, OCHRE, SKY, GREY = (
    "#0072b2", "#d55e00", "#009e73", "#c2699a", "#b97f00", "#2a8fcc", "#6a6a6a",
)  # fmt: skip
"""Okabe and Ito's colors, some made darker: contrast at least 3 to 1 with white, and DARK's with its paper."""

DARK = {
    INK: "#e8e8e8", SOFT: "#b0b0b0", GRID: "#3d3d3d", PAPER: "#121212",
    BLUE: "#4fa3e3", VERMILION: "#ff8648", GREEN: "#2fc79a", PURPLE: "#e79cc6", OCHRE: "#f0b429", SKY: "#a8dcff",
    GREY: "#9c9c9c",
}  # fmt: skip
"""The color that replaces each color on a dark page."""

TRACKS: dict[str, tuple[str, str, Any]] = {
    DEFAULT: (BLUE, "o", "-"),
    TUNED: (VERMILION, "s", (0, (4, 1.5))),
    FLOOR: (GREY, "D", (0, (1, 1.2))),
}
"""The color, the marker and the line of a track."""

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.titlelocation": "left",
    "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.fontsize": 8.5,
    "figure.titlesize": 11, "figure.titleweight": "bold", "figure.facecolor": "none", "axes.facecolor": "none",
    "text.color": INK, "axes.titlecolor": INK, "axes.labelcolor": INK, "xtick.color": SOFT, "ytick.color": SOFT,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.edgecolor": SOFT, "axes.linewidth": 0.7,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "grid.color": GRID,
    "grid.linewidth": 0.7, "lines.markeredgewidth": 0.0, "legend.frameon": False, "figure.constrained_layout.use": True,
    "text.parse_math": False, "svg.hashsalt": "lstm-bench", "svg.fonttype": "path",
}  # fmt: skip


@contextmanager
def applied() -> Iterator[None]:
    """Draw and write charts in this style, whatever settings the user has for matplotlib."""
    with context(["default", RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # where names leave no room
        yield


def plain(name: object, longest: int = 30) -> str:
    """Return a name on one line, and cut where it is too long for a chart."""
    return one_line(str(name), longest)


def dark(svg: str) -> str:
    """Return an SVG that follows its reader: a dark screen gets the colors of DARK, print stays light."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{other}!important}}'
        for light, other in DARK.items()
        for what in ("fill", "stroke")
    )
    sheet = f'<style type="text/css">@media screen and (prefers-color-scheme: dark){{{rules}}}</style>'
    return svg.replace("<defs>", f"{sheet}\n <defs>", 1)


@dataclass(frozen=True)
class Look:
    """The color, marker and line of an implementation, the same in every chart of a run."""

    color: str
    marker: str
    line: Any


def looks(summary: pd.DataFrame) -> dict[str, Look]:
    """Return the Look of each implementation. The line shows its track."""
    look_of, markers = {}, cycle("osvPX<phd>*")
    for track, names in summary.groupby("track")["implementation"]:
        colors = cycle([GREY] if track == FLOOR else [BLUE, VERMILION, GREEN, PURPLE, OCHRE, INK, SKY])
        for name in sorted(set(names)):
            marker = "D" if track == FLOOR else next(markers)
            look_of[str(name)] = Look(next(colors), marker, track_look(track)[2])
    return look_of


def track_look(track: object) -> tuple[str, str, Any]:
    """Return the color, the marker and the line of a track; those of the default track where it is unknown."""
    return TRACKS.get(str(track), TRACKS[DEFAULT])


def factor(value: float) -> str:
    """Return a ratio with about three digits."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def limits(values: pd.Series, low: pd.Series, high: pd.Series) -> tuple[float, float]:
    """Return the ends of a log axis: all values with their intervals, of which a factor of 3 beyond them is shown."""
    least, most = float(values.min()), float(values.max())
    low, high = low[low > 0], high[np.isfinite(high)]
    bottom = max(least / 3, min(least, float(low.min()) if len(low) else least))
    top = min(most * 3, max(most, float(high.max()) if len(high) else most))
    room = max((top / bottom) ** 0.05, 1.02)
    return bottom / room, top * room


def log_scale(axis: Axis, shown: tuple[float, float], label: Callable[[float], str], most: int = 8) -> None:
    """Make a log axis with these ends, and with as many round ticks as `most` allows, each with its label."""
    low, high = shown
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 6, 8), (1, 2, 5), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            break
    if len(ticks) < 3:
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    axes = axis.axes
    axes.set(xscale="log", xlim=shown) if axis is axes.xaxis else axes.set(yscale="log", ylim=shown)
    axis.set_ticks(ticks, [label(tick) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def key(label: str, color: str, marker: str = "", line: Any = "-", size: float = 5, alpha: float = 1) -> Line2D:
    """Return an entry of a legend."""
    look = {"color": color, "marker": marker, "linestyle": line, "markersize": size, "alpha": alpha}
    return Line2D([], [], **look, linewidth=1.4, markeredgewidth=1.2 if marker == "|" else 0, label=plain(label))


def mark(axis: Axes, x: float, y: float, interval: Iterable[float], color: str, marker: str, size: float = 5) -> None:
    """Draw a point with the interval of its x, if that is finite."""
    low, high = map(float, interval)
    if low > 0 and math.isfinite(high):
        axis.plot([low, high], [y, y], color=color, linewidth=1.6)
    axis.plot([x], [y], marker, color=color, markersize=size, markeredgecolor=PAPER, markeredgewidth=0.5)

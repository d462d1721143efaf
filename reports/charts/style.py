"""How figures look: colours that the colour-blind, print and a dark page keep apart, and axes with few, plain ticks."""

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

WIDTH = 10.4
"""Inches: 998 pixels of a page."""

INK, SOFT, GRID, PAPER = "#222222", "#5f5f5f", "#dddddd", "#fefefe"
BLUE, VERMILION, GREEN, PURPLE, OCHRE, SKY, GREY = (
    "#0072b2", "#d55e00", "#009e73", "#c2699a", "#b97f00", "#2a8fcc", "#6a6a6a",
)  # fmt: skip
"""Okabe and Ito's, where need be darker than theirs: at least 3 to 1 against white, and DARK's against its paper."""

DARK = {
    INK: "#e8e8e8", SOFT: "#b0b0b0", GRID: "#3d3d3d", PAPER: "#121212",
    BLUE: "#4fa3e3", VERMILION: "#ff8648", GREEN: "#2fc79a", PURPLE: "#e79cc6", OCHRE: "#f0b429", SKY: "#a8dcff",
    GREY: "#9c9c9c",
}  # fmt: skip
"""Each colour's stand-in on a dark page."""

TRACKS = {"default": (BLUE, "o"), "tuned": (VERMILION, "s"), "floor": (GREY, "D")}
LINES = {"default": "-", "tuned": (0, (4, 1.5)), "floor": (0, (1, 1.2))}

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
    """While figures are drawn and written: this style, whatever settings the user has for matplotlib."""
    with context(["default", RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def plain(name: object, longest: int = 30) -> str:
    """A name on one line, without what no font shows, and cut where it is longer than a figure bears."""
    shown = "".join(sign if sign.isprintable() else " " for sign in str(name))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def dark(svg: str) -> str:
    """An SVG that follows its reader: on a dark screen each colour gives way to its stand-in; print stays light."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{other}!important}}'
        for light, other in DARK.items()
        for what in ("fill", "stroke")
    )
    sheet = f'<style type="text/css">@media screen and (prefers-color-scheme: dark){{{rules}}}</style>'
    return svg.replace("<defs>", f"{sheet}\n <defs>", 1)


@dataclass(frozen=True)
class Look:
    """By what one implementation is known in every figure of a run."""

    colour: str
    marker: str
    line: Any


def looks(summary: pd.DataFrame) -> dict[str, Look]:
    """A Look per implementation, those of a track one after the other by name, the line saying the track."""
    found, markers = {}, cycle("osvPX<phd>*")
    for track, names in summary.groupby("track")["implementation"]:
        colours = cycle([GREY] if track == "floor" else [BLUE, VERMILION, GREEN, PURPLE, OCHRE, INK, SKY])
        for name in sorted(set(names)):
            marker = "D" if track == "floor" else next(markers)
            found[str(name)] = Look(next(colours), marker, LINES.get(str(track), "-"))
    return found


def factor(value: float) -> str:
    """A ratio in three digits or so."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def limits(values: pd.Series, low: pd.Series, high: pd.Series) -> tuple[float, float]:
    """What a log axis shows: every value with its interval, of which none may squeeze the rest into a corner."""
    least, most = float(values.min()), float(values.max())
    low, high = low[low > 0], high[np.isfinite(high)]
    bottom = max(least / 3, min(least, float(low.min()) if len(low) else least))
    top = min(most * 3, max(most, float(high.max()) if len(high) else most))
    room = max((top / bottom) ** 0.05, 1.02)
    return bottom / room, top * room


def log_scale(axis: Axis, shown: tuple[float, float], label: Callable[[float], str], most: int = 8) -> None:
    """A log axis from and to these, with as many round ticks as `most` allows, each with its label."""
    low, high = shown
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 6, 8), (1, 2, 5), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            break
    if len(ticks) < 3:
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    of = axis.axes
    of.set(xscale="log", xlim=shown) if axis is of.xaxis else of.set(yscale="log", ylim=shown)
    axis.set_ticks(ticks, [label(tick) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def key(label: str, colour: str, marker: str = "", line: Any = "-", size: float = 5, alpha: float = 1) -> Line2D:
    """An entry of a legend."""
    look = {"color": colour, "marker": marker, "linestyle": line, "markersize": size, "alpha": alpha}
    return Line2D([], [], **look, linewidth=1.4, markeredgewidth=1.2 if marker == "|" else 0, label=plain(label))


def mark(axis: Axes, x: float, y: float, interval: Iterable[float], colour: str, marker: str, size: float = 5) -> None:
    """A point with the interval of its x, which one replicate alone does not have."""
    low, high = map(float, interval)
    if low > 0 and math.isfinite(high):
        axis.plot([low, high], [y, y], color=colour, linewidth=1.6)
    axis.plot([x], [y], marker, color=colour, markersize=size, markeredgecolor=PAPER, markeredgewidth=0.5)

"""Names beside points, so that no name covers another name, a point or an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from reports.charts.style import SOFT, plain

RADII = (9, 13, 18, 25, 33, 42, 52, 64, 78, 95)
"""Distances from a mark to its name, in points; beyond the second a thin line connects them."""
ANGLES = (90, 270, 0, 180, 45, 315, 135, 225, 20, 340, 160, 200, 70, 290, 110, 250)


def write(axis: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], taken: Sequence[Bbox] = ()) -> None:
    """Write each name at the nearest free place around its point; where none is free, right above the point.

    Args:
        axis: where to write; its layout is final.
        points: in the axis' own units.
        names: one for each point.
        taken: boxes to keep free, in pixels.
    """
    figure = axis.get_figure(root=True)
    assert figure is not None
    unit, inside = figure.dpi / 72, axis.get_window_extent()
    pixels = [(float(x), float(y)) for x, y in axis.transData.transform(list(points))]
    marks = [Bbox.from_bounds(x - 4 * unit, y - 4 * unit, 8 * unit, 8 * unit) for x, y in pixels]
    full = [*taken, *marks]
    names_at: list[Bbox] = []
    leaders: list[Path] = []
    for name, point, (x, y) in zip(names, points, pixels, strict=True):
        note = axis.annotate(
            plain(name), point, (0, RADII[0]), textcoords="offset points", fontsize=8.5, ha="center", va="center"
        )
        note.set_in_layout(False)  # the layout is final; a name must not change it
        size = note.get_window_extent().size
        # the second pass allows a name that a line crosses, or one nearer to another point; never two in one place
        for strict, radius, angle in product((True, False), RADII, ANGLES):
            across, up = radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
            # the text starts or ends there, unless it is right above or below
            middle = across + (0 if abs(across) < 1 else math.copysign(size[0] / 2 / unit, across))
            box = Bbox.from_bounds(x + middle * unit - size[0] / 2, y + up * unit - size[1] / 2, *size)
            # the line ends where the text begins
            end = up - (math.copysign(size[1] / 2 / unit, up) if abs(across) < 1 else 0)
            leader = Path([(x, y), (x + across * unit, y + end * unit)])
            if not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1):
                continue
            others = [*names_at, *(mark for mark in marks if not mark.contains(x, y))]
            clear = not any(_crosses(line, box) for line in leaders) and not any(_crosses(leader, b) for b in others)
            own = min(_distance(box, other) for other in pixels) >= _distance(box, (x, y))
            if not box.count_overlaps(full) and (not strict or (clear and own)):
                break
        else:
            continue
        note.set_position((middle, up))
        full.append(box)
        names_at.append(box)
        if radius > RADII[1] or angle % 90:
            leaders.append(leader)
            line = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
            axis.annotate("", point, (across, end), textcoords="offset points", arrowprops=line).set_in_layout(False)


def _crosses(line: Path, box: Bbox) -> bool:
    """Return whether a line crosses a box."""
    return bool(line.intersects_bbox(box, filled=False))


def _distance(box: Bbox, point: tuple[float, float]) -> float:
    """Return the distance from a point to a box."""
    x, y = point
    return math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))

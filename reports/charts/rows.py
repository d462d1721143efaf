"""The rows of a chart: one for each implementation, grouped by track, the floor at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from reports.charts.style import GRID, SOFT, plain
from reports.tracks import FLOOR


@dataclass(frozen=True)
class Rows:
    """The height of each implementation's row and of each track's name, on an axis that counts downwards."""

    heights: dict[str, float]
    heads: dict[str, float]

    @property
    def count(self) -> float:
        """The number of rows, with the tracks' names."""
        return max(self.heights.values()) + 1

    def label(self, axis: Axes) -> None:
        """Write the names at the left, and draw a faint line along each row."""
        names = [*self.heads, *self.heights]
        axis.set_yticks([*self.heads.values(), *self.heights.values()], [*map(plain, names)])
        axis.set_ylim(self.count - 0.3, -0.6)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        for head in axis.get_yticklabels()[: len(self.heads)]:
            head.set(color=SOFT, style="italic")
        for y in self.heights.values():
            axis.axhline(y, color=GRID, linewidth=0.5, zorder=0)


def arranged(tracks: Mapping[Any, Any]) -> Rows:
    """Return the rows of implementations, which are given in their order, each with its track."""
    track_of = {str(name): str(track) for name, track in tracks.items()}
    heights, heads, y = {}, {}, 0.0
    for track in sorted(set(track_of.values()), key=lambda name: (name == FLOOR, name)):
        if track != FLOOR:
            heads[track] = y
            y += 0.9
        for name in (name for name, own in track_of.items() if own == track):
            heights[name] = y
            y += 1
        y += 0.25
    return Rows(heights, heads)

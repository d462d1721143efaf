"""Rows of implementations: a track below the other, each under its name, the floor at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from reports.charts.style import GRID, SOFT, plain


@dataclass(frozen=True)
class Rows:
    """The height of each implementation's row, and of each track's name, on an axis that counts downwards."""

    places: dict[str, float]
    heads: dict[str, float]

    @property
    def count(self) -> float:
        """How many rows high it all is."""
        return max(self.places.values()) + 1

    def label(self, axis: Axes) -> None:
        """Names at the left, and a faint line along each row."""
        axis.set_yticks([*self.heads.values(), *self.places.values()], [*self.heads, *map(plain, self.places)])
        axis.set_ylim(self.count - 0.3, -0.6)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        for head in axis.get_yticklabels()[: len(self.heads)]:
            head.set(color=SOFT, style="italic")
        for y in self.places.values():
            axis.axhline(y, color=GRID, linewidth=0.5, zorder=0)


def lay(tracks: Mapping[Any, Any]) -> Rows:
    """Rows for implementations, given in order, each with its track."""
    tracks = {str(name): str(track) for name, track in tracks.items()}
    places, heads, y = {}, {}, 0.0
    for track in sorted(set(tracks.values()), key=lambda name: (name == "floor", name)):
        if track != "floor":
            heads[track] = y
            y += 0.9
        for name in (name for name, its in tracks.items() if its == track):
            places[name] = y
            y += 1
        y += 0.25
    return Rows(places, heads)

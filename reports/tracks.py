"""The tracks, in the order in which tables and charts show them."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT, TUNED = "default", "tuned"
PEAK = "peak"
LIMITS = ("floor", PEAK)
"""Names and tracks of what is no LSTM: the peak, and the floor of older runs. Tables and charts leave them out."""


@dataclass(frozen=True)
class Track:
    """A track as a reader sees it: `short` in a sentence, `title` above its rows."""

    short: str
    title: str


TRACKS = {
    DEFAULT: Track("default track", "default: the code that the framework's documentation tells you to write"),
    TUNED: Track("tuned track", "tuned: code that somebody optimized further, with the same framework"),
}


def rank(track: str) -> int:
    """Return the place of a track among all: 0 is first; an unknown track comes after the known ones."""
    return list(TRACKS).index(track) if track in TRACKS else len(TRACKS)


def title(track: str) -> str:
    """Return the line above a track's rows; the track's own name where it is unknown."""
    return TRACKS[track].title if track in TRACKS else track

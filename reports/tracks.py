"""The tracks, in the order in which tables and charts show them."""

from __future__ import annotations

DEFAULT, TUNED = "default", "tuned"
TRACKS = (DEFAULT, TUNED)
PEAK = "peak"
LIMITS = ("floor", PEAK)
"""Names and tracks of what is no LSTM: the peak, and the floor of older runs. Tables and charts leave them out."""


def rank(track: str) -> int:
    """Return the place of a track among all: 0 is first; an unknown track comes after the known ones."""
    return TRACKS.index(track) if track in TRACKS else len(TRACKS)

"""The tracks, in the order in which tables and charts show them."""

import numpy as np
import pandas as pd

DEFAULT, TUNED = "default", "tuned"
TRACKS = (DEFAULT, TUNED)
PEAK = "peak"
LIMITS = ("floor", PEAK)
"""Names and tracks of what is no LSTM: the peak, and the floor of older runs. Tables and charts leave them out."""

OUR_CPP = ("torch_cpp", "jax_ffi")
"""The implementations that are in no library: the C++ of this suite."""


def word(track: str) -> str:
    """Return what readers call a track."""
    return "plain" if track == DEFAULT else track


def called(implementation: str, track: str) -> str:
    """Return the name of an implementation, and what it is where that is not plain code."""
    if implementation in OUR_CPP:
        return f"{implementation} (our C++)"
    if track != DEFAULT:
        return f"{implementation} ({word(track)})"
    return implementation


def rank(track: str) -> int:
    """Return the place of a track among all: 0 is first; an unknown track comes after the known ones."""
    return TRACKS.index(track) if track in TRACKS else len(TRACKS)


def in_order(rows: pd.DataFrame, number: str) -> list[str]:
    """Return the implementations of rows by track, then by the mean log of a number; those without one come last."""
    logs = np.log(rows[number])
    ranked = rows.assign(log=logs, rank=rows["track"].map(rank))
    means = ranked.groupby("implementation", sort=False)[["rank", "log"]].mean()
    return list(means.sort_values(["rank", "log"], kind="stable").index)

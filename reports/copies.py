"""Rows that hold the turns of other rows: what was measured once must not count twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def fingerprints(turns: pd.DataFrame) -> pd.Series:
    """Return a number for each record that stands for when its turns were and how long they took.

    Args:
        turns: the columns record and seconds, and started where it is known.

    Returns:
        The numbers; the index is the record. A record whose turns are all alike says nothing and is left out.
    """
    hashed = pd.util.hash_array(turns["seconds"].to_numpy(float), categorize=False)
    if "started" in turns:
        hashed += 3 * pd.util.hash_array(turns["started"].to_numpy(float), categorize=False)
    of_record = pd.Series(hashed).groupby(turns["record"].to_numpy())
    return of_record.sum()[of_record.min() != of_record.max()]


def copies_in(turns: pd.DataFrame) -> tuple[Any, Any] | None:
    """Return two records of a run that hold the same turns; None where there are none."""
    found = fingerprints(turns)
    again = found[found.duplicated()]
    return (found.index[found == again.iloc[0]][0], again.index[0]) if len(again) else None


def share_turns(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether any record of one run holds the turns of a record of another."""
    return bool(np.isin(fingerprints(one).to_numpy(), fingerprints(other).to_numpy()).any())

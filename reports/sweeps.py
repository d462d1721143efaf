"""Sweeps: problems of a run that differ in a single size."""

from __future__ import annotations

import pandas as pd

SIZES = {"seq_len": "sequence length T", "batch": "batch B", "hidden_size": "hidden size H"}
"""The sizes that may be swept, with the words for them."""
SHAPE = ["seq_len", "batch", "input_size", "hidden_size", "num_layers", "bidirectional", "bias", "lengths", "dtype"]


def problems_of(records: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each problem of a run's records, with its SHAPE."""
    return records.drop_duplicates("problem")[["problem", *SHAPE]]


def largest(problems: pd.DataFrame, size: str) -> pd.DataFrame:
    """Return the largest set of problems that differ in that size alone, ordered by it; if I = H, I may too."""
    fixed = [name for name in SHAPE if name != size]
    families = [family for _, family in problems.groupby(fixed, observed=True, dropna=False)]
    if size == "hidden_size":
        equal = problems[problems["input_size"] == problems["hidden_size"]]
        families += [
            family
            for _, family in equal.groupby(
                [name for name in fixed if name != "input_size"], observed=True, dropna=False
            )
        ]
    return max(families, key=lambda family: family[size].nunique(), default=problems).sort_values(size)

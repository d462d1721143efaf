"""The packages that an implementation ran with, as its row of a summary says."""

import pandas as pd


def packages_of(rows: pd.DataFrame) -> pd.Series:
    """Return the names of each row's packages, its framework first: of `flax 0.12.8, jax 0.10.2`, flax and jax."""
    return rows["versions"].astype(str).str.findall(r"([^ ,]+)[^,]*")

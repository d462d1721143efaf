"""Which rows are of today's code, and which run heads a page: the one that has most of them."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pandas as pd

from impls.core import registry
from reports.frames import Run
from reports.tracks import LIMITS

OLDER = "older code"
"""What a page says of a row that is not of today's code."""


@cache  # which reads every file
def digests() -> Mapping[str, str]:
    """Return the digest of the file of each implementation of this suite, as it is now."""
    return {name: each.digest for name, each in registry.survey()[0].items()}


def file_of(names: pd.Series) -> pd.Series:
    """Return the names of the files behind implementations: `jax_scan` of `jax_scan@jax==0.8.*`."""
    return names.str.split("@").str[0]


def is_today(rows: pd.DataFrame) -> pd.Series:
    """Return which rows are of today's code: their digest is the file's. What is not of this suite is taken to be."""
    now = file_of(rows["implementation"]).map(digests())
    return now.isna() | (now == rows["digest"])


def age(row: Any) -> str:
    """Return what a text says after a row of older code, which is in its column `older`."""
    return f", *{OLDER}*" if row.older else ""


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Return runs in the order of a page: by implementations of today's code, then by rounds, then by time, most first.

    So a quick run does not hide a full one, nor one round several. Ids start with the time.
    """

    def rank(run: Run) -> tuple[int, int, str]:
        return of_today(run), len(run.rounds), run.run_id

    return sorted(runs, key=rank, reverse=True)


def of_today(run: Run) -> int:
    """Return how many implementations of a run are of today's code."""
    lstms = run.records[~run.records["track"].isin(LIMITS)]
    return int(lstms.loc[is_today(lstms), "implementation"].nunique())

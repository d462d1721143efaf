"""What to use on a machine, in one sentence, and the exceptions: where something is clearly faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from benchmarks.words import count, listed
from impls.core.problem import Problem
from reports.headline import Recommendation, clearly_fastest
from reports.report import PURPOSES

SMALL = 4
"""The largest batch that is called small."""


def answer(advised: Sequence[Recommendation]) -> tuple[str, list[str]]:
    """Return a sentence, and a line for each purpose and kind of problem at which something is clearly faster."""
    known = pd.DataFrame(_known(advised), columns=["kind", "baseline", "name", "ratio"])
    if known.empty:
        return "Nothing was compared with a baseline.", []
    baseline, faster = known["baseline"].iloc[0], known["name"].notna()
    if not faster.any():
        return f"Use {baseline}. Nothing that was measured is clearly faster.", []
    lines = [
        f"{kind}: {_faster(rows)}" for kind, rows in known.groupby("kind", sort=False) if rows["name"].notna().any()
    ]
    if faster.mean() <= 0.5:
        return f"Use {baseline}. Clearly faster are only these, where {baseline}'s time is 1:", lines
    return f"It depends on the shape. These are clearly faster than {baseline}, whose time is 1:", lines


def _known(advised: Sequence[Recommendation]) -> Iterator[tuple[str, str, str | None, float]]:
    for each in advised:
        if each.timed["ratio"].notna().any():
            best = clearly_fastest(each.timed)
            found = (None, 1.0) if best is None else (str(best["implementation"]), float(best["ratio"]))
            yield (f"{PURPOSES[each.mode]}{_kind(each)}", each.report.baseline, *found)


def _kind(each: Recommendation) -> str:
    """Return such as `, batch 1 to 4`."""
    where = "" if each.device == "cpu" else f" on {each.device}"
    try:
        problem = Problem.parse(each.problem)
    except ValueError:
        return where
    size = f"batch 1 to {SMALL}" if problem.batch <= SMALL else f"batch {SMALL + 1} and more"
    rows = "rows of different lengths" if problem.lengths else size
    return f"{where}, {rows}" + ("" if problem.dtype == "float32" else f", {problem.dtype}")


def _faster(rows: pd.DataFrame) -> str:
    """Return such as `torch_cpp 0.54 to 0.82 at 3 of 4 shapes`."""
    said = []
    for name, mine in rows.groupby("name", sort=False):
        ends = dict.fromkeys(f"{end:.2f}" for end in (mine["ratio"].min(), mine["ratio"].max()))
        said.append((-len(mine), f"{name} {' to '.join(ends)}"))
    named = listed([words for _, words in sorted(said)[:3]], "or")
    return f"{named}, at {rows['name'].count()} of {count(len(rows), 'shape')}"

"""How time grows with a size, and where implementations cross the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.statistics.intervals import means, t_interval
from benchmarks.tables import Column
from reports import frames
from reports.frames import Run, plain
from reports.report import PURPOSES, SIZES, Answer, Report, largest, problems_of
from reports.tables import words_of
from reports.verdict import BASELINE, FASTER, SLOWER

SECTION, ORDER = "more", 25
ENOUGH = 5
"""The fewest sizes of a sweep that is a question of its own."""
END = 3
"""The sizes at each end through which an exponent is fitted."""
NAMES = {"seq_len": "sequence length", "batch": "batch", "hidden_size": "hidden size"}
ARM = ["implementation", "mode"]


def make(report: Report) -> Iterator[Answer]:
    """Yield an answer for each size that the run sweeps."""
    problems, sound = problems_of(report.run.records), report.sound
    for device, rows in sound.groupby("device", sort=False, observed=True):
        for size in SIZES:
            sweep = largest(problems[problems["problem"].isin(rows["problem"])], size)
            if len(set(sweep[size])) < ENOUGH:
                continue
            swept = rows.merge(sweep[["problem", size]], on="problem")
            where = f" on {device}" if len(set(sound["device"])) > 1 else ""
            grown = growth(report.run, swept, size)
            if len(grown):
                yield _time(report.baseline, swept, size, grown, where)


def growth(run: Run, swept: pd.DataFrame, size: str) -> pd.DataFrame:
    """Return how time grows: a row for each mode and implementation that has a time at every size.

    Columns: implementation, mode; small and large, the exponents k in time = constant · size^k at the two ends, each
    with _low and _high; against, how it stands to the baseline.
    """
    sizes = sorted(set(swept[size]))
    timed = plain(run.records[[*frames.ARM, "replicate", "seconds"]]).merge(plain(swept[[*frames.ARM, size]]))
    times = timed.pivot_table("seconds", [*ARM, "replicate"], size).reindex(columns=sizes).dropna()
    of_arm = {arm: np.log(rows.to_numpy(float)) for arm, rows in times.groupby(ARM)}
    order = [(name, mode) for mode in reversed(PURPOSES) for name in swept["implementation"].unique()]
    arms = [arm for arm in order if arm in of_arm]
    if not arms:
        return pd.DataFrame()
    ends = {"small": slice(None, END), "large": slice(-END, None)}
    fitted = means([slope(np.log(sizes[end]), of_arm[arm][:, end]) for end in ends.values() for arm in arms])
    columns = [f"{name}{suffix}" for suffix in ("", "_low", "_high") for name in ends]
    numbers = np.concatenate([fitted.mean, *t_interval(fitted)]).reshape(len(columns), -1)
    verdicts = swept.sort_values(size).groupby(ARM, observed=True)["verdict"].agg(list)
    against = ["–" if BASELINE in verdicts[arm] else standing(sizes, verdicts[arm]) for arm in arms]
    return pd.DataFrame(arms, columns=ARM).assign(**dict(zip(columns, numbers, strict=True)), against=against)


def _exponent(name: str, row: Any) -> str:
    value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _time(baseline: str, swept: pd.DataFrame, size: str, grown: pd.DataFrame, where: str) -> Answer:
    sizes = sorted(set(swept[size]))
    said = []
    for mode, purpose in PURPOSES.items():
        mine = grown[grown["mode"] == mode]
        leading = mine[mine["against"].str.contains(FASTER)]
        said += [
            f"{purpose}: relative to {baseline}, {row.implementation} is {row.against}." for row in leading.itertuples()
        ]
    steps = grown[grown["mode"] == "train_step"].sort_values("large")
    if len(steps):
        ends = steps.iloc[[0, -1]]
        times = 2 ** ends["large"].to_numpy(float)
        least, most = (f"{often:.1f} ({name})" for often, name in zip(times, ends["implementation"], strict=True))
        said.append(
            f"From {NAMES[size]} {sizes[-END]} on, twice the {NAMES[size]} makes a training step {least} to {most}"
            " times as long."
        )
    columns = (
        *map(words_of, ARM),
        Column("small", f"exponent, {sizes[0]} to {sizes[END - 1]} [95 %]", partial(_exponent, "small")),
        Column("large", f"exponent, {sizes[-END]} to {sizes[-1]} [95 %]", partial(_exponent, "large")),
        words_of("against", f"than {baseline}"),
    )
    return Answer(f"How does time grow with the {NAMES[size]}{where}?", " ".join(said), columns, grown)


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the slope of the least-squares line through each row of y, of shape (rows, points)."""
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def standing(sizes: Sequence[int], verdicts: Sequence[str]) -> str:
    """Return where it is faster and where slower, such as `faster up to 4, slower from 16`.

    What lies between is unclear. The sizes ascend, and each has a verdict.
    """
    clear = [(size, verdict) for size, verdict in zip(sizes, verdicts, strict=True) if verdict in (FASTER, SLOWER)]
    said = []
    for verdict, same in groupby(clear, lambda pair: pair[1]):
        first, *_, last = [size for size, _ in same] * 2
        if first == sizes[0] and last != sizes[-1]:
            said.append(f"{verdict} up to {last}")
        elif last == sizes[-1] and first != sizes[0]:
            said.append(f"{verdict} from {first}")
        else:
            said.append(f"{verdict} at {first}" if first == last else f"{verdict} from {first} to {last}")
    return ", ".join(said) or "unclear at every size"

"""How time grows with a size, where implementations cross the baseline, and how the first call grows with T."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.columns import Column
from benchmarks.statistics.intervals import means, t_interval
from benchmarks.words import listed
from reports import formatting
from reports.answers.answer import MODES, Answer
from reports.columns import word
from reports.frames import Run
from reports.recommendation import PURPOSES, WORKLOAD
from reports.sweeps import SIZES, largest, problems_of
from reports.tracks import FLOOR
from reports.verdict import BASELINE, FASTER, SLOWER

ENOUGH = 5
"""The fewest sizes of a sweep that is a question of its own."""
END = 3
"""The sizes at each end through which an exponent is fitted."""
NAMES = {"seq_len": "sequence length", "batch": "batch", "hidden_size": "hidden size"}


@dataclass(frozen=True)
class Exponent:
    """k in time = constant · size^k, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Growth:
    """How an implementation's time grows in a mode: its exponents, and how it stands to the baseline."""

    implementation: str
    mode: str
    small: Exponent
    large: Exponent
    against: str


def growth(run: Run, sound: pd.DataFrame) -> Iterator[Answer]:
    """Yield an answer for each size that the run sweeps, and one on the first call where it sweeps T.

    Args:
        run: the run.
        sound: the rows of its summary that answers are about and that have a time.
    """
    problems = problems_of(run.records)
    for device, rows in sound.groupby("device", sort=False, observed=True):
        for size in SIZES:
            sweep = largest(problems[problems["problem"].isin(rows["problem"])], size)
            if len(set(sweep[size])) < ENOUGH:
                continue
            swept = rows.merge(sweep[["problem", size]], on="problem")
            where = f" on {device}" if len(set(sound["device"])) > 1 else ""
            yield from _time(run, swept, size, where)
            if size == "seq_len":
                yield _first_calls(swept, where)


def _time(run: Run, swept: pd.DataFrame, size: str, where: str) -> Iterator[Answer]:
    sizes = sorted(set(swept[size]))
    grown = list(_grown(run, swept, size, sizes))
    if not grown:
        return
    steps = sorted((row for row in grown if row.mode == "train_step"), key=lambda row: row.large.value)
    first, *_, last = swept.sort_values(size)["problem"].astype(str)
    said = [f"The problems are {first} to {last}."]
    for mode, purpose in PURPOSES.items():
        leading = [row for row in grown if row.mode == mode and FASTER in row.against]
        said += [f"{purpose}: relative to {run.baseline}, {row.implementation} is {row.against}." for row in leading]
        if not leading and any(row.mode == mode for row in grown):
            said.append(f"{purpose}: at no {NAMES[size]} is anything clearly faster than {run.baseline}.")
    if steps:
        least, most = (f"{2**row.large.value:.1f} ({row.implementation})" for row in (steps[0], steps[-1]))
        said.append(
            f"From {NAMES[size]} {sizes[-END]} on, twice the {NAMES[size]} makes a training step {least} to {most}"
            " times as long."
        )
    columns = (
        Column("implementation", "implementation", word("implementation"), words=True),
        Column("mode", "mode", word("mode"), words=True),
        Column("small", f"exponent, {sizes[0]} to {sizes[END - 1]} [95 %]", word("small")),
        Column("large", f"exponent, {sizes[-END]} to {sizes[-1]} [95 %]", word("large")),
        Column("against", f"than {run.baseline}", word("against"), words=True),
    )
    yield Answer(f"How does time grow with the {NAMES[size]}{where}?", " ".join(said), columns, grown)


def _grown(run: Run, swept: pd.DataFrame, size: str, sizes: Sequence[int]) -> Iterator[Growth]:
    """Yield the growth of each implementation and mode that has a time at every size."""
    names = [name for name in dict.fromkeys(swept["implementation"].astype(str)) if name != FLOOR]
    tables = {}
    for mode in MODES:
        for name in names:
            mine = swept[(swept["implementation"] == name) & (swept["mode"] == mode)]
            if len(mine) == len(sizes):
                tables[name, mode] = mine.sort_values(size), _logs(run, mine, size)
    ends = slice(None, END), slice(-END, None)
    slopes = [slope(np.log(sizes[end]), logs[:, end]) for _, logs in tables.values() for end in ends]
    if not slopes:
        return
    fitted = means(slopes)
    exponents = [Exponent(*map(float, each)) for each in zip(fitted.mean, *t_interval(fitted), strict=True)]
    for k, ((name, mode), (mine, _)) in enumerate(tables.items()):
        words = mine["verdict"].astype(str).tolist()
        against = "–" if BASELINE in words else standing(sizes, words)
        yield Growth(name, mode, exponents[2 * k], exponents[2 * k + 1], against)


def _logs(run: Run, mine: pd.DataFrame, size: str) -> np.ndarray:
    """Return the log seconds of an arm, shape (replicates, sizes), of the replicates that have all sizes."""
    records = run.records
    same = [(records[name] == mine[name].iloc[0]) for name in ("implementation", "mode", "device")]
    here = records[np.logical_and.reduce([*same, records["workload"] == WORKLOAD])].merge(
        mine[["problem", size]], on="problem", suffixes=("_of_record", "")
    )
    table = here.pivot_table(index="replicate", columns=size, values="seconds", observed=True)
    return np.asarray(np.log(table.dropna().sort_index(axis=1).to_numpy(float)))


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the slope of the least-squares line through each row of y.

    Args:
        x: shape (points,).
        y: shape (rows, points).
    """
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def standing(sizes: Sequence[int], verdicts: Sequence[str]) -> str:
    """Return where it is faster and where slower, such as `faster up to 4, slower from 16`.

    What lies between is unclear: there is no verdict.

    Args:
        sizes: in ascending order.
        verdicts: one for each size.
    """
    clear = [(size, verdict) for size, verdict in zip(sizes, verdicts, strict=True) if verdict in (FASTER, SLOWER)]
    runs: list[tuple[str, list[int]]] = []
    for size, verdict in clear:
        if not runs or runs[-1][0] != verdict:
            runs.append((verdict, []))
        runs[-1][1].append(size)
    said = []
    for verdict, (first, *rest) in runs:
        last = (first, *rest)[-1]
        if (first, last) == (sizes[0], sizes[-1]):
            said.append(f"{verdict} from {first} to {last}")
        elif first == sizes[0]:
            said.append(f"{verdict} up to {last}")
        elif last == sizes[-1]:
            said.append(f"{verdict} from {first}")
        else:
            said.append(f"{verdict} at {first}" if first == last else f"{verdict} from {first} to {last}")
    return ", ".join(said) or "unclear at every size"


@dataclass(frozen=True)
class FirstCalls:
    """The seconds of an implementation's first call in a mode, by T."""

    implementation: str
    mode: str
    seconds: dict[int, float]


def _first_calls(swept: pd.DataFrame, where: str) -> Answer:
    sizes = sorted(set(swept["seq_len"]))
    rows = [
        FirstCalls(str(name), str(mode), dict(zip(mine["seq_len"], mine["first_call_seconds"], strict=True)))
        for (name, mode), mine in swept[swept["implementation"] != FLOOR].groupby(
            ["implementation", "mode"], sort=False, observed=True
        )
    ]
    growing = [
        f"{row.implementation} ({formatting.duration(row.seconds[sizes[0]])} to"
        f" {formatting.duration(row.seconds[sizes[-1]])})"
        for row in rows
        if row.mode == "train_step"
        and row.seconds.get(sizes[-1], 0.0) > max(1.0, 2 * row.seconds.get(sizes[0], float("inf")))
    ]
    said = f"From T = {sizes[0]} to {sizes[-1]}, " + (
        f"the first training step takes more than twice as long, and over a second, for {listed(growing)}."
        if growing
        else "no implementation's first training step both more than doubled and took over a second."
    )
    columns = (
        Column("implementation", "implementation", word("implementation"), words=True),
        Column("mode", "mode", word("mode"), words=True),
        *(
            Column(f"t{size}", f"T = {size}", lambda row, size=size: formatting.duration(row.seconds.get(size, np.nan)))  # type: ignore[misc]
            for size in sizes
        ),
    )
    return Answer(f"How does the first call grow with the sequence length{where}?", said, columns, rows)

"""Rounds of one run that were measured apart: given together, or one of them published before."""

import tempfile
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.bench import rounds
from benchmarks.bench.rounds import SavedRun
from benchmarks.options import start_of
from reports import frames, history, peak
from reports.frames import Run

MINUTES_APART = 25
"""Of rounds that begin nearer to each other, one says little of the other: a machine is slow for tens of minutes."""


def gathered(folders: Iterable[Path], place: Path) -> list[Path]:
    """Join those of some runs that are rounds of one: each into a folder in `place`, with the name of the newest.

    A ValueError says in one line which can't be read, or began too near to another.
    """
    kinds: dict[Any, list[SavedRun]] = {}
    for run in sorted(map(SavedRun.read, folders), key=newest_round):
        kinds.setdefault(tuple(run.kind().items()), []).append(run)
    alike: list[list[SavedRun]] = []
    for runs in kinds.values():
        alike += by_peak(runs) if len(runs) > 1 else [runs]
    for runs in alike:
        for run, other in combinations(runs, 2):
            near = too_near(run, other)
            if near:
                raise ValueError(f"{run.folder}: {near}")
    return [join(runs, place) for runs in alike]


def by_peak(runs: Iterable[SavedRun]) -> list[list[SavedRun]]:
    """Return runs in groups with such a peak: see history.states."""
    table = pd.Series(list(runs))
    records = [frames.read_run(run.folder).records for run in table]
    speeds = pd.Series([peak.speed(of_run) for of_run in records])
    errors = pd.Series([peak.speed_error(of_run) for of_run in records])
    return [list(group) for _, group in table.groupby(history.states(speeds, errors))]


def newest_round(run: SavedRun) -> str:
    """Return the run_id of the newest round of a run."""
    return run.described.run.run_id


def join(runs: Sequence[SavedRun], place: Path) -> Path:
    """Join rounds of one run into a new folder in `place`, with the name of the newest; one run stays where it is."""
    newest = max(runs, key=newest_round)
    if len(runs) == 1:
        return newest.folder
    folder = Path(tempfile.mkdtemp(dir=place), newest.folder.resolve().name)
    folder.mkdir()
    rounds.joined(runs, folder)
    return folder


def too_near(run: SavedRun, other: SavedRun) -> str:
    """Return which round of a run began too near to one of another run; empty where none did.

    Rounds that both have do not count, nor do two of one run: it was measured so.
    """
    pairs = product(run.rounds - other.rounds, other.rounds - run.rounds)
    for mine, theirs in sorted(pairs):
        minutes = round(abs(start_of(mine) - start_of(theirs)).total_seconds() / 60)
        if minutes < MINUTES_APART:
            return (
                f"its round {mine} and {theirs} of {other.folder.name} began {minutes} minutes apart;"
                f" so near, they are no independent rounds: {MINUTES_APART} minutes are needed"
            )
    return ""


def published_rounds(run: SavedRun, measured: Run, published: Path) -> tuple[list[SavedRun], str]:
    """Return the published runs that a run is a further round of: of its kind, with such a peak.

    Also why it is none of the newest that is much like it: on such a processor, with most benchmarks in common.

    Args:
        run, measured: the same run, as its folder has it and as reports read it.
        published: the folder of the published runs.
    """
    kind = run.kind()
    same = []
    why = ""
    for folder in frames.folders(published):
        other = SavedRun.read(folder)
        of_other = other.kind()
        differ = rounds.differences(kind, of_other)
        if not differ and not history.has_peak_of(measured, other.rounds):
            differ = "the peak: the host lets the processors be faster or slower"
        if not differ:
            same.append(other)
            continue
        both = kind["the benchmarks"] & of_other["the benchmarks"]
        either = kind["the benchmarks"] | of_other["the benchmarks"]
        if of_other["the processor"] == kind["the processor"] and 2 * len(both) > len(either):
            why = f"it is no round of {folder.name}: they differ in {differ}"
    return same, why

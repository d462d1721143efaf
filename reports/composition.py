"""What a page takes from which of its runs: a machine is headed by its newest full run, and others fill in.

A quick run must not hide a full one, and a run of a few shapes that others have published has more to say on those
than the run that heads the page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd

from benchmarks import processors
from reports import answers, heatmap, history
from reports.answers import Answer
from reports.charts import Picture
from reports.frames import ARM, BENCHMARK, Run
from reports.heatmap import Map
from reports.recommendation import WORKLOAD, Recommendation, recommendations
from reports.reported import Reported

Thing = TypeVar("Thing")
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Taken(Generic[Thing]):
    """An answer, a chart or an advice, and the run that it was taken from."""

    what: Thing
    run: Reported


@dataclass(frozen=True)
class Machine:
    """A machine, and those of its runs that stand on the page: the first one heads it."""

    label: str
    runs: Sequence[Reported]

    @property
    def head(self) -> Reported:
        """The run that heads the machine's part of the page."""
        return self.runs[0]


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Return runs in the order of a page: those of most workloads and modes first, and among them the newest.

    So a full run heads the page, and never a newer quick one, nor one of many shapes that has two modes. Ids start
    with the time; one without a time comes last.
    """
    newest = sorted(runs, key=lambda run: (run.run_id[:1].isdigit(), run.run_id), reverse=True)
    return sorted(newest, key=lambda run: -len(run.records[["workload", "mode"]].drop_duplicates()))


def machines(reported: Sequence[Reported]) -> list[Machine]:
    """Return the machines of some runs, each with the runs that stand on a page.

    A run stands if it has an arm at a benchmark that no run before it has on that machine.

    Args:
        reported: the runs, in the order of the page.
    """
    of_machine: dict[str, list[Reported]] = {}
    seen: dict[str, set[tuple[str, ...]]] = {}
    for each in reported:
        key = history.machine_label(each.run)
        arms = set(each.summary[ARM].astype(str).itertuples(index=False, name=None))
        if not arms <= seen.setdefault(key, set()):
            of_machine.setdefault(key, []).append(each)
            seen[key] |= arms
    found: list[Machine] = []
    for runs in of_machine.values():
        label = words(runs[0].run)
        taken = any(other.label == label for other in found)
        found.append(Machine(f"{label} ({runs[0].name})" if taken else label, runs))
    return found


def words(run: Run) -> str:
    """Return the processor, and the GPU if there is one."""
    machine = run.metadata.machine
    return ", ".join(part for part in (processors.words(machine), machine.gpu) if part)


def advice(machine: Machine) -> list[Taken[Recommendation]]:
    """Return what to use at each shape for each purpose, from the run that compared most implementations there."""
    chosen: dict[tuple[str, str, str], Taken[Recommendation]] = {}
    for each in machine.runs:
        for found in recommendations(each.run, each.summary):
            key = found.problem, found.mode, found.device
            if key not in chosen or found.compared > chosen[key].what.compared:
                chosen[key] = Taken(found, each)
    return list(chosen.values())


def maps(head: Reported, advised: Iterable[Taken[Recommendation]]) -> Iterator[Map]:
    """Yield the maps of the shapes of the run that heads a machine; each shape from the run that the advice is from."""
    shapes = set(head.summary["problem"].astype(str))
    parts = []
    for each in advised:
        rows = each.run.summary
        if each.what.problem in shapes and each.run.run.baseline == head.run.baseline:
            wanted = {**vars(each.what), "workload": WORKLOAD}
            parts.append(rows[(rows[BENCHMARK].astype(str) == [wanted[name] for name in BENCHMARK]).all(axis=1)])
    if parts:
        yield from heatmap.maps(pd.concat(parts, ignore_index=True))


OF_THE_HEAD = ("ratio", "accuracy", "drift")
"""The kinds of charts that show the run that heads the page; of the others, those that show most."""


def pictures(found: Sequence[Machine]) -> list[Taken[Picture]]:
    """Return the charts of a page: of each name the one that shows most, on the first machine that has one."""
    head = found[0].head
    chosen = {each.name: Taken(each, head) for each in head.pictures if each.kind in OF_THE_HEAD}
    wanted = set(head.summary["problem"].astype(str))
    for machine in found:
        here = [Taken(each, run) for run in machine.runs for each in run.pictures if each.kind not in OF_THE_HEAD]
        here = [each for each in here if each.what.problem is None or each.what.problem in wanted]
        for name, same in _by(here, lambda each: each.what.name):
            chosen.setdefault(name, max(same, key=lambda each: len(each.what.said)))
    return list(chosen.values())


EVERY_RUN = ("elsewhere",)
"""The parts of a page to which each run may add an answer of the same title."""


def said(found: Sequence[Machine]) -> dict[str, list[Taken[Answer]]]:
    """Return the answers of a page by its part: of each title the one with most rows, on the first machine with one."""
    parts: dict[str, list[Taken[Answer]]] = {}
    chosen: dict[tuple[str, str], list[Taken[Answer]]] = {}
    for machine in found:
        here = []
        for each in machine.runs:
            for part, mine in answers.answers(each.run, each.summary).items():
                parts.setdefault(part, [])
                here += [(part, Taken(answer, each)) for answer in mine]
        for key, same in _by(here, lambda one: (one[0], one[1].what.title)):
            taken = [each for _, each in same]
            if key[0] in EVERY_RUN:
                chosen.setdefault(key, []).extend(taken)
            else:
                chosen.setdefault(key, [max(taken, key=lambda each: len(each.what.rows))])
    for (part, _), taken in chosen.items():
        parts[part] += taken
    return parts


def _by(things: Iterable[Thing], name: Callable[[Thing], Name]) -> Iterator[tuple[Name, list[Thing]]]:
    """Yield things by name, in the order of the first of each name."""
    groups: dict[Name, list[Thing]] = {}
    for each in things:
        groups.setdefault(name(each), []).append(each)
    yield from groups.items()

"""What index.html says of a machine: its answer, its maps, the answer at each shape, and its charts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import count, listed
from reports import estimates, headline, selection, tables
from reports.advice import LIBRARIES
from reports.charts import shapes
from reports.charts.drawing import Drawing, write
from reports.code_age import OLDER, file_of, is_today
from reports.frames import began
from reports.headline import Recommendation
from reports.machines import Machine
from reports.packages import packages_of
from reports.preamble import torch_and_jax
from reports.report import PURPOSES, Answer, Report
from reports.site import maps
from reports.tracks import DEFAULT
from reports.verdict import BASELINE

ASKED = (
    "What is the cost of packed",
    "What is the cost of unequal",
    "Is torch.compile",
    "How late",
    "Did a release",
    "What is the cost",
    "Which LSTM",
)
"""How questions begin, from those that most readers have; those about the making of an LSTM come last."""

MACHINES = 2
"""The page answers for so many machines; the others are in all rows. One more machine is 0.3 MB."""

FIRST_OPEN = 6
"""So many of the first questions show their answer at once."""


def part(machine: Machine, folder: Path, is_brief: bool) -> dict[str, Any]:
    """Return what the page says of one machine, by the names in its template, and write its dot plots.

    `is_brief`: of the charts behind the questions, those of training alone.
    """
    advised = list(headline.recommendations(machine.head, selection.sequences(machine.runs)))
    of_head = [each for each in advised if each.problem in set(machine.head.summary["problem"])]
    of_purpose = defaultdict(list)
    for each in of_head:
        of_purpose[each.purpose].append(each)
    drawings = []
    for group in of_purpose.values():
        drawing = shapes.draw(machine.label, group)
        if drawing:
            drawings.append(write(drawing, folder / "figures"))
    found = list(maps.of_machine(machine))
    of_maps = [each.drawing for each in found]
    leads = {each.mode: each.lead for each in found}
    others = [(made, report) for made, report in machine.shown if made not in of_maps]
    if is_brief:
        others = [each for each in others if not _is_of_inference(each[0])]
    return {
        "machine": machine,
        "maps": found,
        "shown": sorted(others, key=_question),
        "leads": list(_leads(of_head, leads)),
        "measured": _measured(machine),
        "advised": advised,
        "drawings": drawings,
        "noise": estimates.noise(machine.head.run),
    }


def _leads(
    advised: Sequence[Recommendation], of_map: Mapping[str, list[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each mode with its answer: that of its map, where there is one."""
    for mode in dict.fromkeys(each.mode for each in advised):
        of_mode = [each for each in advised if each.mode == mode]
        yield mode, of_map[mode] if mode in of_map else headline.answer(of_mode)


def _is_of_inference(made: Drawing | Answer) -> bool:
    return isinstance(made, Drawing) and made.title.startswith(PURPOSES["forward"])


def _question(shown: tuple[Drawing | Answer, Report]) -> tuple[int, str]:
    """Return by what answers are ordered: what most readers ask comes first; charts keep their order."""
    made, _ = shown
    if isinstance(made, Drawing):
        return len(ASKED), ""
    question = made.title.partition("?")[0]
    rank = [number for number, start in enumerate(ASKED) if question.startswith(start)]
    return min(rank, default=len(ASKED)), question


def _measured(machine: Machine) -> dict[str, Any]:
    """Return what was measured on a machine, by the names in the page's template."""
    run = machine.head.run
    summary = pd.concat([report.summary for report in machine.runs])
    timed = summary[summary["status"] == "ok"]
    files = file_of(timed["implementation"])
    failed = run.failures(summary)
    return {
        "day": began(run.run_id),
        "implementations": count(files.nunique(), "implementation"),
        "older": files.nunique() - files[is_today(timed)].nunique(),
        "failed": listed(sorted(failed["implementation"].unique())),
        "cores": count(run.metadata.run.threads or run.metadata.machine.cores or 0, "core"),
        "versions": torch_and_jax(run),
        "is_cpu": "cuda" not in set(summary["device"]),
    }


def best_of_tracks(advised: Recommendation) -> list[Any]:
    """Return the best plain and the best tuned code of each framework, and the baseline: what takes least first."""
    rows = advised.timed
    best = shapes.best_of_frameworks(rows, "track")
    if best.empty:
        return []
    baseline = rows[rows["verdict"] == BASELINE]
    every = pd.concat([baseline.assign(framework=packages_of(baseline).str[0]), best])
    used = packages_of(every)
    every["libraries"] = [
        " ".join(dict.fromkeys([names[0], *(name for name in names if name in LIBRARIES)]))
        for names in used
    ]
    return list(every.sort_values("ratio", kind="stable").itertuples(index=False))


def of_tracks(baseline: str) -> list[Column]:
    """Return the columns of a table of these."""
    name = Column("implementation", "implementation", _name_and_track, words=True)
    return [
        name,
        *(each for each in tables.of_summary(baseline) if each.key in ("ratio", "verdict")),
    ]


def _name_and_track(row: Any) -> str:
    """Return the name of an implementation, its track where it is not plain code, and whether that is older."""
    name = str(row.implementation)
    if row.track != DEFAULT:
        name += f", {row.track}"
    if row.older:
        name += f", {OLDER}"
    return name

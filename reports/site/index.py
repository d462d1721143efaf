"""What index.html says of a machine: its answer, its maps, the answer at each shape, and its charts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
from reports.parts.cliffs import UNEQUAL, costs
from reports.parts.sizes import NAMES, growth_name
from reports.preamble import torch_and_jax
from reports.report import Answer, Report
from reports.site import maps
from reports.tracks import DEFAULT
from reports.verdict import BASELINE


class Topic(NamedTuple):
    """What readers ask about: a part of the page, with the answers to some questions.

    Attributes:
        id: that of the part, in the page's address.
        name: what leads to it.
        starts: how its questions begin, from those that most readers have.
    """

    id: str
    name: str
    starts: tuple[str, ...]


ASKED = (
    Topic(
        "packed",
        "Packed rows, options",
        ("What is the cost of options", "What is the cost of unequal", "What is the cost"),
    ),
    Topic("compile", "torch.compile", ("Is torch.compile",)),
    Topic("stream", "p99 latency", ("What is the p99",)),
    Topic("releases", "Releases", ("Did a release",)),
)
"""What most readers ask."""
SHAPES = Topic("shapes", "Shape by shape", ("Which LSTM",))
BEHIND = (Topic("changes", "What makes one fast", ("What does",)), SHAPES)
"""What is behind the answers."""

MACHINES = 2
"""The page answers for so many machines; the others are in all rows. One more machine is 0.3 MB."""


def part(machine: Machine, folder: Path, is_brief: bool) -> dict[str, Any]:
    """Return what the page says of one machine, by the names in its template, and write its dot plots.

    `is_brief`: of its charts, those of sizes in training alone.
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
    charts = [(made, report) for made, report in others if isinstance(made, Drawing)]
    answers = [(made, report) for made, report in others if isinstance(made, Answer)]
    answers.sort(
        key=lambda each: each[0].title.partition("?")[0]
    )  # training stays before inference
    if is_brief:
        kept = [growth_name(size, "train_step") for size in NAMES]
        charts = [each for each in charts if each[0].name in kept]
    return {
        "machine": machine,
        "maps": found,
        "charts": charts,
        "answers": {topic.id: list(_of_topic(topic, answers)) for topic in (*ASKED, *BEHIND)},
        "leads": list(_leads(of_head, leads)),
        "measured": _measured(machine),
        "advised": advised,
        "costs": _costs(machine),
        "drawings": drawings,
        "noise": estimates.noise(machine.head.run),
    }


def _costs(machine: Machine) -> dict[tuple[str, str], str]:
    """Return what the option of a problem costs the baseline in a mode, in a sentence, by problem and mode."""
    found = {}
    for report in reversed(machine.runs):  # the first one's stand
        rows = costs(report)
        row: Any
        for row in rows[rows["implementation"] == report.baseline].itertuples(index=False):
            words = (
                f"With {row.option}, {row.implementation} takes {row.cost:.2f} × its time without."
            )
            if row.option == UNEQUAL and row.cost > 1:
                takes = f"{row.implementation} takes {1 / row.cost:.2f} × its time on packed ones"
                words = f"Pad, if you can: on padded rows, {takes}."
            found[row.problem, row.mode] = words
    return found


def shown(topics: Sequence[Topic], parts: Sequence[Mapping[str, Any]]) -> Iterator[Topic]:
    """Yield the topics on which the page has something to show; charts are of SHAPES."""
    for topic in topics:
        charts = [part["drawings"] or part["charts"] for part in parts if topic == SHAPES]
        if any(part["answers"][topic.id] for part in parts) or any(charts):
            yield topic


def _leads(
    advised: Sequence[Recommendation], of_map: Mapping[str, list[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each mode with its answer: that of its map, where there is one."""
    for mode in dict.fromkeys(each.mode for each in advised):
        of_mode = [each for each in advised if each.mode == mode]
        yield mode, of_map[mode] if mode in of_map else headline.answer(of_mode)


def _of_topic(
    topic: Topic, answers: Sequence[tuple[Answer, Report]]
) -> Iterator[tuple[Answer, Report]]:
    """Yield the answers of a topic, what most readers ask first, each with the run that it is of."""
    left = answers
    for start in topic.starts:
        yield from (each for each in left if each[0].title.startswith(start))
        left = [each for each in left if not each[0].title.startswith(start)]


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

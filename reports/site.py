"""The page: index.html, one file that needs no other and asks no host."""

from __future__ import annotations

import base64
from itertools import groupby
from pathlib import Path

import jinja2
import pandas as pd

from impls.files import write_text
from reports import table
from reports.frame import Run

TEMPLATE = Path(__file__).with_name("page.html.j2")
LEFT = (0, 1, 2, 7)
"""Columns of words."""


def data_uri(svg: str) -> str:
    """An SVG as an image address, so that a page needs no other file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def answer(summary: pd.DataFrame) -> list[str]:
    """A sentence per problem: which is fastest at a whole training step, or at what was measured first."""
    sentences = []
    measured = summary[(summary["status"] == "ok") & (summary["track"] != "floor")]
    for problem, rows in measured.groupby("problem", sort=False):
        steps = rows[rows["mode"] == "train_step"]
        workload, mode = (steps if len(steps) else rows).iloc[0][["workload", "mode"]]
        ranked = rows[(rows["workload"] == workload) & (rows["mode"] == mode)].sort_values("seconds")
        best = ranked.iloc[0]
        # who can't be told from the fastest: their interval of times reaches into its own
        near = ranked.iloc[1:][ranked.iloc[1:]["seconds_low"] <= best["seconds_high"]]
        tied = f"; not told apart from it: {', '.join(near['implementation'])}" if len(near) else ""
        sentences.append(f"{problem}, {workload}, {mode}: {best['implementation']} takes least time{tied}.")
    return sentences


def page(run: Run, summary: pd.DataFrame, figures: dict[str, str]) -> str:
    """The HTML of a run; `figures` are SVG texts by problem. Every value is escaped."""
    baseline = run.options["baseline"]
    problems = []
    for problem, found in groupby(table.sections(summary, baseline), key=lambda section: section.title.split()[0]):
        sections = [
            {"title": s.title, "header": s.header, "marked": list(zip(s.words, s.rows, strict=True))} for s in found
        ]
        figure = data_uri(figures[problem]) if problem in figures else None
        problems.append({"id": problem, "sections": sections, "figure": figure})
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        run_id=run.options["run_id"],
        answers=answer(summary),
        preamble=table.preamble(run),
        notes=table.notes(baseline),
        baseline=baseline,
        problems=problems,
        left=LEFT,
    )


def save(run: Run, summary: pd.DataFrame, figures: dict[str, str]) -> None:
    """Write index.html, whole or not at all."""
    write_text(run.folder / "index.html", page(run, summary, figures))

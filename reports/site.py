"""The page: index.html of one run or several. It is one file that needs no other, and asks no host."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup

from benchmarks.columns import Column
from impls.core.files import write_text
from impls.core.text import one_line
from reports import answers, formatting, headline, tables, tracks
from reports.across_runs import AcrossRuns
from reports.columns import is_ok
from reports.frames import ARM, Run
from reports.heatmap import maps
from reports.preamble import notes, preamble
from reports.ranking import YES
from reports.recommendation import PURPOSES, Recommendation, recommendations
from reports.reported import Reported
from reports.tracks import FLOOR

PAGE = Path(__file__).with_name("page")
FILTERS = ("run", "device", "problem", "workload", "mode", "track")
TABLES = (
    ("table.md", "tables in Markdown"),
    ("table.html", "in HTML"),
    ("table.tex", "in LaTeX"),
    ("summary.csv", "all numbers in CSV"),
)
"""The files of tables that are made of a run, each with a few words on what it is."""
FIRST = {"workload": "sequence", "mode": "train_step"}
"""What the filters start with, where a run has it: most readers come for this."""


def data_uri(svg: str) -> str:
    """Return an SVG as the address of an image, so that the page needs no other file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def command(run: Run, row: Any) -> str:
    """Return the command line that measures a row again, beside the baseline."""
    options = run.metadata.run
    file_of = {Path(implementation).stem: implementation for implementation in options.implementations}
    words = ["nox", "-s", "bench", "--"]
    for name in dict.fromkeys((str(row.implementation), run.baseline)):
        words += ["--impl", file_of.get(name, name)] if name != FLOOR else []
    words += ["--problem", str(row.problem), "--workload", str(row.workload), "--mode", str(row.mode)]
    words += ["--device", str(row.device), "--baseline", run.baseline]
    for option in ("threads", "replicates", "blocks", "seed"):
        value = getattr(options, option)
        words += [f"--{option}", str(value)] if value is not None else []
    if options.weights:
        words += ["--weights", options.weights]
    return shlex.join(words)


class Ids:
    """The ids of rows, by which an address names a row: the same for the same row whenever the page is built."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def new(self, run: str, section: tables.Section, implementation: str) -> str:
        """Return such as `t64-b1-i128-h128/sequence/train_step/torch_lstm`.

        Args:
            run: the run's name; empty for the one that heads the page, whose rows need none.
            section: the table of the row.
            implementation: its name. What an address can't hold becomes a hyphen.
        """
        device = "" if section.device == "cpu" else section.device
        parts = (run, section.problem, section.workload, section.mode, device, implementation)
        name = "/".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in parts if part)
        numbered = (f"{name}.{k}" for k in itertools.count(2))
        unique = next(each for each in itertools.chain([name], numbered) if each not in self.taken)
        self.taken.add(unique)
        return unique


def _sections(reported: Reported, ids: Ids, heads: bool) -> Iterator[dict[str, Any]]:
    """Yield a run's tables as the template needs them; `heads` says whether the run heads the page."""
    run = reported.run
    seconds = {
        arm: rows["seconds"].dropna().to_numpy(float)
        for arm, rows in run.records.groupby(ARM, sort=False, observed=True)
    }
    for section in tables.sections(reported.summary, run.baseline):
        columns = [column for column in section.columns if column.key != "track"]
        rows = []
        for row in section.rows:
            replicates = seconds[tuple(getattr(row, name) for name in ARM)] if is_ok(row) else ()
            rows.append(
                {
                    "id": ids.new("" if heads else reported.name, section, str(row.implementation)),
                    "track": str(row.track),
                    "style": tables.style(row) + (" fastest" if is_ok(row) and row.fastest == YES else ""),
                    "name": one_line(columns[0].cell(row)),
                    "ok": is_ok(row),
                    "status": row.status,
                    "reason": row.reason,
                    "cells": [_cell(column, row) for column in columns[1:]],
                    "replicates": ", ".join(map(formatting.duration, replicates)),
                    "versions": row.versions,
                    "command": command(run, row),
                }
            )
        yield {
            **{name: getattr(section, name) for name in ("problem", "workload", "mode", "device", "title")},
            "columns": columns,
            "tracks": [(track, list(group)) for track, group in groupby(rows, key=lambda row: row["track"])],
        }


def _cell(column: Column, row: Any) -> dict[str, Any]:
    """Return a cell's text, its class, and the number to sort by: empty where it is not known, None without one."""
    value = None
    if column.sort is not None:
        number = getattr(row, column.sort)
        value = "" if pd.isna(number) else f"{float(number):.6g}"
    return {"text": column.cell(row), "value": value, "class": f"{column.key} words" if column.words else column.key}


def _filters(reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """Return the selects: every value that occurs, and the one that each starts with."""
    filters = []
    head = reported[0]
    for name in FILTERS:
        if name == "run":
            values, first = [each.name for each in reported], head.name
        else:
            values = list(dict.fromkeys(str(value) for each in reported for value in each.summary[name]))
            first = FIRST.get(name, "") if FIRST.get(name) in set(head.summary[name].astype(str)) else ""
        if len(values) > 1:
            filters.append({"name": name, "values": values, "first": first})
    return filters


def _choices(advice: Sequence[Recommendation]) -> list[dict[str, Any]]:
    """Return the selects of the advice: shape, purpose, and the device where there are several."""
    shapes, modes, devices = (
        list(dict.fromkeys(getattr(each, name) for each in advice)) for name in ("problem", "mode", "device")
    )
    kinds = (
        ("shape", "shape", [(shape, shape) for shape in shapes]),
        ("mode", "for", [(mode, PURPOSES[mode].lower()) for mode in sorted(modes, key=list(PURPOSES).index)]),
        ("device", "on", [(device, device) for device in devices]),
    )
    return [
        {"name": name, "label": label, "values": values}
        for name, label, values in kinds
        if name != "device" or len(values) > 1
    ]


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy names a script or a style that may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


def page(reported: Sequence[Reported], across: AcrossRuns) -> str:
    """Return the HTML of some runs; the first heads it. Every value is escaped; only this page's own script may run."""
    css, js = ((PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    head, ids = reported[0], Ids()
    runs = [
        {
            "name": each.name,
            "label": each.label,
            "raw": each.raw,
            "files": each.files,
            "baseline": each.run.baseline,
            "preamble": preamble(each.run),
            "sections": list(_sections(each, ids, each is head)),
            "pictures": [
                {"uri": data_uri(p.svg), "alt": p.alt, "title": p.title, "problem": p.problem, "name": p.name}
                for p in each.pictures
            ],
        }
        for each in reported
    ]
    advice = list(recommendations(head.run, head.summary))
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FileSystemLoader(PAGE),
    )
    environment.filters["address"] = _address
    return environment.get_template("page.html.j2").render(
        css=Markup(css),  # noqa: S704 — this page's own
        js=Markup(js),  # noqa: S704
        css_hash=_hash(css),
        js_hash=_hash(js),
        headline=headline.headline(head.run, head.summary),
        advice=advice,
        maps=list(maps(head.summary)),
        purposes=PURPOSES,
        choices=_choices(advice),
        runs=runs,
        head={**runs[0], "answers": list(answers.answers(head.run, head.summary))},
        filters=_filters(reported),
        derived_files=[name for name, _ in TABLES],
        track_title=tracks.title,
        notes=notes(head.run),
        across=across,
    )


def save(folder: Path, reported: Sequence[Reported], across: AcrossRuns) -> None:
    """Write index.html, whole or not at all."""
    write_text(folder / "index.html", page(reported, across))

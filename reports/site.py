"""The page: index.html of one run or many, one file that needs no other to be read and asks no host."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from impls.core.files import write_text
from reports import answers, formatting, headline, tables
from reports.across_runs import OverRuns
from reports.answers import Answer
from reports.charts import Picture
from reports.frames import ARM, Run

PAGE = Path(__file__).with_name("page")
FILTERS = ("run", "device", "problem", "workload", "mode", "track")
TABLES = (
    ("table.md", "tables in Markdown"),
    ("table.html", "in HTML"),
    ("table.tex", "in LaTeX"),
)
FIRST = {"workload": "sequence", "mode": "train_step"}
"""What the filters start with, where a run holds it: what most readers come for."""


@dataclass(frozen=True)
class Reported:
    """A run as the page shows it.

    `raw` is the path from the page to the run's files, empty or ending in a slash; `files` are those files, each with
    what is said of it.
    """

    run: Run
    summary: pd.DataFrame
    pictures: Sequence[Picture]
    name: str
    raw: str = ""
    files: Sequence[tuple[str, str]] = ()

    @property
    def label(self) -> str:
        """Such as `2026-11-24-190533-quick · Intel(R) Xeon(R) Processor`."""
        machine = self.run.environment["machine"]
        return f"{self.name} · {machine.get('gpu') or machine['cpu']}"


def data_uri(svg: str) -> str:
    """An SVG as an image address, so that a page needs no other file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def command(run: Run, row: Any) -> str:
    """The command line that measures a row again, beside the baseline."""
    options = run.options
    given = {Path(str(one)).stem: str(one) for one in options.get("implementations", ())}
    names = dict.fromkeys((str(row.implementation), str(options["baseline"]), "floor"))
    words = ["nox", "-s", "bench", "--"]
    for name in names:
        words += ["--impl", given.get(name, name)] if name != "floor" else []
    words += ["--problem", str(row.problem), "--workload", str(row.workload), "--mode", str(row.mode)]
    words += ["--device", str(row.device), "--baseline", str(options["baseline"])]
    for name in ("threads", "replicates", "blocks", "seed"):
        words += [f"--{name}", str(options[name])] if options.get(name) is not None else []
    if options.get("weights"):
        words += ["--weights", str(options["weights"])]
    return shlex.join(words)


def _sections(reported: Reported, number: int) -> Iterator[dict[str, Any]]:
    """A run's tables as the template wants them."""
    run, summary = reported.run, reported.summary
    replicates = {
        key: [formatting.duration(value) for value in rows["seconds"].dropna().to_numpy(float)]
        for key, rows in run.records.groupby(ARM, sort=False, observed=True)
    }
    rows = {tuple(getattr(row, name) for name in ARM): row for row in summary.itertuples(index=False)}
    for place, section in enumerate(tables.sections(summary, run.options["baseline"])):
        lines = []
        for k, line in enumerate(section.lines):
            row = rows[section.problem, section.workload, section.mode, section.device, line.cells[0]]
            lines.append(
                {
                    "id": f"r{number}-{place}-{k}",
                    "track": line.track,
                    "word": f"{line.word} {row.place}".strip(),
                    "name": line.cells[0],
                    "status": row.status,
                    "reason": row.reason,
                    "cells": _cells(section.header, line.cells, row, run.options["baseline"]),
                    "replicates": ", ".join(
                        replicates.get(tuple(getattr(row, name) for name in ARM), ()) if row.status == "ok" else ()
                    ),
                    "versions": row.versions,
                    "command": command(run, row),
                }
            )
        yield {
            **{name: getattr(section, name) for name in ("problem", "workload", "mode", "device", "title")},
            "header": [name for name in section.header if name != "track"],
            "tracks": [(track, list(group)) for track, group in groupby(lines, key=lambda line: line["track"])],
        }


SORTED_BY = {
    "time [95 % interval]": "seconds",
    "× floor": "floor_ratio",
    "% of peak": "peak_share",
    "cores": "cores_used",
    "first call": "first_call_seconds",
    "memory": "peak_bytes",
    "error": "error",
}
"""The summary's column behind a table's, to sort by."""


def _cells(header: list[str], cells: list[str], row: Any, baseline: str) -> Iterator[dict[str, Any]]:
    """The cells after the name, but for the track; each with the number that it is sorted by, where it is one."""
    for name, cell in list(zip(header, cells, strict=True))[1:]:
        if name == "track":
            continue
        column = "ratio" if name.startswith(f"× {baseline}") else SORTED_BY.get(name)
        value = None if column is None else getattr(row, column)
        kind = " ".join(("words", "verdict")[: 1 + (name == "verdict")]) if name in tables.WORDS else ""
        shown = "" if value is None or pd.isna(value) else f"{float(value):.6g}"
        yield {"text": cell, "value": None if column is None else shown, "kind": kind}


def _filters(reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """The selects: every value that occurs, and what each starts with."""
    found = []
    for name in FILTERS:
        if name == "run":
            values, first = [one.name for one in reported], reported[0].name
        else:
            values = list(dict.fromkeys(str(value) for one in reported for value in one.summary[name]))
            # the newest run is what is shown first
            first = FIRST.get(name, "") if FIRST.get(name) in set(reported[0].summary[name].astype(str)) else ""
        if len(values) > 1:
            found.append({"name": name, "values": values, "first": first})
    return found


def _hash(words: str) -> str:
    """As a Content-Security-Policy names a script or a style that may run."""
    return base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()


def page(reported: Sequence[Reported], over_runs: OverRuns) -> str:
    """The HTML of some runs, the newest first. Every value is escaped; only this page's own script may run."""
    css, js = ((PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    runs = [
        {
            "name": one.name,
            "label": one.label,
            "raw": one.raw,
            "files": one.files,
            "baseline": one.run.options["baseline"],
            "preamble": tables.preamble(one.run),
            "sections": list(_sections(one, number)),
            "pictures": [
                {"uri": data_uri(p.svg), "alt": p.alt, "title": p.title, "problem": p.problem, "name": p.name}
                for p in one.pictures
            ],
        }
        for number, one in enumerate(reported)
    ]
    newest: list[Answer] = list(answers.answers(reported[0].run, reported[0].summary))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, loader=jinja2.FileSystemLoader(PAGE)
    )
    return environment.get_template("page.html.j2").render(
        css=css,
        js=js,
        css_hash=_hash(css),
        js_hash=_hash(js),
        headline=headline.headline(reported[0].run, reported[0].summary),
        runs=runs,
        newest={**runs[0], "answers": newest},
        filters=_filters(reported),
        words=tables.WORDS,
        tables_of=[name for name, _ in TABLES],
        tracks=tables.TRACK_TITLES,
        notes=tables.notes(reported[0].run.options["baseline"]),
        over_runs=over_runs.tables,
        changes_note=over_runs.note,
    )


def save(folder: Path, reported: Sequence[Reported], over_runs: OverRuns) -> None:
    """Write index.html, whole or not at all."""
    write_text(folder / "index.html", page(reported, over_runs))

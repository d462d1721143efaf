"""The pages: index.html of one run or several, and rows.html with all rows. Neither needs another file or asks a host.

They come from templates/. Every value is escaped and stands on one line; only a page's own script may run.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from benchmarks import ROOT
from benchmarks.record import harmless
from benchmarks.words import count, listed, span
from impls.core.files import write_text
from impls.core.text import one_line
from reports import code_age, composition, estimates, headline
from reports.charts import shapes, style
from reports.charts.drawing import write
from reports.composition import Machine
from reports.frames import Run, began
from reports.preamble import preamble, torch_and_jax
from reports.report import PURPOSES, Report
from reports.site.documents import Document
from reports.tables import notes
from reports.tracks import LIMITS

TABLES = [
    ("table.md", "tables in Markdown"),
    ("table.tex", "in LaTeX"),
    ("summary.csv", "all numbers in CSV"),
]
"""The files of tables that are made of a run, each with a few words on what it is."""
Links = Sequence[tuple[str, str]]
PAGE = Path(__file__).with_name("templates")
PAGES = {"index.html": "Which LSTM is fastest?", "rows.html": "All rows"}
"""The pages of one run or several, each with its title."""
SECTIONS = {
    "shapes": "Shape by shape",
    "more": "More questions",
    "trust": "Can I trust it?",
    "columns": "What the words mean",
    "run": "Run it on yours",
    "runs": "The data, and how to cite it",
}
"""The sections of the page, each with its title."""


def _part(machine: Machine, head: Report, folder: Path) -> dict[str, Any]:
    """Return what the page says of one machine, by the names in its template; what is `shown` has its run with it."""
    advised = composition.advice(machine)
    problems = set(machine.head.summary["problem"].astype(str))
    of_head = [each for each in advised if each.problem in problems]
    drawings = []
    for mode, device in product(PURPOSES, dict.fromkeys(each.device for each in advised)):
        timed = [each.timed for each in of_head if (each.mode, each.device) == (mode, device)]
        if drawn := shapes.draw(machine.label, mode, device, timed, machine.head.baseline):
            drawings.append(write(drawn, folder / "figures"))
    answer, exceptions = headline.answer(of_head)
    return {
        "machine": machine,
        "answer": answer,
        "exceptions": exceptions,
        "measured": _measured(machine),
        "advised": advised,
        "drawings": drawings,
        "shown": composition.shown(machine),
        "row_of": lambda row: composition.address(machine.runs[row.number], head, row),
    }


def _measured(machine: Machine) -> str:
    """Return such as `Measured on 2026-11-25: 12 implementations of today's code, each of which agrees with …`."""
    run, records = machine.head.run, pd.concat([each.run.records for each in machine.runs])
    timed = records[(records["status"] == "ok") & ~records["track"].isin(LIMITS)]
    files = code_age.file_of(timed["implementation"])
    older = files.nunique() - files[code_age.is_today(timed)].nunique()
    old = f" ({older} by {code_age.OLDER})" if older else " of today's code"
    versions = f" {known}." if (known := torch_and_jax(run)) else ""
    cpu_only = "" if "cuda" in set(records["device"].astype(str)) else " On the CPU, no GPU."
    number = count(files.nunique(), "implementation")
    bad = records.loc[~records["status"].isin(harmless(run.metadata.machine.gpu)), "implementation"]
    failed = f" {listed(sorted(set(bad.astype(str))))} failed: see all rows." if len(bad) else ""
    when = began(run.run_id)
    agrees = "each of which agrees with a float64 reference"
    return f"Measured on {when}: {number}{old}, {agrees}.{failed}{versions}{cpu_only}"


def _covered(found: Sequence[Machine], devices: set[str]) -> str:
    """Return what the numbers do not say."""
    kind = "machine" if "cuda" in devices else "CPU"
    where = (
        f"Only this {kind} was measured"
        if len(found) == 1
        else f"Only these {len(found)} {kind}s were measured"
    )
    gpu = "" if "cuda" in devices else ", no GPU"
    return f"{where}{gpu}. Another machine may give another order: measure there."


def _compared(advised: headline.Recommendation) -> str:
    """Return such as `Measured on 2026-11-25.`."""
    older = f", some with {code_age.OLDER}" if advised.timed["older"].any() else ""
    return f"Measured on {span(sorted(set(advised.timed['day'])))}{older}. Brackets are 95 % intervals."


def cite(run: Run) -> str:
    """Return a line by which a text can name a run."""
    commit = run.metadata.commit
    return one_line(
        f"lstm-bench, run {run.run_id}, {began(run.run_id)}, commit {(commit.id or 'unknown')[:12]}"
        f"{' with changes' if commit.dirty else ''}, {composition.words(run)}"
    )


def repository() -> str:
    """Return the address of the suite: that of CITATION.cff, or of the repository whose CI builds this; or nothing."""
    if known := re.search(
        r'(?m)^repository-code: "?(.+?)"?$', (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    ):
        return known[1]
    server, name = (os.environ.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY"))
    return f"{server}/{name}" if server and name else ""


def _look(*scripts: str) -> Mapping[str, str]:
    """Return the style of every page, with the colors of charts on a dark one, its script, and the hash of each.

    By these hashes a Content-Security-Policy names the script and the style that may run.
    """
    own = (PAGE / "page.css").read_text(encoding="utf-8")
    texts = {
        "css": f"{own}@media screen and (prefers-color-scheme: dark) {{ {style.dark_rules()} }}\n"
    }
    texts["js"] = "".join((PAGE / name).read_text(encoding="utf-8") for name in scripts)
    hashes = {name: hashlib.sha256(text.encode()).digest() for name, text in texts.items()}
    return texts | {
        f"{name}_hash": base64.b64encode(digest).decode() for name, digest in hashes.items()
    }


def _one_line(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


def _broken(name: str) -> Markup:
    """Return a name that may be broken after a `_`."""
    return escape(one_line(name)).replace("_", "_" + Markup("<wbr>"))


TEMPLATES = jinja2.Environment(
    autoescape=True,
    finalize=_one_line,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    loader=jinja2.FileSystemLoader(PAGE),
)
TEMPLATES.filters |= {"address": _address, "broken": _broken}


def _rendered(template: str, links: Links, *scripts: str, **values: Any) -> str:
    page = TEMPLATES.get_template(template)
    return page.render(site=links, repository=repository(), **_look(*scripts), **values)


def document(written: Document, links: Links) -> str:
    """Return a document as a page of the site, without a script."""
    return _rendered("document.html.j2", links, document=written)


def save(folder: Path, reports: Sequence[Report], links: Links = ()) -> None:
    """Write index.html and rows.html of some runs, each whole or not at all, and the dot plots.

    The first run heads them. `links` are to other pages of the site, each with its title.
    """
    found = composition.machines(reports)
    head = found[0].head
    parts = [_part(machine, head, folder) for machine in found]
    present = {
        "shapes": any(part["advised"] for part in parts),
        "more": any(part["shown"] for part in parts),
    }
    devices = {device for report in reports for device in report.summary["device"].astype(str)}
    standing = [(machine.label, report) for machine in found for report in machine.runs]
    links = (*PAGES.items(), *links)
    index = _rendered(
        "page.html.j2",
        links,
        "common.js",
        "page.js",
        sections={name: title for name, title in SECTIONS.items() if present.get(name, True)},
        parts=parts,
        head=head,
        files=TABLES,
        reports=reports,
        devices=sorted(devices),
        shapes=list(dict.fromkeys(each.problem for part in parts for each in part["advised"])),
        noises=[(machine.label, estimates.noise(machine.head.run)) for machine in found],
        covered=_covered(found, devices),
        best_of_tracks=composition.best_of_tracks,
        of_tracks=composition.of_tracks(head.baseline),
        purposes=PURPOSES,
        notes=[line.partition(": ") for line in notes(head)],
        cite=cite,
        compared=_compared,
        preamble=preamble,
    )
    rows = _rendered(
        "rows.html.j2",
        links,
        "common.js",
        "rows.js",
        columns=composition.of_page(head.baseline, len(devices) > 1),
        older=code_age.OLDER,
        rows=list(composition.rows(standing)),
        number=composition.number,
        cite=cite,
    )
    for name, text in zip(PAGES, (index, rows), strict=True):
        write_text(folder / name, text)

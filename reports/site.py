"""The page: index.html of one run or several. It is one file that needs no other, and asks no host.

It comes from the templates in page/. Every value is escaped and stands on one line; only the page's own script may run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from benchmarks import processors
from benchmarks.words import count
from impls.core.files import write_text
from impls.core.text import one_line
from reports import composition, estimates, headline, history
from reports.charts import style
from reports.charts.drawing import write
from reports.composition import Machine
from reports.documents import Document
from reports.frames import BENCHMARK, Run
from reports.headline import Recommendation
from reports.history import began
from reports.preamble import notes, preamble
from reports.report import PURPOSES, Report
from reports.tracks import LIMITS

TABLES = [
    ("table.md", "tables in Markdown"),
    ("table.tex", "in LaTeX"),
    ("summary.csv", "all numbers in CSV"),
]
"""The files of tables that are made of a run, each with a few words on what it is."""
Links = Sequence[tuple[str, str]]
PAGE = Path(__file__).with_name("page")
SECTIONS = {
    "shapes": "Best per shape",
    "ratios": "How far apart?",
    "flips": "How does the size change it?",
    "directions": "Forward and training step",
    "changes": "Is torch.compile worth it? What does each change buy?",
    "more": "More questions",
    "rows": "Every row",
    "across-runs": "History",
    "trust": "Can I trust it?",
    "columns": "What the words mean",
    "run": "Run it on yours",
    "runs": "The data, and how to cite it",
}
"""The sections of the page, each with its title. Those of PARTS show what reports/parts/ has for them."""
PARTS = ("ratios", "flips", "directions", "changes", "more")
"""The sections that are left out where no part has anything for them."""


def _measured(run: Run) -> str:
    """Return such as `Measured on 2026-11-25, 12 implementations, 32 benchmarks.`."""
    date = began(run.run_id)
    when = "" if pd.isna(date) else f"Measured on {date:%Y-%m-%d}: "
    implementations = run.records.loc[~run.records["track"].isin(LIMITS), "implementation"].nunique()
    cpu_only = "" if "cuda" in set(run.records["device"].astype(str)) else " On the CPU, no GPU."
    benchmarks = len(run.records.drop_duplicates(BENCHMARK))
    return f"{when}{implementations} implementations, {benchmarks} benchmarks.{cpu_only}"


def _covered(found: Sequence[Machine], devices: set[str]) -> str:
    """Return what the numbers do not say."""
    kind = "machine" if "cuda" in devices else "CPU"
    where = f"Only this {kind} was measured" if len(found) == 1 else f"Only these {len(found)} {kind}s were measured"
    gpu = "" if "cuda" in devices else ", no GPU"
    return f"{where}{gpu}. Another machine may give another order: measure there."


def _noise(run: Run) -> str:
    """Return a sentence on how far replicates are apart."""
    noise = estimates.noise(run)
    if not noise.words:
        return "The noise is not known: there is one replicate."
    busy = " The machine was busy or unsteady: measure again before you believe these times." if noise.unsteady else ""
    return f"Noise: {noise.words} (the median standard deviations).{busy}"


def _compared(advised: Recommendation) -> str:
    """Return such as `12 implementations compared in 5 replicates on 2026-11-25; times differ …`."""
    run = advised.report.run
    date, often, noise = began(run.run_id), run.metadata.run.replicates, estimates.noise(run).words
    said = [f"{count(advised.compared, 'implementation')} compared"]
    said += [f"in {count(often, 'replicate')}"] if often else []
    said += [] if pd.isna(date) else [f"on {date:%Y-%m-%d}"]
    return f"{'; '.join(filter(None, (' '.join(said), noise)))}. Brackets are 95 % intervals."


def cite(run: Run) -> str:
    """Return a line by which a text can name a run."""
    date, commit = began(run.run_id), run.metadata.commit
    when = "" if pd.isna(date) else f"{date:%Y-%m-%d}, "
    dirty = " with changes" if commit.dirty else ""
    return one_line(
        f"lstm-bench, run {run.run_id}, {when}commit {(commit.id or 'unknown')[:12]}{dirty},"
        f" {processors.words(run.metadata.machine)}"
    )


def _look(**texts: str) -> Mapping[str, str]:
    """Return the style of every page, with the colors of charts on a dark one, other texts, and the hash of each.

    By these hashes a Content-Security-Policy names the script and the style that may run.
    """
    own = (PAGE / "page.css").read_text(encoding="utf-8")
    texts["css"] = f"{own}@media screen and (prefers-color-scheme: dark) {{ {style.dark_rules()} }}\n"
    hashes = {name: hashlib.sha256(text.encode()).digest() for name, text in texts.items()}
    return texts | {f"{name}_hash": base64.b64encode(digest).decode() for name, digest in hashes.items()}


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_one_line,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FileSystemLoader(PAGE),
    )
    environment.filters["address"] = _address
    environment.filters["broken"] = _broken
    return environment


def _one_line(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


def _broken(name: str, sign: str) -> Markup:
    """Return a name that may be broken after a sign."""
    return escape(one_line(name)).replace(sign, sign + Markup("<wbr>"))


def document(written: Document, links: Links) -> str:
    """Return a document as a page of the site, without a script."""
    return _environment().get_template("document.html.j2").render(document=written, site=links, **_look())


def save(folder: Path, reports: Sequence[Report], links: Links = ()) -> None:
    """Write index.html of some runs, whole or not at all, and the charts of several runs; the first heads it.

    Args:
        folder: where to.
        reports: the runs.
        links: to other pages of the site, each with its title.
    """
    past = history.history(reports)
    tables = history.tables(reports, past)
    drawings = [write(each, folder / "figures") for each in (history.draw(past) if tables else ())]
    found = composition.machines(reports)
    head = found[0].head
    advice = {machine.label: composition.advice(machine) for machine in found}
    maps = [(each.label, mine) for each in found for mine in composition.maps(each.head, advice[each.label])]
    shown = composition.sections(found)
    present = {"shapes": maps, "across-runs": tables} | {name: shown.get(name) for name in PARTS}
    devices = {device for report in reports for device in report.summary["device"].astype(str)}
    standing = [(machine.label, report) for machine in found for report in machine.runs]
    html = (
        _environment()
        .get_template("page.html.j2")
        .render(
            **_look(js=(PAGE / "page.js").read_text(encoding="utf-8")),
            sections={name: title for name, title in SECTIONS.items() if present.get(name, True)},
            shown=shown,
            files=TABLES,
            reports=reports,
            head=head,
            machines=found,
            devices=devices,
            headline=headline.headline(head),
            headline_mode=next(iter(headline.subject(head.summary)["mode"].astype(str)), ""),
            measured=_measured(head.run),
            noises=[("" if report is head else f"{report.label}. ", _noise(report.run)) for _, report in standing],
            covered=_covered(found, devices),
            advice=[(label, each, _compared(each)) for label, mine in advice.items() for each in mine],
            maps=maps,
            purposes=PURPOSES,
            columns=composition.of_page(head.baseline, len(devices) > 1),
            rows=list(composition.rows(standing)),
            notes=[line.partition(": ") if ": " in line else ("", "", line) for line in notes(head.run)],
            across=tables,
            past=drawings,
            site=links,
            cite=cite,
            preamble=preamble,
        )
    )
    write_text(folder / "index.html", html)

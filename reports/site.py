"""The page: index.html of one run or several. It is one file that needs no other, and asks no host."""

from __future__ import annotations

import base64
import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup

from benchmarks import processors
from impls.core.files import write_text
from impls.core.text import one_line
from reports import answers, estimates, headline
from reports.across_runs import AcrossRuns
from reports.charts import KINDS, Picture, save_history, style
from reports.documents import Document
from reports.frames import BENCHMARK, Run
from reports.heatmap import maps
from reports.history import began
from reports.preamble import UNSTEADY, notes, preamble
from reports.recommendation import PURPOSES, Recommendation, recommendations
from reports.reported import Reported
from reports.rows import of_page, rows

PAGE = Path(__file__).with_name("page")
FILTERS = ("run", "device", "problem", "workload", "mode", "track")
TABLES = (
    ("table.md", "tables in Markdown"),
    ("table.html", "in HTML"),
    ("table.tex", "in LaTeX"),
    ("summary.csv", "all numbers in CSV"),
)
"""The files of tables that are made of a run, each with a few words on what it is."""
Links = Sequence[tuple[str, str]]
FIRST = {"workload": "sequence", "mode": "train_step"}
"""What the filters start with, where a run has it: most readers come for this."""


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


def _measured(run: Run) -> str:
    """Return such as `Measured on 2026-11-25, 12 implementations, 32 benchmarks.`."""
    date = began(run.run_id)
    when = "" if pd.isna(date) else f"Measured on {date:%Y-%m-%d}: "
    implementations = run.records["implementation"].nunique()
    benchmarks = len(run.records.drop_duplicates(BENCHMARK))
    return f"{when}{implementations} implementations, {benchmarks} benchmarks."


def _machine(run: Run) -> str:
    """Return the processor, the GPU if there is one, and the threads."""
    machine, threads = run.metadata.machine, run.metadata.run.threads
    said = [processors.words(machine), *([machine.gpu] if machine.gpu else [])]
    return ", ".join([*said, *([f"{threads} threads"] if threads else [])])


def _covered(run: Run) -> str:
    """Return what the numbers do not say."""
    devices = set(run.records["device"].astype(str))
    where = "Only this machine was measured" if "cuda" in devices else "Only this CPU was measured, no GPU"
    return f"{where}. On another machine the order can be another: measure it there."


def _noise(run: Run) -> str:
    """Return a sentence on how far replicates are apart."""
    spread = estimates.noise(run.records)
    if math.isnan(spread):
        return "The noise is not known: there is one replicate."
    busy = (
        " The machine was busy or unsteady: measure again before you believe these times." if spread > UNSTEADY else ""
    )
    return f"Noise: replicates of an implementation differ by {100 * spread:.1f} % (the median).{busy}"


def cite(run: Run) -> str:
    """Return a line by which a text can name a run."""
    date, commit = began(run.run_id), run.metadata.commit
    when = "" if pd.isna(date) else f"{date:%Y-%m-%d}, "
    dirty = " with changes" if commit.dirty else ""
    return one_line(
        f"lstm-bench, run {run.run_id}, {when}commit {(commit.id or 'unknown')[:12]}{dirty},"
        f" {processors.words(run.metadata.machine)}"
    )


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy names a script or a style that may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


PARTS = (
    ("shapes", "Best per shape"),
    ("ratios", "How far apart?"),
    ("flips", "Where does it flip?"),
    ("directions", "Forward and training step"),
    ("changes", "What does each change buy?"),
    ("elsewhere", "Published elsewhere"),
    ("more", "More questions"),
    ("rows", "Every row"),
    ("across-runs", "History"),
    ("trust", "Can I trust it?"),
    ("run", "Run it on yours"),
    ("runs", "Data, cite"),
)
"""The parts of the page, each with its id."""


def _inside(picture: Picture) -> dict[str, Any]:
    """Return a picture for the template: its SVGs were made by the suite, from values that are escaped."""
    return {**vars(picture), "wide": Markup(picture.wide), "narrow": Markup(picture.narrow)}  # noqa: S704


def _css() -> str:
    """Return the style of every page, with the colors of charts on a dark one."""
    own = (PAGE / "page.css").read_text(encoding="utf-8")
    return f"{own}@media screen and (prefers-color-scheme: dark) {{ {style.dark_rules()} }}\n"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FileSystemLoader(PAGE),
    )
    environment.filters["address"] = _address
    environment.filters["basename"] = os.path.basename
    return environment


def document(written: Document, links: Links) -> str:
    """Return a document as a page of the site, without a script."""
    css = _css()
    return (
        _environment()
        .get_template("document.html.j2")
        .render(
            css=Markup(css),  # noqa: S704 — this page's own
            css_hash=_hash(css),
            document=written,
            html=Markup(written.html),  # noqa: S704 — of this project; the parser escapes HTML in it
            site=links,
        )
    )


PLACED = ("ratio", "directions", "sizes", "rates", "gains", "accuracy", "drift")
"""The kinds of charts that have their place on the page; all others stand under `More questions`."""


def page(reported: Sequence[Reported], across: AcrossRuns, links: Links = (), past: Sequence[Picture] = ()) -> str:
    """Return the HTML of some runs; the first heads it. Every value is escaped; only this page's own script may run.

    Args:
        reported: the runs.
        across: what they have in common.
        links: to other pages of the site, each with its title.
        past: the charts of several runs.
    """
    css, js = _css(), (PAGE / "page.js").read_text(encoding="utf-8")
    head = reported[0]
    run, summary = head.run, head.summary
    runs = [
        {
            "name": each.name,
            "label": each.label,
            "raw": each.raw,
            "files": each.files,
            "baseline": each.run.baseline,
            "preamble": preamble(each.run),
            "cite": cite(each.run),
        }
        for each in reported
    ]
    advice = list(recommendations(run, summary))
    pictures = {
        kind: [_inside(picture) for picture in head.pictures if picture.kind == kind] for kind in (*PLACED, *KINDS)
    }
    pictures["other"] = [each for kind in KINDS if kind not in PLACED for each in pictures[kind]]
    said = answers.answers(run, summary)
    drawn = list(maps(summary))
    present = {
        "shapes": drawn,
        "ratios": pictures["ratio"],
        "flips": [*pictures["sizes"], *pictures["rates"], *said["flips"]],
        "directions": pictures["directions"],
        "across-runs": across.tables,
        "more": [*pictures["other"], *said["more"]],
        **{name: said[name] for name in ("changes", "elsewhere")},
    }
    several = len({device for each in reported for device in each.summary["device"].astype(str)}) > 1
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            css=Markup(css),  # noqa: S704 — this page's own
            js=Markup(js),  # noqa: S704
            css_hash=_hash(css),
            js_hash=_hash(js),
            headline=headline.headline(run, summary),
            machine=_machine(run),
            measured=_measured(run),
            noise=_noise(run),
            covered=_covered(run),
            advice=advice,
            maps=drawn,
            purposes=PURPOSES,
            choices=_choices(advice),
            parts=[(name, title) for name, title in PARTS if present.get(name, True)],
            pictures=pictures,
            said=said,
            runs=runs,
            head=runs[0],
            filters=_filters(reported),
            columns=of_page(run.baseline, several),
            rows=rows(reported),
            raw_files={
                each.name: [each.raw + name for name, _ in each.files if name not in dict(TABLES)] for each in reported
            },
            notes=notes(run),
            across=across,
            past=[_inside(picture) for picture in past],
            site=links,
        )
    )


def save(folder: Path, reported: Sequence[Reported], across: AcrossRuns, links: Links = ()) -> None:
    """Write index.html, whole or not at all, and the charts of several runs."""
    past = save_history(across.past, folder / "figures") if across.tables else []
    write_text(folder / "index.html", page(reported, across, links, past))

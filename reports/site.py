"""The page: index.html of one run or several. It is one file that needs no other, and asks no host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from benchmarks import processors
from benchmarks.words import count
from impls.core.files import write_text
from impls.core.text import one_line
from reports import composition, estimates, headline, templates
from reports.across_runs import AcrossRuns
from reports.charts import Picture, save_history, style
from reports.composition import Machine, Taken
from reports.documents import Document
from reports.estimates import Noise
from reports.frames import BENCHMARK, Run
from reports.history import began
from reports.preamble import notes, preamble
from reports.recommendation import PURPOSES, Recommendation
from reports.reported import Reported
from reports.rows import KEYS, Row, of_page, rows
from reports.templates import PAGE
from reports.tracks import FLOOR

FILTERS = ("machine", "run", *KEYS)
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


def _filters(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the selects: every value that occurs in the rows, and the one that each starts with."""
    head = found[0].keys if found else {}
    of_head = [row.keys for row in found if row.keys["run"] == head["run"]]
    filters = []
    for name in FILTERS:
        values = list(dict.fromkeys(row.keys[name] for row in found))
        first = head[name] if name in ("machine", "run") else FIRST.get(name, "")
        if len(values) > 1:
            known = any(keys[name] == first for keys in of_head)
            filters.append({"name": name, "values": values, "first": first if known else ""})
    return filters


def _choices(advice: Sequence[tuple[str, Taken[Recommendation]]]) -> list[dict[str, Any]]:
    """Return the selects of the advice: shape, purpose, and the machine and the device where there are several."""
    said = [each.what for _, each in advice]
    modes = sorted({each.mode for each in said}, key=list(PURPOSES).index)
    kinds = (
        ("shape", "measured shape", [each.problem for each in said], str),
        ("mode", "for", modes, lambda mode: PURPOSES[mode].lower()),
        ("machine", "on", [machine for machine, _ in advice], str),
        ("device", "with", [each.device for each in said], str),
    )
    return [
        {"name": name, "label": label, "values": [(value, shown(value)) for value in different]}
        for name, label, values, shown in kinds
        if len(different := list(dict.fromkeys(values))) > 1 or name in ("shape", "mode")
    ]


def _measured(run: Run) -> str:
    """Return such as `Measured on 2026-11-25, 12 implementations, 32 benchmarks.`."""
    date = began(run.run_id)
    when = "" if pd.isna(date) else f"Measured on {date:%Y-%m-%d}: "
    implementations = run.records.loc[run.records["track"] != FLOOR, "implementation"].nunique()
    cpu_only = "" if "cuda" in set(run.records["device"].astype(str)) else " On the CPU, no GPU."
    benchmarks = len(run.records.drop_duplicates(BENCHMARK))
    return f"{when}{implementations} implementations, {benchmarks} benchmarks.{cpu_only}"


def _covered(found: Sequence[Machine]) -> str:
    """Return what the numbers do not say."""
    devices = {device for machine in found for each in machine.runs for device in each.summary["device"].astype(str)}
    kind = "machine" if "cuda" in devices else "CPU"
    where = f"Only this {kind} was measured" if len(found) == 1 else f"Only these {len(found)} {kind}s were measured"
    gpu = "" if "cuda" in devices else ", no GPU"
    return f"{where}{gpu}. Another machine may give another order: measure there."


def _noise(noise: Noise) -> str:
    """Return a sentence on how far replicates are apart."""
    if not noise.words:
        return "The noise is not known: there is one replicate."
    busy = " The machine was busy or unsteady: measure again before you believe these times." if noise.unsteady else ""
    return f"Noise: {noise.words} (the median standard deviations).{busy}"


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


PARTS = (
    ("shapes", "Best per shape"),
    ("ratios", "How far apart?"),
    ("flips", "How does the size change it?"),
    ("directions", "Forward and training step"),
    ("changes", "Is torch.compile worth it? What each change buys"),
    ("elsewhere", "Published elsewhere"),
    ("more", "More questions"),
    ("rows", "Every row"),
    ("across-runs", "History"),
    ("trust", "Can I trust it?"),
    ("columns", "What the words mean"),
    ("run", "Run it on yours"),
    ("runs", "Data, cite"),
)
"""The parts of the page, each with its id."""


def _inside(picture: Picture, raw: str = "", of: str = "") -> dict[str, Any]:
    """Return a picture for the template: its SVGs were made by the suite, from values that are escaped.

    Args:
        picture: the picture.
        raw: the path from the page to the folder of its files.
        of: the run that it was taken from; empty for the run that heads the page.
    """
    svgs = {"wide": Markup(picture.wide), "narrow": Markup(picture.narrow)}  # noqa: S704
    return {**vars(picture), **svgs, "raw": raw, "of": of}


def _css() -> str:
    """Return the style of every page, with the colors of charts on a dark one."""
    own = (PAGE / "page.css").read_text(encoding="utf-8")
    return f"{own}@media screen and (prefers-color-scheme: dark) {{ {style.dark_rules()} }}\n"


def document(written: Document, links: Links) -> str:
    """Return a document as a page of the site, without a script."""
    css = _css()
    return templates.render(
        "document.html.j2",
        css=Markup(css),  # noqa: S704 — this page's own
        css_hash=_hash(css),
        document=written,
        html=Markup(written.html),  # noqa: S704 — of this project; the parser escapes HTML in it
        site=links,
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
    found = composition.machines(reported)
    head = found[0].head
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

    def of(each: Reported) -> str:
        return "" if each is head else each.label

    advice = [(machine.label, composition.advice(machine)) for machine in found]
    flat = [(label, each) for label, mine in advice for each in mine]
    drawn = [
        (machine.label, each)
        for machine, (_, mine) in zip(found, advice, strict=True)
        for each in composition.maps(machine.head, mine)
    ]
    pictures: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (*PLACED, "other")}
    for taken in composition.pictures(found):
        kind = taken.what.kind if taken.what.kind in PLACED else "other"
        pictures[kind].append(_inside(taken.what, taken.run.raw, of(taken.run)))
    said = {
        part: [(taken.what, of(taken.run)) for taken in answers] for part, answers in composition.said(found).items()
    }
    present = {
        "shapes": drawn,
        "ratios": pictures["ratio"],
        "flips": [*pictures["sizes"], *pictures["rates"], *said["flips"]],
        "directions": [*pictures["directions"], *said["directions"]],
        "across-runs": across.tables,
        "more": [*pictures["other"], *said["more"]],
        **{name: said[name] for name in ("changes", "elsewhere")},
    }
    several = len({device for each in reported for device in each.summary["device"].astype(str)}) > 1
    standing = [(machine.label, each) for machine in found for each in machine.runs]
    noises = {each.name: estimates.noise(each.run) for _, each in standing}
    table = list(rows(standing, several))
    return templates.render(
        "page.html.j2",
        css=Markup(css),  # noqa: S704 — this page's own
        js=Markup(js),  # noqa: S704
        css_hash=_hash(css),
        js_hash=_hash(js),
        headline=headline.headline(run, summary),
        headline_mode=next(iter(headline.subject(summary)["mode"].astype(str)), ""),
        machines=found,
        measured=_measured(run),
        noise=_noise(noises[head.name]),
        other_noise=[(each.label, _noise(noises[each.name])) for _, each in standing if each is not head],
        covered=_covered(found),
        advice=[(label, each.what, each.run.name, _compared(each, noises[each.run.name])) for label, each in flat],
        maps=drawn,
        purposes=PURPOSES,
        choices=_choices(flat),
        parts=[(name, title) for name, title in PARTS if present.get(name, True)],
        pictures=pictures,
        said=said,
        runs=runs,
        head=runs[0],
        filters=_filters(table),
        columns=of_page(run.baseline, several),
        rows=table,
        raw_files={
            each.name: [each.raw + name for name, _ in each.files if name not in dict(TABLES)] for each in reported
        },
        notes=[line.partition(": ") if ": " in line else ("", "", line) for line in notes(run)],
        across=across,
        past=[_inside(picture) for picture in past],
        site=links,
        add_yours=next((href for href, title in links if title == "Add yours"), ""),
    )


def _compared(advised: Taken[Recommendation], noise: Noise) -> str:
    """Return such as `12 implementations compared in 5 replicates on 2026-11-25; times differ …`."""
    run = advised.run.run
    date, often = began(run.run_id), run.metadata.run.replicates
    said = [f"{count(advised.what.compared, 'implementation')} compared"]
    said += [f"in {count(often, 'replicate')}"] if often else []
    said += [] if pd.isna(date) else [f"on {date:%Y-%m-%d}"]
    return f"{'; '.join(filter(None, (' '.join(said), noise.words)))}. Brackets are 95 % intervals."


def save(folder: Path, reported: Sequence[Reported], across: AcrossRuns, links: Links = ()) -> None:
    """Write index.html, whole or not at all, and the charts of several runs."""
    past = save_history(across.past, folder / "figures") if across.tables else []
    write_text(folder / "index.html", page(reported, across, links, past))

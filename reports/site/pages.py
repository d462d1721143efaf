"""The pages: index.html of one run or several, and rows.html with all rows. Neither needs another file or asks a host.

They come from templates/. Every value is escaped and stands on one line; only a page's own script may run.
"""

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from benchmarks import ROOT
from benchmarks.processors import slowed
from benchmarks.words import span
from impls.core.files import write_text
from impls.core.text import one_line
from reports import tables
from reports.advice import LIBRARIES
from reports.charts import style
from reports.code_age import OLDER
from reports.frames import ARM, Run, began, machine_label
from reports.machines import by_machine, processor_and_gpu
from reports.packages import packages_of
from reports.preamble import preamble
from reports.report import PURPOSES, Report
from reports.site import index, processors, rows, ways
from reports.site.documents import Document
from reports.site.past import Part

Links = Sequence[tuple[str, str]]
TEMPLATES = Path(__file__).with_name("templates")
PAGES = {"index.html": "Which LSTM is fastest?", "rows.html": "All rows"}
"""The pages of one run or several, each with its title."""


def cite(run: Run) -> str:
    """Return a line by which a text can name a run."""
    commit = run.metadata.commit
    commit_id = (commit.id or "unknown")[:12]
    if commit.dirty:
        commit_id += " with changes"
    start = f"lstm-bench, run {run.run_id}, {began(run.run_id)}, commit {commit_id}"
    return f"{start}, {processor_and_gpu(run)}"


def bibtex(run: Run, address: str) -> Markup:
    """Return the same as an entry for BibTeX, with the suite's address where that is known."""
    fields = {
        "title": "lstm-bench",
        "author": "{The lstm-bench authors}",
        "year": began(run.run_id)[:4],
        "note": one_line(cite(run)),
    }
    if address:
        fields["url"] = address
    lines = [f"  {key} = {{{value}}}," for key, value in fields.items()]
    return escape("\n".join(["@software{lstm_bench,", *lines, "}"]))


def repository() -> str:
    """Return the address of the suite: that of CITATION.cff, or of the repository whose CI builds this; or nothing."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r'(?m)^repository-code: "?(.+?)"?$', citation)
    if cited:
        return cited[1]
    server = os.environ.get("GITHUB_SERVER_URL")
    name = os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else ""


def _one_line(value: Any) -> Any:
    """Return what the template shows of a value: text from outside on one line; what is markup already as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _address(path: str) -> str:
    """Return the address of a file, which is relative to the page."""
    return quote(os.fsencode(f"./{path}"))


def _broken(name: str) -> Markup:
    """Return a name that may be broken after a `_`."""
    return escape(one_line(name)).replace("_", "_" + Markup("<wbr>"))


def _over_lines(command: str) -> Markup:
    """Return a command over lines of its own."""
    return escape(rows.over_lines(one_line(command)))


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy names a script or style by that may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


ENVIRONMENT = jinja2.Environment(
    autoescape=True,
    finalize=_one_line,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    loader=jinja2.FileSystemLoader(TEMPLATES),
)
ENVIRONMENT.filters |= {
    "address": _address,
    "broken": _broken,
    "hash": _hash,
    "over_lines": _over_lines,
    "span": span,
}


def _rendered(name: str, links: Links, scripts: Sequence[str], **values: Any) -> str:
    """Return a page in the look of all pages, with the colors of charts on a dark one."""
    css, *texts = (
        (TEMPLATES / file).read_text(encoding="utf-8") for file in ("page.css", *scripts)
    )
    return ENVIRONMENT.get_template(name).render(
        site=links,
        repository=repository(),
        css=f"{css}{style.dark_rules()}\n",
        js="".join(texts),
        **values,
    )


def document(page: Document, links: Links) -> str:
    """Return a document as a page of the site, without a script."""
    return _rendered("document.html.j2", links, (), document=page)


def past(name: str, parts: Sequence[Part], links: Links) -> str:
    """Return the page of the rounds on record of an implementation."""
    return _rendered("history.html.j2", links, ("common.js",), of=name, parts=parts, older=OLDER)


def of_ways(links: Links) -> str:
    """Return the page of which way of running an LSTM is right with which option."""
    return _rendered("ways.html.j2", links, ("common.js", "rows.js"), **ways.page())


def save(
    folder: Path,
    reports: Sequence[Report],
    links: Links = (),
    addresses: Mapping[tuple[str, ...], str] = MappingProxyType({}),
) -> None:
    """Write index.html and rows.html of some runs, each whole or not at all, and the dot plots.

    The first run heads them. index.html has the first index.MACHINES machines, and of several not
    every chart; rows.html has all rows.

    Args:
        links: to other pages of the site, each with its title.
        addresses: of the rows' charts over rounds, see reports.site.past.addresses.
    """

    def past_of(report: Report, row: Any) -> str:
        arm = [getattr(row, name) for name in ARM]
        return addresses.get((machine_label(report.run.metadata), *arm), "")

    machines = by_machine(reports)
    head = machines[0].head
    is_brief = len(machines) > 1
    parts = [index.part(machine, folder, is_brief) for machine in machines[: index.MACHINES]]
    libraries: set[str] = set()
    for part in parts:
        for advised in part["advised"]:
            compared = advised.timed[advised.timed["ratio"].notna()]
            libraries.update(packages_of(compared).str[0])
    devices = sorted(set().union(*(report.summary["device"] for report in reports)))
    links = (*PAGES.items(), *links)
    index_page = _rendered(
        "page.html.j2",
        links,
        ("common.js", "page.js"),
        machines=machines,
        parts=parts,
        head=head,
        reports=reports,
        devices=devices,
        best_of_tracks=index.best_of_tracks,
        of_tracks=index.of_tracks(head.baseline),
        purposes=PURPOSES,
        columns=tables.columns(head),
        slowed=slowed(head.run.metadata.variables),
        cite=cite,
        bibtex=bibtex,
        older=OLDER,
        row_id=rows.row_id,
        again=rows.again,
        executable=rows.executable,
        preamble=preamble,
        libraries=sorted(libraries),
        called=LIBRARIES,
        asked=list(index.shown(index.ASKED, parts)),
        behind=list(index.shown(index.BEHIND, parts)),
        day_of=lambda report: began(report.run.run_id),
        processors=processors.side_by_side(machines[: index.MACHINES]),
    )
    rows_page = _rendered(
        "rows.html.j2",
        links,
        ("common.js", "rows.js"),
        columns=rows.columns(head.baseline, len(devices) > 1),
        older=OLDER,
        machines=machines,
        rows=list(rows.rows(machines)),
        head=head,
        row_id=rows.row_id,
        sort_key=rows.sort_key,
        style=tables.style,
        python=rows.python,
        again=rows.again,
        library=rows.library,
        past_of=past_of,
        purpose=tables.PURPOSE,
        cite=cite,
    )
    write_text(folder / "index.html", index_page)
    write_text(folder / "rows.html", rows_page)

"""The site: a page for the published runs together, one for each run, the documents, and files for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from impls.core.files import write_text
from impls.core.text import json_text
from reports import data, site
from reports.documents import Document, documents
from reports.report import Report

RUNS = "runs"
"""The folder of the site with a folder for each run, whose addresses never change."""
LINKS = (
    ("docs/what-is-measured.html", "Methods"),
    ("docs/CONTRIBUTING.html", "Add yours"),
    ("docs/regression.html", "The gate"),
    ("data.json", "data.json"),
    ("summary.csv", "summary.csv"),
)
"""What every page of the site links to, beside the page of runs."""
OF_A_RUN = tuple((f"../../{href}", title) for href, title in (("index.html", "All runs"), *LINKS))
"""What the page of a run links to."""


def build(out: Path, reported: Sequence[Report]) -> None:
    """Write the site's pages and the files for programs; the runs' own pages and files are there already.

    Args:
        out: the site's folder.
        reported: the runs, in the order of the page; the files of each are in RUNS/NAME.
    """
    site.save(out, reported, LINKS)
    for document in documents():
        path = out / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, site.document(document, _links(document)))
    write_text(out / "data.json", json_text(msgspec.to_builtins(data.data(reported))))
    write_text(out / "data.schema.json", json_text(data.schema()))
    write_text(out / "summary.csv", data.summary_csv(reported))
    write_text(out / "badge.json", data.badge(reported))


def _links(document: Document) -> list[tuple[str, str]]:
    """Return the links of a document's page."""
    up = "../" * document.path.count("/")
    return [(f"{up}index.html", "Which LSTM is fastest?"), *((up + href, title) for href, title in LINKS)]

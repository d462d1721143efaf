"""A chart: its data in words, its specification, and how it becomes the SVG of the page, and a file."""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import altair as alt
import pandas as pd
import vl_convert
from altair.utils import schemapi

from impls.core.files import write_text
from impls.core.text import one_line
from reports.charts import style

WIDTH = 344
"""The width of a chart in pixels: that of a phone. A wider page has several side by side."""
VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
"""The version of Vega-Lite for which Altair writes, such as `6.1`."""
ET.register_namespace("", "http://www.w3.org/2000/svg")
alt.data_transformers.disable_max_rows()  # Altair's limit is for notebooks


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes:
        name: that of its file.
        title, alt: what stands above it, and what it shows for those who can't see it.
        labels: what it shows in words: a line for each mark.
        chart: gives its specification, as a chart of Altair.
        drawn: its SVG, once it is written.
    """

    name: str
    title: str
    alt: str
    labels: Sequence[str]
    chart: Callable[[], Any]
    drawn: str = ""


def file_name(*parts: str) -> str:
    """Return a name of letters, digits, `-` and `_` only; where signs are lost, a digest keeps two names apart."""
    wanted = "-".join(parts)
    name = re.sub(r"[^A-Za-z0-9_]+", "-", wanted)[:80].strip("-")
    if name == wanted:
        return name
    return f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def words(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return columns of names as a chart shows them: each on one line."""
    return rows[[*columns]].astype(str).map(one_line)


def labels(rows: pd.DataFrame, sentence: Callable[[Any], str]) -> list[str]:
    """Return what the mark of each row says, on one line."""
    return [one_line(sentence(row)) for row in rows.itertuples(index=False)]


def specification(drawing: Drawing) -> dict[str, Any]:
    """Return a chart in Vega-Lite's words, with the look of all charts."""
    # to check each part of it takes a fifth of the time; a test checks it
    with schemapi.debug_mode(False):
        chart: dict[str, Any] = drawing.chart().to_dict(validate=False)
    return {**chart, "config": style.CONFIG}


def svg(drawing: Drawing) -> str:
    """Return a chart as an SVG for inside a page: no style attributes, and the label of a mark in data-tip."""
    drawn = vl_convert.vegalite_to_svg(specification(drawing), vl_version=VERSION)
    root = ET.fromstring(drawn)  # noqa: S314 — from the line above
    for element in root.iter():
        label = element.get("aria-label")
        if label and element.get("aria-roledescription") == "point":
            element.set("data-tip", label)
        for name in list(element.attrib):
            if name.startswith("aria-") or name in ("style", "class", "role"):
                del element.attrib[name]
    root.set("role", "img")
    root.set("aria-label", one_line(drawing.alt))
    return ET.tostring(root, encoding="unicode")


def write(drawing: Drawing, folder: Path) -> Drawing:
    """Write NAME.svg, which follows its reader's color scheme, and return the drawing with its SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = svg(drawing)
    start, _, rest = drawn.partition(">")
    title = f"<title>{escape(one_line(drawing.title))}</title>"
    write_text(
        folder / f"{drawing.name}.svg",
        f"{start}>{title}<style>{style.dark_rules()}</style>{rest}",
    )
    return replace(drawing, drawn=drawn)

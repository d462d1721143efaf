"""A chart: its data in words, how it is drawn, and how it becomes the SVG of the page, and a file."""

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
ROWS = "rows.html"
"""The page to whose rows a mark may lead."""
VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
"""The version of Vega-Lite for which Altair writes, such as `6.1`."""
DIGITS = re.compile(r"(\d\.\d)\d+")
"""A number with more digits than a screen shows."""
PLACES = ("d", "transform", "x", "x1", "x2", "y", "y1", "y2", "width", "height")
"""The attributes that say where something is drawn. Its words keep all their digits."""
IMPLIED = {"opacity": "1", "pointer-events": "none", "font-family": style.FONT}
"""Attributes that an element of Vega has in vain; the font is that of the whole."""
ET.register_namespace("", "http://www.w3.org/2000/svg")
alt.data_transformers.disable_max_rows()  # Altair's limit is for notebooks


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes:
        name: that of its file.
        title, alt: what stands above it, and what it shows for those who can't see it.
        labels: what it shows in words: a line for each mark.
        chart: gives its specification, as a chart of Altair, or where that can't draw it, its SVG.
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


def specification(chart: Any) -> dict[str, Any]:
    """Return a chart of Altair in Vega-Lite's words, with the look of all charts."""
    # to check each part of it takes a fifth of the time; a test checks it
    with schemapi.debug_mode(False):
        words: dict[str, Any] = chart.to_dict(validate=False)
    return {**words, "config": style.CONFIG}


def svg(drawing: Drawing) -> str:
    """Return a chart as an SVG for inside a page: no style attributes, and the label of a mark in data-tip."""
    chart = drawing.chart()
    if isinstance(chart, str):
        return chart
    drawn = vl_convert.vegalite_to_svg(specification(chart), vl_version=VERSION)
    root = ET.fromstring(drawn)  # noqa: S314 — from the line above
    for parent in root.iter():
        for empty in parent.findall("{*}path[@display='none']"):
            parent.remove(empty)
    for element in root.iter():
        for name in PLACES:
            if name in element.attrib:
                element.set(name, DIGITS.sub(r"\1", element.attrib[name]))
        for name, value in IMPLIED.items():
            if element.get(name) == value:
                del element.attrib[name]
        label = element.get("aria-label")
        if label and element.get("aria-roledescription") == "point":
            element.set("data-tip", label)
        for name in list(element.attrib):
            if name.startswith("aria-") or name in ("style", "class", "role"):
                del element.attrib[name]
    root.set("font-family", style.FONT)
    root.set("role", "img")
    root.set("aria-label", one_line(drawing.alt))
    return ET.tostring(root, encoding="unicode")


def file_text(drawing: Drawing, drawn: str, up: str = "../") -> str:
    """Return the SVG of a chart as a file that follows its reader's color scheme; `up` leads to the page."""
    start, _, rest = drawn.replace(f'"{ROWS}', f'"{up}{ROWS}').partition(">")
    title = f"<title>{escape(one_line(drawing.title))}</title>"
    return f"{start}>{title}<style>{style.dark_rules()}</style>{rest}"


def write(drawing: Drawing, folder: Path) -> Drawing:
    """Write NAME.svg, and return the drawing with its SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = svg(drawing)
    write_text(folder / f"{drawing.name}.svg", file_text(drawing, drawn))
    return replace(drawing, drawn=drawn)

"""A chart: its specification, and how it becomes the SVG of the page, and files."""

from __future__ import annotations

import functools
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from altair.utils import schemapi

from impls.core.files import write_text, write_whole
from impls.core.text import one_line
from reports.charts import style

WIDE, NARROW = 980, 350
"""The widths for which a chart is made, in pixels: a page's, and a phone's."""
SCALE = 2
"""The pixels of a PNG for each of the SVG."""
SVG = "http://www.w3.org/2000/svg"
ET.register_namespace("", SVG)
alt.data_transformers.disable_max_rows()  # Altair's limit is for notebooks


@dataclass(frozen=True)
class Described:
    """What is said of a chart.

    `problem` and `mode` are None where it shows several. `said` has what it shows in words: a line for each mark.
    """

    name: str
    title: str
    alt: str
    problem: str | None
    mode: str | None
    said: Sequence[str]


@dataclass(frozen=True)
class Drawing(Described):
    """One chart; `chart(width)` is its specification for a page of that many pixels, as a chart of Altair."""

    chart: Callable[[int], Any]


@dataclass(frozen=True)
class Picture(Described):
    """A Drawing that was written as NAME.svg and NAME.png; `wide` and `narrow` are the SVGs for the page."""

    wide: str
    narrow: str

    @property
    def kind(self) -> str:
        """The word with which its name starts, such as `ratio`: by it the page gives it a place."""
        return self.name.partition("-")[0]


def file_name(*parts: str) -> str:
    """Return a name of letters, digits, `-` and `_` only; where signs are lost, a digest keeps two names apart."""
    wanted = "-".join(parts)
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", wanted)[:80].strip("-")
    return kept if kept == wanted else f"{kept}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def specification(drawing: Drawing, width: int) -> dict[str, Any]:
    """Return a chart in Vega-Lite's words, with the look of all charts."""
    with schemapi.debug_mode(False):  # to check each part of it takes a fifth of the time; a test checks it
        found: dict[str, Any] = drawing.chart(width).to_dict(validate=False)
    return {**found, "config": style.CONFIG}


SAME = {"font-family": style.FONT, "font-size": f"{style.SIZE}px"}
"""What most texts of a chart share, which the whole SVG has once."""
LEFT_OUT = {"opacity": "1", "pointer-events": "none", "stroke-miterlimit": "10"}
"""Attributes that change nothing."""
LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


def svg(drawing: Drawing, width: int) -> str:
    """Return a chart as an SVG for inside a page: no style attributes, and what a mark says in data-tip."""
    return ET.tostring(_cleaned(drawing, width), encoding="unicode")


def _cleaned(drawing: Drawing, width: int) -> ET.Element:
    drawn = vl_convert.vegalite_to_svg(specification(drawing, width), vl_version=_version())
    root = ET.fromstring(drawn)  # noqa: S314 — from the line above
    for element in root.iter():
        label = element.get("aria-label")
        marked = element.get("aria-roledescription") == "point"
        for name, value in list(element.attrib.items()):
            known = (SAME | LEFT_OUT).get(name) == value
            if known or name.startswith("aria-") or name in ("style", "class", "role"):
                del element.attrib[name]
            elif name in ("d", "transform", "x2", "y2"):
                element.set(name, LONG.sub(lambda number: f"{float(number[0]):.2f}", value))
        if label and marked:
            element.set("data-tip", label)
    for name, value in (SAME | {"role": "img", "aria-label": one_line(drawing.alt)}).items():
        root.set(name, value)
    return root


@functools.cache
def _version() -> str:
    """Return the version of Vega-Lite for which Altair writes, such as `6.1`."""
    return ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])


def _on_white(drawn: str) -> str:
    """Return an SVG with a white rectangle behind everything."""
    root = ET.fromstring(drawn)  # noqa: S314 — from _cleaned
    root.insert(0, ET.Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#fff"}))
    return ET.tostring(root, encoding="unicode")


def write(drawing: Drawing, folder: Path) -> Picture:
    """Write NAME.svg, which follows its reader's color scheme, and NAME.png on white; each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    root = _cleaned(drawing, WIDE)
    wide = ET.tostring(root, encoding="unicode")
    sheet = ET.Element(f"{{{SVG}}}style")
    sheet.text = f"@media screen and (prefers-color-scheme: dark){{{style.dark_rules()}}}"
    root.insert(0, sheet)
    title = ET.Element(f"{{{SVG}}}title")
    title.text = one_line(drawing.title)
    root.insert(0, title)
    write_text(folder / f"{drawing.name}.svg", ET.tostring(root, encoding="unicode"))
    png = vl_convert.svg_to_png(_on_white(wide), scale=SCALE)
    write_whole(folder / f"{drawing.name}.png", lambda path: path.write_bytes(png))
    words = {field.name: getattr(drawing, field.name) for field in fields(Described)}
    return Picture(**words, wide=wide, narrow=svg(drawing, NARROW))

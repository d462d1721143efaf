"""A heat map of sizes: in each cell the fastest plain and the fastest tuned code, and its ratio to the baseline.

Vega-Lite has no hatching, so the SVG is written here.
"""

import xml.etree.ElementTree as ET
from typing import Any

import pandas as pd

from impls.core.text import one_line
from reports.charts import style
from reports.charts.drawing import WIDTH
from reports.verdict import BASELINE, UNCLEAR

SVG = "http://www.w3.org/2000/svg"
LEFT = 40
"""The room for the sizes at the left, in pixels."""
HALF = 34
"""The height of a half of a cell: plain above, tuned below."""
SEAM, GAP = 1, 3
"""Between the halves, and between cells."""
WIDEST = 120
"""The most that a cell is wide."""
HEAD, FOOT = 44, 40
"""The room above the cells, and below."""
LINE = 8
"""From one line of the hatching to the next."""
LETTERS = 20
"""The most letters of a name on one line."""
LETTER = 6.0
"""The width of a letter of style.SIZE, in pixels."""
SMALL = 10
"""The size of a name, in pixels."""
STEPS = ((0.5, style.FASTEST), (0.67, style.FASTER), (0.95, style.FAST), (1.05, style.EVEN))
"""The color of a cell up to each ratio; beyond all it is slow."""
LEGEND = (
    (style.FASTEST, "≤ 0.5"),
    (style.FASTER, "≤ 0.67"),
    (style.FAST, "≤ 0.95"),
    (style.EVEN, "≈ 1"),
    (style.SLOW, "> 1.05"),
)


def svg(title: str, cells: pd.DataFrame, baseline: str) -> str:
    """Return the map: a column for each hidden size, a row for each batch.

    Args:
        title: what it shows, for those who can't see it.
        cells: batch, hidden, implementation, ratio, verdict, tuned (whether the code is), label (what the cell says),
            and href (where it leads).
        baseline: by whose time ratios are.
    """
    columns = sorted(cells["hidden"].unique())
    rows = sorted(cells["batch"].unique())
    width = min(WIDEST, (WIDTH - LEFT) // len(columns))
    height = 2 * HALF + SEAM + GAP
    bottom = HEAD + height * len(rows)
    root = ET.Element("svg", {"xmlns": SVG, "role": "group", "aria-label": title})
    root.set("font-family", style.FONT)
    root.set("width", str(WIDTH))
    root.set("height", str(bottom + FOOT))
    _text(root, "hidden size", LEFT, 14)
    _text(root, "batch", 0, HEAD - 8)
    for number, size in enumerate(columns):
        _text(root, str(size), LEFT + width * number + (width - GAP) / 2, HEAD - 8, "middle")
    for number, size in enumerate(rows):
        _text(root, str(size), LEFT - 8, HEAD + height * number + HALF + 4, "end")
    row: Any
    for row in cells.itertuples(index=False):
        x = LEFT + width * columns.index(row.hidden)
        y = HEAD + height * rows.index(row.batch) + (HALF + SEAM) * row.tuned
        link = ET.SubElement(root, "a", {"href": row.href, "data-tip": row.label})
        _cell(link, row, x, y, width - GAP)
    _legend(root, bottom + 14, baseline)
    return ET.tostring(root, encoding="unicode")


def _legend(root: ET.Element, y: float, baseline: str) -> None:
    """Draw what the halves, the numbers, the colors and the hatching mean."""
    _text(root, f"above: plain code; below: tuned. Time ÷ {one_line(baseline, 20)}'s:", 0, y)
    x = 0.0
    for color, words in LEGEND:
        box = {"x": f"{x:g}", "y": f"{y + 8}", "width": "12", "height": "12", "fill": color}
        ET.SubElement(root, "rect", box)
        _text(root, words, x + 16, y + 18)
        x += 24 + LETTER * len(words)
    _hatched(root, x, y + 8, 12, 12)
    _text(root, "unclear", x + 16, y + 18)


def _cell(parent: ET.Element, row: Any, x: float, y: float, width: float) -> None:
    """Draw a half of a cell: its color, the hatching where it is unclear, its name and its ratio."""
    box = {"x": f"{x}", "y": f"{y}", "width": f"{width}", "height": f"{HALF}"}
    ET.SubElement(parent, "rect", box, fill=color_of(row.ratio))
    if row.verdict == UNCLEAR:
        _hatched(parent, x, y, width, HALF)
    middle = x + width / 2
    if row.verdict == BASELINE:
        _text(parent, row.implementation, middle, y + 22, "middle", size=11)
        return
    name = one_line(row.implementation, LETTERS)
    text = _text(parent, name, middle, y + 14, "middle", size=SMALL)
    if len(name) * LETTER * SMALL / style.SIZE > width:  # narrower letters
        text.set("textLength", f"{width - GAP}")
        text.set("lengthAdjust", "spacingAndGlyphs")
    _text(parent, f"{row.ratio:.2f}", middle, y + 28, "middle", weight="bold")


def color_of(ratio: float) -> str:
    """Return the color of a ratio to the baseline."""
    for most, color in STEPS:
        if ratio <= most:
            return color
    return style.SLOW


def _hatched(parent: ET.Element, x: float, y: float, width: float, height: float) -> None:
    """Fill a box with slanting lines."""
    lines = []
    for start in range(LINE // 2, int(width + height), LINE):
        # from the upper or the right edge down to the left or the lower edge
        x1 = min(start, width)
        y1 = start - x1
        y2 = min(start, height)
        x2 = start - y2
        lines.append(f"M{x + x1:g},{y + y1:g}L{x + x2:g},{y + y2:g}")
    ET.SubElement(parent, "path", d="".join(lines), stroke=style.HATCHING)


def _text(
    parent: ET.Element,
    words: str,
    x: float,
    y: float,
    anchor: str = "start",
    size: int = style.SIZE,
    weight: str = "",
) -> ET.Element:
    text = ET.SubElement(parent, "text", {"x": f"{x:g}", "y": f"{y:g}", "fill": style.INK})
    text.set("text-anchor", anchor)
    text.set("font-size", f"{size}px")
    if weight:
        text.set("font-weight", weight)
    text.text = words
    return text

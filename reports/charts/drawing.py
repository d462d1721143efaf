"""A drawn chart, and how it becomes files."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from impls.core.files import write_text, write_whole
from reports.charts import style


@dataclass(frozen=True)
class Drawing:
    """One chart; `problem` is None where it shows several problems."""

    name: str
    title: str
    alt: str
    problem: str | None
    figure: Figure


def file_name(*parts: str) -> str:
    """Return a name of letters, digits, `-` and `_` only; where signs are lost, a digest keeps two names apart."""
    wanted = "-".join(parts)
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", wanted)[:80].strip("-")
    return kept if kept == wanted else f"{kept}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def write(drawing: Drawing, folder: Path) -> str:
    """Write NAME.svg and NAME.png, each whole or not at all, and return the SVG's text."""
    stream = io.BytesIO()
    drawing.figure.savefig(stream, format="svg", dpi=144, metadata={"Date": None, "Creator": None})
    svg = style.dark(stream.getvalue().decode())
    write_text(folder / f"{drawing.name}.svg", svg)
    write_whole(
        folder / f"{drawing.name}.png",
        lambda path: drawing.figure.savefig(
            path, format="png", dpi=150, facecolor="white", metadata={"Software": None}
        ),
    )
    return svg

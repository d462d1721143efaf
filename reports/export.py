"""Tables to paste: table.html by great-tables, and table.tex for a paper. The same rows of text as table.md's."""

from __future__ import annotations

import html

import pandas as pd
from great_tables import GT, loc, style

from reports import tables
from reports.frames import Run
from reports.tables import Section

HEAD = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<body>\n'


def _frame(section: Section) -> pd.DataFrame:
    """A section's rows of text, without the track, which heads its group."""
    rows = pd.DataFrame([line.cells for line in section.lines], columns=section.header)
    return rows.drop(columns="track")


def as_html(section: Section, name: str) -> str:
    """One benchmark as great-tables draws it, and escapes it: a group of rows per track."""
    rows = _frame(section)
    rows["group"] = [tables.TRACK_TITLES.get(line.track, line.track) for line in section.lines]
    fastest = [k for k, line in enumerate(section.lines) if "fastest" in line.cells]
    drawn = (
        GT(rows, groupname_col="group", rowname_col="implementation", id=name)
        .tab_header(section.title)
        .cols_align("right")
        .cols_align(
            "left", [column for column in rows.columns if column in tables.WORDS and column != "implementation"]
        )
        .tab_style(style.text(weight="bold"), loc.body(rows=fastest))
        .tab_options(table_font_size="13px", data_row_padding="3px")
    )
    return str(drawn.as_raw_html())


def html_document(run: Run, sections: list[Section]) -> str:
    """A document of every table, under what stands above all tables."""
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in tables.preamble(run))
    drawn = (as_html(section, f"benchmark-{k}") for k, section in enumerate(sections))
    notes = "".join(f"<p>{html.escape(line)}</p>\n" for line in tables.notes(run.options["baseline"]))
    return HEAD.format(title="LSTM benchmarks") + lines + "\n".join(drawn) + notes + "</body></html>\n"


SIGNS = {
    "×": r"$\times$",
    "µ": r"\textmu{}",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after a line's end it would begin an argument
    "]": "{]}",
}
"""What a plain LaTeX can't set as it stands."""


def _tex(value: str) -> str:
    """Text with LaTeX's own signs escaped, backslash first."""
    for sign in "\\&%$#_{}~^":
        value = value.replace(sign, {"\\": "\0", "~": "\1", "^": "\2"}.get(sign, f"\\{sign}"))
    for sign, word in {"\0": "backslash", "\1": "asciitilde", "\2": "asciicircum"}.items():
        value = value.replace(sign, rf"\text{word}{{}}")
    for sign, word in SIGNS.items():
        value = value.replace(sign, word)
    return " ".join(value.split())


def as_latex(section: Section) -> str:
    """One benchmark as a booktabs table, its caption above it."""
    rows = pd.DataFrame([line.cells for line in section.lines], columns=section.header)
    formats = "".join("l" if name in tables.WORDS else "r" for name in rows.columns)
    rows = rows.map(_tex).rename(columns=_tex)
    return rows.to_latex(index=False, escape=False, column_format=formats, caption=_tex(section.title))


def latex_document(run: Run, sections: list[Section]) -> str:
    """Every table, to be \\input; what stands above all tables is in comments."""
    lines = [f"% {' '.join(line.split())}" for line in tables.preamble(run)]
    return "\n".join(["% needs \\usepackage{booktabs,textcomp}", *lines, "", *map(as_latex, sections)])

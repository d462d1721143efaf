"""The tables to paste: table.html by great-tables, and table.tex for a paper."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd
from great_tables import GT, loc, style

from benchmarks.columns import Column
from reports import tracks
from reports.frames import Run
from reports.preamble import notes, preamble
from reports.ranking import YES
from reports.tables import Section

HEAD = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>LSTM benchmarks</title>\n<body>\n'


def _texts(columns: Sequence[Column], section: Section) -> pd.DataFrame:
    """Return the cells of some columns as text, under the columns' keys."""
    return pd.DataFrame({column.key: [column.cell(row) for row in section.rows] for column in columns})


def table_html(section: Section, table_id: str) -> str:
    """Return one benchmark's table as HTML with its styles inside, every value escaped: a group for each track."""
    columns = [column for column in section.columns_with_reason if column.key != "track"]
    texts = _texts(columns, section).assign(group=[tracks.title(str(row.track)) for row in section.rows])
    fastest = [k for k, row in enumerate(section.rows) if row.fastest == YES]
    drawn = (
        GT(texts, groupname_col="group", rowname_col="implementation", id=table_id)
        .tab_header(section.title)
        .cols_label({column.key: column.name for column in columns[1:]})
        .cols_align("right", [column.key for column in columns[1:] if not column.words])
        .cols_align("left", [column.key for column in columns[1:] if column.words])
        .tab_style(style.text(weight="bold"), loc.body(rows=fastest))
        .tab_options(table_font_size="13px", data_row_padding="3px")
    )
    return str(drawn.as_raw_html())


def html_document(run: Run, sections: Sequence[Section]) -> str:
    """Return table.html: every table, under the preamble and above the notes."""
    above, below = (
        "".join(f"<p>{html.escape(line)}</p>\n" for line in lines) for lines in (preamble(run), notes(run.baseline))
    )
    tables = "\n".join(table_html(section, f"benchmark-{k}") for k, section in enumerate(sections))
    return f"{HEAD}{above}{tables}{below}</body></html>\n"


SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "µ": r"\textmu{}",
        "–": "--",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # at the start of a row LaTeX would take it for an argument of the row before
        "]": "{]}",
    }
)
"""The signs that LaTeX would take for markup, or that its standard fonts do not have."""


def _tex(text: str) -> str:
    """Return text for LaTeX, on one line."""
    return " ".join(text.translate(SIGNS).split())


def table_latex(section: Section) -> str:
    """Return one benchmark's table for booktabs, with its caption above it."""
    columns = section.columns_with_reason
    texts = _texts(columns, section).map(_tex).set_axis([_tex(column.name) for column in columns], axis="columns")
    alignment = "".join("l" if column.words else "r" for column in columns)
    return texts.to_latex(index=False, escape=False, column_format=alignment, caption=_tex(section.title))


def latex_document(run: Run, sections: Sequence[Section]) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = [f"% {' '.join(line.split())}" for line in preamble(run)]
    return "\n".join(["% needs \\usepackage{booktabs,textcomp}", *lines, "", *map(table_latex, sections)])

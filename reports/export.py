"""The tables to paste: table.html by great-tables, table.tex for a paper, and summary.csv."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import pandas as pd
from great_tables import GT, loc, style
from great_tables import html as markup

from benchmarks.columns import Column
from impls.core.text import one_line
from reports import tracks
from reports.frames import Run
from reports.preamble import notes, preamble
from reports.ranking import YES
from reports.tables import Section

HEAD = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>LSTM benchmarks</title>\n<body>\n'

FORMULA = ("=", "+", "-", "@")
"""The signs with which a formula starts."""


def _texts(columns: Sequence[Column], section: Section, clean: Callable[[str], str]) -> pd.DataFrame:
    """Return the cells of some columns as text for a format, under the columns' keys."""
    return pd.DataFrame({column.key: [clean(column.cell(row)) for row in section.rows] for column in columns})


def _html(text: str) -> str:
    """Return text for HTML, on one line."""
    return html.escape(one_line(text))


def csv_cell(value: object) -> object:
    """Return a value for a cell of CSV: text is on one line, and no program of tables takes it for a formula."""
    if not isinstance(value, str):
        return value
    shown = one_line(value)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def csv(summary: pd.DataFrame) -> str:
    """Return summary.csv."""
    return summary.astype(object).map(csv_cell).to_csv(index=False, lineterminator="\n")


def table_html(section: Section, table_id: str) -> str:
    """Return one benchmark's table as HTML with its styles inside, every value escaped: a group for each track."""
    columns = [column for column in section.columns_with_reason if column.key != "track"]
    # great-tables escapes all text but a label with {{units}}
    texts = _texts(columns, section, one_line)
    texts = texts.assign(group=[one_line(tracks.title(str(row.track))) for row in section.rows]).astype(object)
    fastest = [k for k, row in enumerate(section.rows) if row.fastest == YES]
    drawn = (
        GT(texts, groupname_col="group", rowname_col="implementation", id=table_id)
        .tab_header(one_line(section.title))
        .cols_label({column.key: markup(_html(column.name)) for column in columns[1:]})
        .cols_align("right", [column.key for column in columns[1:] if not column.words])
        .cols_align("left", [column.key for column in columns[1:] if column.words])
        .tab_style(style.text(weight="bold"), loc.body(rows=fastest))
        .tab_options(table_font_size="13px", data_row_padding="3px")
    )
    return str(drawn.as_raw_html())


def html_document(run: Run, sections: Sequence[Section]) -> str:
    """Return table.html: every table, under the preamble and above the notes."""
    above, below = ("".join(f"<p>{_html(line)}</p>\n" for line in lines) for lines in (preamble(run), notes(run)))
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
    return one_line(text).translate(SIGNS)


def table_latex(section: Section) -> str:
    """Return one benchmark's table for booktabs, with its caption above it."""
    columns = section.columns_with_reason
    texts = _texts(columns, section, _tex).set_axis([_tex(column.name) for column in columns], axis="columns")
    alignment = "".join("l" if column.words else "r" for column in columns)
    return texts.to_latex(index=False, escape=False, column_format=alignment, caption=_tex(section.title))


def latex_document(run: Run, sections: Sequence[Section]) -> str:
    """Return table.tex: every table, to be \\input; the preamble is in comments."""
    lines = [f"% {one_line(line)}" for line in preamble(run)]
    return "\n".join(["% needs \\usepackage{booktabs,textcomp}", *lines, "", *map(table_latex, sections)])

"""A column of a table. Every form of a table (terminal, Markdown, HTML, LaTeX, page) goes over a list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ALWAYS = 99


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: its name in code and in the page's style sheet.
        name: its header.
        cell: gives the text of a row. A row is any object.
        words: whether it holds words, which stand to the left; numbers stand to the right.
        priority: on a narrow terminal, the column of least priority is left out first, one of ALWAYS never.
        sort: the attribute of a row that holds the number to sort by; None sorts by the text.
        breakable: whether a terminal may break its text over several lines.
        style: gives Rich's style of a cell on a terminal, empty for none.
    """

    key: str
    name: str
    cell: Callable[[Any], str]
    words: bool = False
    priority: int = ALWAYS
    sort: str | None = None
    breakable: bool = True
    style: Callable[[Any], str] | None = None

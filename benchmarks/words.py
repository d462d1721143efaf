"""Words in tables and messages: one or many, lists, and text inside Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from impls.core.text import one_line

_MARKUP = re.compile(
    r"""
    (?P<number>\A\d{1,9}(?=[.)](?:\s|\Z)))?  # a numbered item
    (?P<sign>
    (?(number)[.)]|(?!))
    | [|*`]                        # a cell's end, emphasis, code
    | \](?=[(\[:])                 # the end of a link's text
    | \\(?=[!-/:-@\[-`{-~])        # a backslash that would escape the next sign
    | <(?=[A-Za-z/!?])             # a tag
    | &(?=\#?\w+;)                 # an entity such as &lt;
    | ~(?=~) | (?<=~)~             # struck out
    | (?<![^\W_])_ | _(?![^\W_])   # emphasis; inside a name such as torch_lstm it is none
    | \A(?:>|\#(?=[\#\s]|\Z)|[-+](?=[\s-]|\Z)|=(?=[=\s]*\Z))  # what starts a block
    | (?<=\s)\#(?=\#*\Z)           # the end of a heading
    )
    """,
    re.VERBOSE,
)


def count(number: int, word: str, plural: str | None = None) -> str:
    """Return such as `1 block` or `3 blocks`; `plural` is for words that do more than take an s."""
    return f"{number} {word if number == 1 else plural or f'{word}s'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return such as `a, b and c`."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def markdown_cell(text: str) -> str:
    """Return text for one cell of a table in GitHub's Markdown: on one line, and every sign shown as it is.

    Only what GitHub would take for markup is changed, so that the file also reads well as text.
    """
    return _MARKUP.sub(lambda found: f"{found['number'] or ''}\\{found['sign']}", one_line(text))


def markdown_table(rows: Sequence[Sequence[object]], header: Sequence[str], numbers: bool = False) -> str:
    """Return rows as a table in GitHub's Markdown; `numbers` has columns of numbers to the right."""
    from tabulate import tabulate  # here, so that a machine without it can still measure

    return tabulate(rows, headers=header, tablefmt="github", disable_numparse=not numbers)

"""Markdown as a page shows it."""

from __future__ import annotations

from markdown_it import MarkdownIt


def rendered(text: str) -> str:
    """The HTML of a text in Markdown, with the tables and the strikethrough of GitHub."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def cells_of(text: str) -> list[list[str]]:
    """The cells of a table, of each line one list."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]

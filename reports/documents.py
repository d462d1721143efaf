"""The documents of the project as pages of the site: docs/ and CONTRIBUTING.md, rendered from Markdown."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("CONTRIBUTING.md", "docs/*.md", "docs/decisions/*.md")
HOME = "README.md"
"""What the page of runs stands for."""


@dataclass(frozen=True)
class Document:
    """A document: its path in the project, its path in the site, its title, and its HTML."""

    source: str
    path: str
    title: str
    html: str


def documents(root: Path = ROOT) -> list[Document]:
    """Return every document of the project; a link to what the site does not have becomes plain text."""
    sources = [path for pattern in SOURCES for path in sorted(root.glob(pattern))]
    places = {path.relative_to(root).as_posix(): _place(path.relative_to(root).as_posix()) for path in sources}
    places[HOME] = "index.html"
    return [_rendered(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"), places) for path in sources]


def _place(source: str) -> str:
    """Return the path in the site: CONTRIBUTING.md lies beside the others."""
    name = source.removesuffix(".md") + ".html"
    return name if "/" in name else f"docs/{name}"


def _rendered(source: str, text: str, places: dict[str, str]) -> Document:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    headings = [tokens[k + 1].content for k, token in enumerate(tokens) if token.type == "heading_open"]
    ids: set[str] = set()
    for k, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _unique(slug(tokens[k + 1].content), ids))
        if token.type == "inline":
            token.children = _linked(token.children or [], source, places)
    html = str(markdown.renderer.render(tokens, markdown.options, {}))
    html = html.replace("<table>", '<div class="wide" tabindex="0" role="region" aria-label="table"><table>')
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')  # what scrolls has a stop
    return Document(source, places[source], headings[0] if headings else source, html)


def slug(heading: str) -> str:
    """Return the id of a heading, by GitHub's rule, so that the links in the Markdown hold in both places."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return kept.replace(" ", "-")


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found)
    return found


def _linked(children: Sequence[Token], source: str, places: dict[str, str]) -> list[Token]:
    """Return the parts of a line, with links to documents as links to their pages, and without links to other files."""
    kept: list[Token] = []
    dropped: list[bool] = []
    for token in children:
        if token.type == "link_open":
            address = _address(str(token.attrGet("href")), source, places)
            dropped.append(address is None)
            if address is not None:
                token.attrSet("href", address)
        if (token.type == "link_open" and dropped[-1]) or (token.type == "link_close" and dropped.pop()):
            continue
        kept.append(token)
    return kept


def _address(href: str, source: str, places: dict[str, str]) -> str | None:
    """Return where a link of a document leads in the site; None where the site does not have it."""
    if re.match(r"https?:", href) or href.startswith("#"):
        return href
    path, mark, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target not in places:
        return None
    relative = posixpath.relpath(places[target], posixpath.dirname(places[source]))
    return relative if target == HOME else relative + mark + anchor

"""The documents of the project as pages of the site: docs/ and CONTRIBUTING.md, rendered from Markdown."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks import ROOT

SOURCES = ("CONTRIBUTING.md", "docs/*.md", "docs/decisions/*.md")
HOME = "README.md"
"""What the page of runs stands for."""


@dataclass(frozen=True)
class Document:
    """A document: its path in the site, its title, and its HTML."""

    path: str
    title: str
    html: str


def documents(root: Path = ROOT) -> list[Document]:
    """Return every document of the project; a link to what it does not have is like text."""
    sources = [
        path.relative_to(root).as_posix()
        for pattern in SOURCES
        for path in sorted(root.glob(pattern))
    ]
    pages = {source: source.removesuffix(".md") + ".html" for source in sources}
    # CONTRIBUTING.md lies beside the others
    places = {source: page if "/" in page else f"docs/{page}" for source, page in pages.items()} | {
        HOME: "index.html"
    }
    return [
        _rendered(source, (root / source).read_text(encoding="utf-8"), places) for source in sources
    ]


def _rendered(source: str, text: str, places: Mapping[str, str]) -> Document:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(re.sub(r"(?m)^<!-- .* -->\n", "", text))  # the marks of blocks
    titles: list[str] = []
    for token, inline in pairwise(tokens):
        if "right" in str(
            token.attrs.pop("style", "")
        ):  # the page allows no style of a single cell
            token.attrSet("class", "right")
        if token.type == "heading_open":
            titles.append(slug(inline.content))
            again = titles.count(titles[-1]) - 1
            token.attrSet("id", f"{titles[-1]}-{again}" if again else titles[-1])
        for link in inline.children or []:
            if link.type == "link_open":
                address = _address(str(link.attrs.pop("href", "")), source, places)
                link.attrs |= {"href": address} if address else {}
    html = str(markdown.renderer.render(tokens, markdown.options, {}))
    number = count(1)
    wide = '<div class="wide" tabindex="0" role="region" aria-label="table {}"><table>'
    html = re.sub("<table>", lambda _: wide.format(next(number)), html)
    html = html.replace("<th></th>", "<td></td>")  # a corner without a word heads nothing
    html = html.replace("</table>", "</table></div>").replace(
        "<pre>", '<pre tabindex="0">'
    )  # what scrolls has a stop
    title = next(
        (tokens[k + 1].content for k, token in enumerate(tokens) if token.type == "heading_open"),
        source,
    )
    return Document(places[source], title, html)


def slug(heading: str) -> str:
    """Return the id of a heading, by GitHub's rule, so that the links in the Markdown hold in both places."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return kept.replace(" ", "-")


def _address(href: str, source: str, places: Mapping[str, str]) -> str | None:
    """Return where a link of a document leads in the site; None where the site does not have it."""
    if re.match(r"https?:", href) or href.startswith("#"):
        return href
    path, mark, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target not in places:
        return None
    relative = posixpath.relpath(places[target], posixpath.dirname(places[source]))
    return relative if target == HOME else relative + mark + anchor

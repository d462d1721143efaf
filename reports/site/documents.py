"""The documents of the project as pages of the site: docs/ and CONTRIBUTING.md, rendered from Markdown."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks import ROOT

SOURCES = ("CONTRIBUTING.md", "docs/*.md", "docs/decisions/*.md")
PROGRAMS = "docs/programs/*.py"
"""What the site has as it is, beside these."""
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
    places = {HOME: "index.html"}
    for path in programs(root):
        source = path.relative_to(root).as_posix()
        places[source] = source
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            source = path.relative_to(root).as_posix()
            # CONTRIBUTING.md lies beside the others
            place = source if "/" in source else f"docs/{source}"
            places[source] = place.removesuffix(".md") + ".html"
    return [
        _rendered(root, source, places)
        for source in places
        if source.endswith(".md") and source != HOME
    ]


def programs(root: Path = ROOT) -> list[Path]:
    """Return the files of PROGRAMS."""
    return sorted(root.glob(PROGRAMS))


def _rendered(root: Path, source: str, places: Mapping[str, str]) -> Document:
    text = (root / source).read_text(encoding="utf-8")
    text = re.sub(r"(?m)^<!-- .* -->\n", "", text)  # the marks of blocks
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    headings = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            headings.append(inline.content)
            token.attrSet("id", slug(inline.content))
        # the page allows no style of a single cell
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrSet("class", "right")
        for link in inline.children or []:
            if link.type == "link_open":
                address = _address(str(link.attrs.pop("href")), source, places)
                if address:
                    link.attrSet("href", address)
    html = str(markdown.renderer.render(tokens, markdown.options, {}))
    html = html.replace("<th></th>", "<td></td>")  # a corner without a word heads nothing
    # what scrolls has a stop
    html = html.replace("<pre>", '<pre tabindex="0">')
    start, *tables = html.replace("</table>", "</table></div>").split("<table>")
    for number, table in enumerate(tables, 1):
        region = f'<div class="wide" tabindex="0" role="region" aria-label="table {number}">'
        start += f"{region}<table>{table}"
    return Document(places[source], headings[0], start)


def slug(heading: str) -> str:
    """Return the id of a heading, by GitHub's rule, so that the links in the Markdown hold in both places."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def _address(href: str, source: str, places: Mapping[str, str]) -> str | None:
    """Return where a link of a document leads in the site; None where the site does not have it."""
    if re.match(r"https?:|#", href):
        return href
    path, mark, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target not in places:
        return None
    relative = posixpath.relpath(places[target], posixpath.dirname(places[source]))
    return relative if target == HOME else relative + mark + anchor

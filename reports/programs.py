"""The programs of docs/programs: each shows what a release gets wrong, and fails where it does.

A program's docstring has a sentence with the address of a thread, and lines that begin with one of LINES.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from benchmarks import ROOT
from reports.ways import BAD, named

FOLDER = ROOT / "docs" / "programs"
FAILS, INSTEAD, SHOWS = "Fails with", "Instead", "Shows"
"""How a line begins: with which releases it fails, as pip writes them; what to do instead; and which cells it is about,
such as `torch_lstm_compiled plain -l2-drop, torch_lstm_dynamic -var`; plain is float32 without an option,
and `torch_lstm@AVX2` is a way where newer instructions are kept from it."""
LINES = re.compile(rf"(?m)^({FAILS}|{INSTEAD}|{SHOWS}): (.*(?:\n    .*)*)")
ADDRESS = re.compile(r"\s*(https://\S+)")
DEPENDENCIES = re.compile(r"(?m)^# dependencies = (\[.*\])$")


@dataclass(frozen=True)
class Program:
    """What a program says of itself.

    Attributes:
        claim: what goes wrong, in a sentence.
        thread: the address where it was reported; empty where it was not.
        fails: requirements of the releases with which it fails, in pip's syntax.
        instead: what to do instead.
        shows: the cells of the table that it shows: way, and what the option adds to an id.
        dependencies: what it needs beside torch or jax.
    """

    path: Path
    claim: str
    thread: str
    fails: tuple[str, ...]
    instead: str
    shows: frozenset[tuple[str, str]]
    dependencies: tuple[str, ...]

    def fails_with(self, package: str, release: str) -> bool:
        """Whether it fails with a release of a package."""
        named = [Requirement(text) for text in self.fails]
        return any(each.name == package and each.specifier.contains(release) for each in named)


def read(path: Path) -> Program:
    """Read a program's docstring, without running it."""
    source = path.read_text(encoding="utf-8")
    doc = ast.get_docstring(ast.parse(source)) or ""
    first = doc.partition("\n\n")[0].replace("\n", " ")
    thread = ADDRESS.search(first)
    lines = {name: " ".join(text.split()) for name, text in LINES.findall(doc)}
    shown = set()
    for cell in filter(None, lines.get(SHOWS, "").split(",")):
        way, *suffixes = cell.split()
        for suffix in suffixes:
            shown.add((way, suffix.removeprefix("plain")))
    dependencies = DEPENDENCIES.search(source)
    return Program(
        path=path,
        claim=ADDRESS.sub("", first),
        thread=thread[1] if thread else "",
        fails=tuple(lines[FAILS].split("; ")),
        instead=lines[INSTEAD],
        shows=frozenset(shown),
        dependencies=tuple(ast.literal_eval(dependencies[1])) if dependencies else (),
    )


def programs(folder: Path = FOLDER) -> list[Program]:
    """Return every program, by name."""
    return [read(path) for path in sorted(folder.glob("*.py"))]


def of_row(found: list[Program], row: Any) -> Program | None:
    """Return the program that shows a bad row of ways.table, and fails with its release; None where there is none."""
    if row.outcome not in BAD:
        return None
    for program in found:
        if (named(row), row.suffix) in program.shows and program.fails_with(
            row.library, row.release
        ):
            return program
    return None

"""The programs of docs/programs: each is short, is about a cell of the tables, and fails with the releases it names."""

import ast
import importlib.util
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from impls.core import environments
from reports import programs, ways

PROGRAMS = programs.programs()
MOST_LINES = 15


def code_lines(source):
    """Count the lines that hold code: none of a docstring, a comment or nothing."""
    body = ast.parse(source).body[1:]
    first = body[0].lineno
    lines = source.splitlines()[first - 1 :]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.path.stem)
def test_a_program_is_short(program):
    assert code_lines(program.path.read_text()) <= MOST_LINES


def test_every_cell_that_is_wrong_or_raises_has_a_program_that_fails_with_its_release_and_each_shows_such_a_cell():
    table = ways.table(ways.read())
    table = table[table["by"] == ""]
    bad = table[table["outcome"].isin(ways.BAD)]
    without = [
        (ways.named(row), row.suffix, row.release) for row in bad.itertuples() if not programs.of_row(PROGRAMS, row)
    ]
    assert without == []
    cells = {(ways.named(row), row.suffix) for row in bad.itertuples()}
    shown = {cell for program in PROGRAMS for cell in program.shows}
    assert shown == cells


def python_of(program):
    """The Python that runs a program: this one, or that of an environment with what it needs."""
    missing = [name for name in program.dependencies if importlib.util.find_spec(name) is None]
    if not missing:
        return sys.executable
    package = Requirement(program.fails[0]).name
    return environments.build((package, *program.dependencies), purpose=program.path.stem)


def version_in(python, package):
    """The version of a package in the environment of a Python."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.nightly
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.path.stem)
def test_a_program_fails_with_the_releases_that_it_names_alone(program):
    python = python_of(program)
    done = subprocess.run([python, program.path], capture_output=True, text=True, timeout=600, check=False)
    named = [Requirement(text) for text in program.fails]
    versions = {each.name: version_in(python, each.name) for each in named}
    fails = all(each.specifier.contains(versions[each.name], prereleases=True) for each in named)
    mended = f"{program.path.name} no longer fails with {versions}: name the release in its docstring"
    assert (done.returncode != 0) is fails, done.stderr if done.returncode else mended

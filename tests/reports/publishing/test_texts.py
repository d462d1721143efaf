"""README and docs: their blocks are what the raw files say, and no figure of a measurement stands outside one."""

import re
import sys

import numpy as np
import pytest
import torch

from impls import native
from impls.native import jax as native_jax
from reports.publishing import texts
from reports.publishing.claims import BLOCK
from reports.site import documents
from tests.helpers.processes import ROOT

pytestmark = pytest.mark.texts
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FIGURE = re.compile(
    r"\d[\d.]* ?%? \[\d|\d\.\d+ (?:%|[mµn]?s\b|seconds|minutes|hours|times|×|GiB|MiB|GFLOP)|\d+ of \d{2,}"
)
"""A number with its interval, a quantity with decimals, or a count: settings are round."""


@pytest.fixture(scope="module")
def published():
    return texts.published()


@pytest.mark.parametrize("path", texts.BLOCKS)
def test_the_blocks_of_a_text_are_what_the_raw_files_say(path, published):
    """`nox -s publish` makes them anew."""
    text = (ROOT / path).read_text()
    assert len(BLOCK.findall(text)) == len(texts.BLOCKS[path])
    assert texts.made(path, text, published) == text


@pytest.mark.parametrize("path", texts.FILES)
def test_a_picture_is_what_the_raw_files_say(path, published):
    assert (ROOT / path).read_text() == texts.FILES[path](published)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_figure_of_a_measurement_stands_outside_a_block(path):
    assert FIGURE.findall(BLOCK.sub("", path.read_text())) == []


def test_a_figure_outside_a_block_is_found():
    """The negative control."""
    block = "<!-- a -->\n1.2 [1.1, 1.3]\n<!-- end of a -->"
    for figure in ("0.62 [0.58, 0.66]", "took 1.5 times", "97.5 %", "0 of 4005", "12.7 minutes", "8.67 ms"):
        assert FIGURE.search(BLOCK.sub("", f"{block}\n{figure}"))
    assert not FIGURE.search(BLOCK.sub("", f"{block}\na margin of 2 %, Python 3.11, within 0.25 to 1"))


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md"))], ids=lambda path: path.name
)
def test_every_link_of_a_document_leads_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for href in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, anchor = href.partition("#")
        if re.match(r"https?:", href):
            continue
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), href
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"```.*?```", "", target.read_text(), flags=re.DOTALL))
            assert anchor in map(documents.slug, headings), href


@pytest.mark.process
def test_the_programs_that_show_native_lstm_run(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "native_lstm", native)
    monkeypatch.setitem(sys.modules, "native_lstm.jax", native_jax)
    text = (ROOT / "docs" / "reference.md").read_text()
    first, second = re.findall(r"```python\n([^`]*?native_lstm.*?)```", text, re.DOTALL)
    exec(second, of_jax := {})
    want, _ = of_jax["trained"](torch.zeros(64, 16, 128))
    assert np.abs(np.asarray(of_jax["output"])[:60] - want.detach().numpy()[:60]).max() < 4e-5
    there = {}
    exec(first, there)
    assert capsys.readouterr().out == "native_lstm: float32 on the CPU\n"
    within = torch.arange(64)[:, None] < there["lengths"]
    assert ((there["output"] != 0).any(2) == within).all()

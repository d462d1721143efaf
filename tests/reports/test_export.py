"""table.md and table.tex: every value stays in its cell, and no text becomes markup."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.words import count, listed, markdown_cell
from reports import tables
from reports.report import Report
from reports.run_folder import complete
from reports.summary import summarise
from tests.helpers.markdown import rendered
from tests.helpers.records import failed, record, save, trained

TEX = r"50% of $x_1 & #2 {a}~b^c \end"


def test_latex_takes_no_text_for_markup(tmp_path):
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [failed(TEX + "<b>", r, "error", TEX) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    sections = list(tables.sections(Report(run, summarise(run))))
    written = tables.latex(Report(run, summarise(run)))
    assert r"50\% of \$x\_1 \& \#2 \{a\}\textasciitilde{}b\textasciicircum{}c \textbackslash{}end" in written
    for line in written.splitlines():
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == len(sections[0].columns_with_reason) - 1
    assert written.count(r"\\") >= len(sections[0].rows)


SIGNS = st.text(alphabet="ab <>|&;#*_`~[]()!\\:/1-@$+.wGH=", max_size=20)


@given(SIGNS)
@example("torch_lstm _a_ __b__ a*b*c `x` ~~y~~ <b> &lt; &#35; [a](b) ![c](d) [e]: f a\\|b \\\\")
def test_a_cell_shows_the_text_that_it_was_given(text):
    wanted = html.escape(" ".join(text.split()), quote=False)
    page = rendered(f"| a | b |\n| --- | --- |\n| {markdown_cell(text)} | end |")
    assert re.findall("<td>(.*)</td>", page) == [wanted, "end"]
    item = rendered(f"# h\n\n- {markdown_cell(text) or 'x'}\n- end").splitlines()
    assert item[2] == f"<li>{wanted or 'x'}</li>"
    heading = rendered(f"## a {markdown_cell(text)}\n")
    assert heading == f"<h2>a {wanted}".rstrip() + "</h2>\n"


ALIVE = {
    "link": ("[x](javascript:alert(1))", "x]("),
    "image": ("![x](https://example.com/x.png)", "x]("),
    "code": ("`x`", " `x"),
}


@pytest.mark.parametrize("name", ALIVE)
def test_nothing_is_alive_on_github(name):
    text, alive = ALIVE[name]
    assert alive in f" {text}"
    assert alive not in f" {markdown_cell(text)}"


@pytest.mark.parametrize(
    "text", ["torch_lstm", "6.82 [6.61, 7.05] ms", "× torch_lstm [95 %]", "a < b & c", "t64 · cell"]
)
def test_text_without_markup_gets_no_backslash(text):
    assert markdown_cell(text) == text


def test_the_document_holds_what_the_run_answers(tmp_path):
    rows = trained("torch_lstm", 1e-3, problem="t100-b64-i512-h512")
    rows += trained("torch_script", 3e-3, problem="t100-b64-i512-h512") + trained("base", 1e-3)
    run = save(tmp_path, rows)
    written = tables.markdown(complete(run))
    assert "## What have others published?" in written
    assert re.search(r"\| torch_script over torch_lstm +\|.*\| +3\.0", written)


def test_counts_and_lists_are_words():
    assert [count(number, "block") for number in (0, 1, 2)] == ["0 blocks", "1 block", "2 blocks"]
    assert [count(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert listed(["a", "b"], "or") == "a or b"

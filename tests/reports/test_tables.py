"""Tables as Markdown, LaTeX and CSV: every value stays in its cell, and no text becomes markup."""

import html
import re

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.words import markdown_cell
from reports import tables
from reports.run_folder import complete
from tests.helpers.answers import report_of
from tests.helpers.markdown import rendered
from tests.helpers.records import failed, record, save, trained

TEX = r"50% of $x_1 & #2 {a}~b^c \end"


def test_latex_takes_no_text_for_markup(tmp_path):
    rows = [record("base", 0, 1e-3), failed(TEX + "<b>", 0, "error", TEX)]
    found = report_of(save(tmp_path / "run", rows))
    written = tables.latex(found)
    assert r"50\% of \$x\_1 \& \#2 \{a\}\textasciitilde{}b\textasciicircum{}c \textbackslash{}end" in written
    (section,) = tables.sections(found)
    lines = [line for line in written.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 1 + len(section.rows)
    for line in lines:
        assert line.replace(r"\&", "").count("&") == len(section.columns) - 1


SIGNS = st.text(alphabet="ab <>|&;#*_`~[]()!\\:/1-@$+.wGH=", max_size=20)


@given(SIGNS)
@example("torch_lstm _a_ __b__ a*b*c `x` ~~y~~ <b> &lt; &#35; [a](b) ![c](d) [e]: f a\\|b \\\\")
def test_a_cell_of_markdown_shows_the_text_that_it_was_given(text):
    wanted = html.escape(" ".join(text.split()), quote=False)
    page = rendered(f"| a | b |\n| --- | --- |\n| {markdown_cell(text)} | end |")
    assert re.findall("<td>(.*)</td>", page) == [wanted, "end"]
    item = rendered(f"# h\n\n- {markdown_cell(text) or 'x'}\n- end").splitlines()
    assert item[2] == f"<li>{wanted or 'x'}</li>"
    assert rendered(f"## a {markdown_cell(text)}\n") == f"<h2>a {wanted}".rstrip() + "</h2>\n"


@pytest.mark.parametrize("text", ["torch_lstm", "6.82 [6.61, 7.05] ms", "× torch_lstm [95 %]", "a < b & c"])
def test_text_without_markup_gets_no_backslash(text):
    assert markdown_cell(text) == text


def test_markdown_holds_what_the_run_answers_and_each_reason(tmp_path):
    rows = trained("torch_cell", 1e-3) + trained("torch_cell_compiled", 3e-3) + trained("base", 1e-3)
    rows += [failed("bad", 0, "crashed", "killed by SIGSEGV", workload="sequence", mode="train_step")]
    written = tables.markdown(complete(save(tmp_path, rows)))
    assert "## Is torch.compile worth it?" in written
    assert re.search(r"\| torch_cell_compiled +\| +3\.0", written)
    assert re.search(r"\| bad +\|.*killed by SIGSEGV", written)


def test_csv_holds_the_summary(tmp_path):
    found = report_of(save(tmp_path, [*trained("base", 1e-3), *trained("x", 2e-3)]))
    (tmp_path / "summary.csv").write_text(tables.csv(found.summary))
    read = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False, na_values=[""])
    wanted = found.summary.mask(found.summary == "")
    pd.testing.assert_frame_equal(read, wanted, check_dtype=False, rtol=1e-12)


def test_what_a_gpu_did_has_columns_only_where_it_is_known(tmp_path):
    for known in ({}, {"pipelined_seconds": 4e-4, "gpu_seconds": 3e-4, "gpu_kernels": 129.0}):
        rows = [record("base", r, 1e-3, device="cuda", **known) for r in (0, 1)]
        (section,) = tables.sections(report_of(save(tmp_path / str(len(known)), rows)))
        texts = {column.key: column.cell(section.rows[0]) for column in section.columns}
        found = {key: texts[key] for key in ("pipelined", "gpu") if key in texts}
        assert found == ({"pipelined": "400 µs", "gpu": "300 µs (129)"} if known else {})

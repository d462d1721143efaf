"""table.tex: no text becomes markup."""

from reports import export, tables
from reports.summary import summarise
from tests.helpers.records import failed, record, save

TEX = r"50% of $x_1 & #2 {a}~b^c \end"


def test_latex_takes_no_text_for_markup(tmp_path):
    rows = [record("base", r, 1e-3) for r in (0, 1)]
    rows += [failed(TEX + "<b>", r, "error", TEX) for r in (0, 1)]
    run = save(tmp_path / "run", rows)
    sections = list(tables.sections(summarise(run), "base"))
    written = export.latex_document(run, sections)
    assert r"50\% of \$x\_1 \& \#2 \{a\}\textasciitilde{}b\textasciicircum{}c \textbackslash{}end" in written
    for line in written.splitlines():
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == len(sections[0].columns_with_reason) - 1
    assert written.count(r"\\") >= len(sections[0].rows)

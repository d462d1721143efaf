"""The result of a gate: text from outside is text on the terminal, in Markdown and in JUnit's XML."""

import io
import xml.etree.ElementTree as ET

from benchmarks.regression import report
from benchmarks.regression.decision import GateKey
from benchmarks.regression.findings import Finding
from benchmarks.regression.outcome import REGRESSIONS, UNMEASURED, Result, Standing
from benchmarks.regression.slowdowns import Line, Slowdown
from benchmarks.tables import CleanConsole
from impls.core.operators import Ran
from tests.helpers.markdown import rendered
from tests.helpers.poison import POISON, live


def poisoned():
    """A result all of whose words are poisoned."""
    findings = [
        Finding(GateKey(f"{name} p{POISON}/sequence"), "time", verdict, 1.01, 1.0, 1.02, 0.02, replicates=8, tests=2)
        for name, verdict in ((POISON.replace(" ", ""), "slower"), ("other", "unclear"))
    ]
    kinds = (next(iter(REGRESSIONS)), next(iter(UNMEASURED)), "new")
    profiles = {"operators": [Line(POISON, Ran(1e-3, 1), Ran(2e-3, 1))]}
    profiles["functions"] = [Line(f"mine.py {POISON}", Ran(0.0, 0), Ran(1e-3, 1))]
    standings = [Standing(POISON, kind, f"why {POISON}") for kind in kinds]
    located = {findings[0].benchmark: Slowdown(1e-3, profiles, failure=POISON)}
    return Result(0.02, findings, standings, located=located, left_out=(POISON,))


def test_no_escape_and_no_markup_leaves():
    assert live(POISON)
    written = report.markdown(poisoned(), POISON, POISON, [POISON])
    assert not live(written)
    page = rendered(written)
    assert not any(sign in page for sign in ("<a ", "<img", "<code"))
    assert not any(line.startswith("error") for line in written.splitlines())
    xml = report.junit(poisoned(), POISON)
    assert not live(xml)
    tags = [[child.tag for child in case] for case in ET.fromstring(xml).iter("testcase")]
    assert tags == [["failure"], ["skipped"], ["failure"], ["error"], ["skipped"]]
    stream = io.StringIO()
    report.show(poisoned(), POISON, POISON, CleanConsole(file=stream, width=500))
    assert not live(stream.getvalue())
    assert not any(line.startswith("error") for line in stream.getvalue().splitlines())
    assert "[red]a[/red]" in stream.getvalue()


def test_what_neither_side_has_is_named_on_the_terminal_and_in_the_report():
    result, stream = Result(0.02, left_out=("mine: built.so",)), io.StringIO()
    report.show(result, "title", "line", CleanConsole(file=stream, width=100))
    for text in (stream.getvalue(), report.markdown(result, "title", "line", [])):
        assert "mine: built.so" in text


def test_each_benchmark_has_a_table_with_the_name_of_each_implementation():
    keys = [
        GateKey(f"{name} t1-b1-i1-h1/sequence/{mode}") for mode in ("forward", "backward") for name in ("mine 2", "b")
    ]
    result = Result(0.02, [Finding(key, "time", "same", 1.0, 0.99, 1.01, 0.02, replicates=8, tests=4) for key in keys])
    tables = report.markdown(result, "title", "line", []).split("### ")[1:]
    assert [table.partition("\n")[0].rpartition("/")[2] for table in tables] == ["forward", "backward"]
    assert all("| mine 2 " in table and "| b " in table for table in tables)

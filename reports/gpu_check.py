"""What the tests on a GPU said of the one that a run was measured on, where their results lie beside the run's."""

from __future__ import annotations

from xml.etree import ElementTree

import junitparser

from benchmarks.gpu_check import FILE
from benchmarks.words import listed
from impls.core.files import read_regular
from impls.core.text import one_line
from reports.frames import Run


def summary(run: Run) -> list[str]:
    """Return a line: how many tests passed, and which did not; nothing where there is no readable file."""
    try:
        (suite,) = junitparser.JUnitXml.fromstring(read_regular(run.folder / FILE))
    except (ValueError, ElementTree.ParseError, junitparser.JUnitXmlError):
        return []
    properties = suite.properties()  # type: ignore[no-untyped-call]
    gpu = next((item.value for item in properties if item.name == "gpu"), "no GPU")
    failed = [
        one_line(f"{case.name}: {result.message}", 120)
        for case in suite
        for result in case.result
        if isinstance(result, junitparser.Failure | junitparser.Error)
    ]
    passed = suite.tests - len(failed) - suite.skipped
    said = f"{passed} passed, {len(failed)} failed, {suite.skipped} not reached"
    what = one_line(f"tests/gpu on {gpu}, {(suite.timestamp or '')[:10]}", 120)
    return [f"{what}: {said}" + (f"; failed: {listed(failed)}" if failed else "")]

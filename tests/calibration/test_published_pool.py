"""The gate replayed on the published pool gives the published figures, to the digit."""

import pytest

from benchmarks.calibration import report
from benchmarks.calibration.pool import COPY, Pool
from tests.helpers.processes import ROOT

FOLDER = ROOT / "reports" / "published" / "calibration"


@pytest.fixture(scope="module")
def pool():
    return Pool.load(FOLDER / "pool")


def published(rule):
    """The cells of a rule's row in the published table: false alarms, then what is found at each size."""
    row = next(line for line in (FOLDER / "calibration.md").read_text().splitlines() if line.startswith(f"| {rule} "))
    return [cell.strip() for cell in row.split("|")[2:-1]]


@pytest.mark.slow
def test_the_gate_on_the_published_pool(pool):
    """All 2000 draws of the smallest injected slowdown, whose figure is neither 0 nor 1."""
    side = report.name_of(report.SHARES[0])
    assert str(report.replayed(pool, side, report.DRAWS, seed=1)) == published("this gate")[1]


@pytest.mark.parametrize("rule", report.OTHER_TOOLS)
def test_other_tools_on_the_published_pool(pool, rule):
    share = report.other_tool(pool, COPY, report.OTHER_TOOLS[rule], report.PROCESSES[rule])
    assert str(share) == published(rule)[0]

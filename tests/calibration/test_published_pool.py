"""The gate replayed on the published pool gives the published figures."""

import math

import pytest

from benchmarks.calibration import evidence, report
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.replay import Replay
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
def test_the_gate_on_the_published_pool(pool, monkeypatch):
    """All gates of the smallest slowdown, whose figure is neither 0 nor 1, to the digit; its bounds take too long."""
    monkeypatch.setattr(evidence, "DRAWS", 1)
    held = pool.holding([BASE, COPY])
    draw = evidence.slowed(pool, shift=math.log1p(report.SHARES[0]))
    rate = evidence.rate(Replay(pool, report.MARGIN), held, draw, evidence.found, report.GATES, 1, seed=2)
    assert report.percent(rate.rate) == published(f"{report.OURS}, exact sizes")[1].partition(" [")[0]


@pytest.mark.parametrize("rule", report.OTHER_TOOLS)
def test_other_tools_on_the_published_pool(pool, rule):
    tool = report.OTHER_TOOLS[rule]
    share = report.other_tool(pool, COPY, tool, tool.windows(pool.holding([BASE, COPY]), pool.sessions))
    assert ("–" if share is None else report.percent(share)) == published(rule)[0].rstrip(report.SPANNING)

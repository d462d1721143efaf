"""An arm that is opened in a replicate is the one that was admitted: its environment has the same versions."""

import random
from types import SimpleNamespace

import pytest

from benchmarks.cases import Benchmark
from benchmarks.progress import Stopwatch
from benchmarks.record import Record
from benchmarks.runner.blocks import Entry, Replicate
from benchmarks.worker import requests
from benchmarks.worker.timing import Plan

BENCHMARK = Benchmark.parse("t4-b2-i8-h8/sequence/forward")
KEY = ("run", "torch_lstm")


class Started:
    """An arm whose worker has started with these versions, and opens everything."""

    alive = True

    def __init__(self, versions):
        self.ready = SimpleNamespace(versions=versions, base_bytes=2**26)
        self.asked = []

    def ensure_running(self):
        pass

    def ask(self, request):
        self.asked.append(request)
        return requests.Opened(0.25, 0.25, {"loading": 2.0**20})


@pytest.mark.parametrize(
    ("now", "reasons"),
    [("torch 2.9.0", []), ("torch 2.9.1", ["error: admitted with torch 2.9.0, now it has torch 2.9.1"])],
)
def test_an_arm_with_other_versions_than_at_its_admission_is_not_measured(now, reasons):
    """Its environment may have been built anew in the meantime."""
    arm = Started(now)
    row = Record(
        run_id="r", implementation="torch_lstm", problem="t4-b2-i8-h8", workload="sequence", mode="forward",
        replicate=0, versions="torch 2.9.0",
    )  # fmt: skip
    entry = Entry(BENCHMARK, arm, Plan(3, 1), row, "expected")
    opening = requests.Open(BENCHMARK.id, 0, None, 0)
    replicate = Replicate([{KEY: entry}], lambda benchmark: opening, 3, random.Random(0), Stopwatch())
    replicate.open(entry)
    assert [(failed, str(failure)) for failed, failure in replicate.failed] == [(row, reason) for reason in reasons]
    assert arm.asked == ([] if reasons else [opening])
    assert entry.is_open == (not reasons)
    assert row.turns == (None if reasons else [])

"""What a GPU does in a call, by a CUPTI that is made up."""

import sys
from types import SimpleNamespace

import pytest

from benchmarks.worker import tracing

KINDS = SimpleNamespace(CONCURRENT_KERNEL=10, MEMCPY=1, MEMSET=2)


class Cupti:
    """CUPTI's functions that are used. `does` has what the GPU does: kind, start and end in nanoseconds."""

    ActivityKind = KINDS
    cuptiError = type("cuptiError", (Exception,), {})

    def __init__(self, does=(), refuses=None):
        self.does, self.refuses, self.asked = does, refuses, []

    def activity_register_callbacks(self, requested, completed):
        self.completed = completed
        assert requested()[0] > 2**20

    def activity_enable(self, kind):
        if kind == self.refuses:
            raise self.cuptiError("another profiler")
        self.asked.append(("on", kind))

    def activity_disable(self, kind):
        self.asked.append(("off", kind))

    def activity_flush_all(self, flag):
        assert flag == 1
        self.asked.append("flushed")
        self.completed([SimpleNamespace(kind=kind, start=start, end=end) for kind, start, end in self.does])

    def finalize(self):
        self.asked.append("ended")


def traced(monkeypatch, cupti, work=lambda: None, calls=1):
    """Trace work where CUPTI's package is this one."""
    monkeypatch.setitem(sys.modules, "cupti", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupti.cupti", cupti)
    return tracing.traced(work, calls)


def test_kernels_and_copies_are_work_and_only_kernels_are_counted(monkeypatch):
    cupti = Cupti([(10, 0, 1000), (10, 500, 2000), (1, 600, 800), (1, 5000, 6000), (77, 0, 9000)])
    order = []
    found = traced(monkeypatch, cupti, lambda: order.append(list(cupti.asked)), calls=2)
    assert found == (pytest.approx(1.5e-6), 1)
    assert order == [[("on", 10), ("on", 1), ("on", 2)]]
    assert cupti.asked[3:] == ["flushed", ("off", 2), ("off", 1), ("off", 10), "ended"]


def test_where_another_profiler_watches_nothing_is_known_and_only_what_was_begun_is_ended(monkeypatch):
    cupti = Cupti(refuses=1)
    assert traced(monkeypatch, cupti, lambda: pytest.fail("must not be measured")) == (None, None)
    assert cupti.asked == [("on", 10), ("off", 10), "ended"]
    cupti = Cupti(refuses=10)
    assert traced(monkeypatch, cupti) == (None, None)
    assert cupti.asked == []  # finalize would end the other one's


def test_work_that_fails_ends_the_trace_and_nothing_that_was_seen_is_no_time(monkeypatch):
    assert traced(monkeypatch, Cupti()) == (None, None)
    cupti = Cupti()
    assert traced(monkeypatch, cupti, lambda: 1 / 0) == (None, None)
    assert cupti.asked[-1] == "ended"


def test_without_the_package_nothing_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupti.cupti", None)
    assert tracing.traced(lambda: pytest.fail("must not be called"), 1) == (None, None)

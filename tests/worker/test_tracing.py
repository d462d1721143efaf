"""What a GPU does in a call, by a CUPTI that is made up."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.worker import tracing

KINDS = SimpleNamespace(CONCURRENT_KERNEL=10, MEMCPY=1, MEMSET=2)


class Cupti:
    """CUPTI's functions that are used. `does` has what the GPU does: kind, start and end in nanoseconds."""

    ActivityKind = KINDS
    cuptiError = type("cuptiError", (Exception,), {})

    def __init__(self, does=(), refuses=None, fails=()):
        self.does, self.refuses, self.fails, self.asked = does, refuses, fails, []

    def note(self, what, name):
        self.asked.append(what)
        if name in self.fails:
            raise NotImplementedError(name)

    def activity_register_callbacks(self, requested, completed):
        self.completed = completed
        assert requested()[0] > 2**20

    def activity_enable(self, kind):
        if kind == self.refuses:
            raise self.cuptiError("another profiler")
        self.note(("on", kind), "enable")

    def activity_disable(self, kind):
        self.note(("off", kind), "disable")

    def activity_flush_all(self, flag):
        assert flag == 1
        self.note("flushed", "flush")
        self.completed([SimpleNamespace(kind=kind, start=start, end=end) for kind, start, end in self.does])

    def finalize(self):
        self.note("ended", "finalize")


def test_kernels_and_copies_are_work_and_only_kernels_are_counted():
    cupti = Cupti([(10, 0, 1000), (10, 500, 2000), (1, 5000, 6000), (77, 0, 9000)])
    order = []
    found = tracing.traced(cupti, lambda: order.append(list(cupti.asked)))
    assert found == tracing.Traced(pytest.approx(3e-6), 2)
    assert order == [[("on", 10), ("on", 1), ("on", 2)]]
    assert cupti.asked[3:] == ["flushed", ("off", 2), ("off", 1), ("off", 10), "ended"]


def test_nothing_that_was_seen_is_no_time():
    assert tracing.traced(Cupti([]), lambda: None) is None


def test_where_another_profiler_watches_nothing_is_known_and_only_what_was_begun_is_ended():
    cupti = Cupti(refuses=1)
    assert tracing.traced(cupti, lambda: pytest.fail("must not be measured")) is None
    assert cupti.asked == [("on", 10), ("off", 10), "ended"]
    cupti = Cupti(refuses=10)
    assert tracing.traced(cupti, lambda: pytest.fail("must not be measured")) is None
    assert cupti.asked == []  # finalize would end the other one's


@pytest.mark.parametrize("name", ["enable", "disable", "flush", "finalize"])
def test_a_fault_of_cupti_is_no_time_and_no_error(name):
    cupti = Cupti([(10, 0, 1000)], fails=[name])
    assert tracing.traced(cupti, lambda: None) is None
    assert cupti.asked[-1:] == ([("on", 10)] if name == "enable" else ["ended"])


def test_the_binding_is_a_module_of_its_own_in_its_package(tmp_path, monkeypatch):
    (tmp_path / "cupti").mkdir()
    (tmp_path / "cupti" / "__init__.py").touch()
    (tmp_path / "cupti" / "cupti.py").write_text("here = 1")
    monkeypatch.syspath_prepend(tmp_path)
    assert tracing.library().here == 1


def test_work_that_fails_ends_the_trace():
    cupti = Cupti()
    assert tracing.traced(cupti, lambda: 1 / 0) is None
    assert cupti.asked[-1] == "ended"


def test_without_the_package_there_is_no_library(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(tracing.importlib, "import_module", missing)
    assert tracing.library() is None


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=20))
def test_the_busy_time_is_the_number_of_moments_that_an_interval_covers(pairs):
    intervals = [(start, start + length) for start, length in pairs]
    covered = {moment for start, end in intervals for moment in range(start, end)}
    assert tracing.busy(intervals) == len(covered)

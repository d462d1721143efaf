"""The round trip of a cache line between two processors."""

import multiprocessing
import os

import pytest

from benchmarks.runner import round_trip

CORES = sorted(os.sched_getaffinity(0))
pytestmark = [pytest.mark.process, pytest.mark.skipif(len(CORES) < 2, reason="it takes two processors")]


def test_a_round_trip_takes_what_two_processors_need():
    """Less than a hundredth of it would be no trip, and within a processor there is none."""
    least = min(filter(None, (round_trip.seconds(CORES) for _ in range(50))))
    assert 5e-9 < least < 5e-6
    assert round_trip.seconds(CORES[:1]) is None


def test_one_processor_needs_no_compiler(monkeypatch):
    monkeypatch.setattr(round_trip, "_measure", lambda: pytest.fail("it was compiled"))
    assert round_trip.seconds(CORES[:1]) is None


def test_it_ends_where_a_processor_is_taken_away(monkeypatch):
    """Then the time is up before the first batch of trips has come to its end."""
    monkeypatch.setattr(round_trip, "MOST_SECONDS", 0.0)
    assert None in [round_trip.seconds(CORES) for _ in range(50)]


def test_without_a_compiler_it_is_not_known(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(round_trip.seconds, (CORES,)) is None

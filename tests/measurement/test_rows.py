"""Rows whose time cannot be true beside the floor's."""

import msgspec

from benchmarks.measurement.rows import below_floor
from benchmarks.measurement.timing import Turn
from benchmarks.record import Record
from tests.helpers.records import record


def row(name, *samples):
    made = msgspec.convert(record(name, 0, sorted(samples)[len(samples) // 2]), Record)
    made.turns = [Turn(seconds=sample, samples=[sample]) for sample in samples]
    return made


def test_a_floor_that_was_disturbed_accuses_nobody():
    """Beside other work, the floor's median was forty times its least sample. Sixteen honest rows were accused."""
    floor, honest = row("floor", 0.00024, 0.010, 0.012), row("honest", 0.0004, 0.0004, 0.0005)
    assert below_floor([floor, honest]) == []


def test_a_time_far_below_the_quickest_floor_cannot_be_true():
    rows = [row("floor", 0.00024, 0.010, 0.012), row("dishonest", 1e-6, 1e-6, 2e-6)]
    assert [(one.implementation, failure.status) for one, failure in below_floor(rows)] == [("dishonest", "error")]

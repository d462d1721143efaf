"""Which turns of a replicate are checked."""

import random

import pytest

from benchmarks.measurement.blocks import CHECKED, Replicate
from benchmarks.stopwatch import Stopwatch


@pytest.fixture
def replicate():
    found = Replicate([], lambda benchmark: None, 3, random.Random(0), Stopwatch())
    found.chance = random.Random(1)  # what is random here must not be so in a test
    return found


def test_the_first_and_the_last_turn_begin_with_different_inputs_and_are_checked(replicate):
    for updates in (False, True):
        assert replicate.check_of(0, 6, updates) == (0, True)
        assert replicate.check_of(5, 6, updates) == (1, True)


def test_turns_between_are_checked_at_random_on_the_inputs_that_they_have(replicate):
    found = [replicate.check_of(3, 6, updates=False) for _ in range(4000)]
    assert abs(sum(checked for _, checked in found) / 4000 - CHECKED) < 0.03
    assert {inputs for inputs, _ in found} == {None}


def test_a_step_that_changes_parameters_is_checked_on_new_inputs_only(replicate):
    found = [replicate.check_of(3, 6, updates=True) for _ in range(1000)]
    assert (None, True) not in found
    assert {(0, True), (1, True), (None, False)} == set(found)

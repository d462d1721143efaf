"""No file can know its inputs in advance, not even one that knows the seed of the run."""

import random

import pytest

from benchmarks.progress import Stopwatch
from benchmarks.runner.blocks import Replicate
from benchmarks.runner.sides import Side, Version
from impls.core import registry
from tests.helpers.sessions import BENCHMARK, admission, session_of


@pytest.fixture
def foreseen():
    """Let Python's own random numbers be those that everybody knows."""
    state = random.getstate()
    yield lambda: random.seed(0)
    random.setstate(state)


def test_every_replicate_has_inputs_of_its_own(tmp_path, foreseen):
    """The only arm was refused, so that a replicate has its row and starts no worker."""
    seeds = set()
    for _ in range(2):
        session = session_of(tmp_path, Side("run", {"torch_lstm": Version(registry.resolve("torch_lstm"))}))
        session.admissions["run", "torch_lstm", BENCHMARK] = admission("torch_lstm", "crashed", "SIGSEGV")
        for number in range(2):
            foreseen()
            (row,) = session.replicate(number, 1)
            seeds.add(row.input_seed)
    assert len(seeds) == 4


def test_every_admission_has_inputs_of_its_own(tmp_path, foreseen):
    """What is expected is that of the inputs. The only file cannot be read, so that no worker is started."""
    found = set()
    for _ in range(2):
        foreseen()
        session_of(tmp_path, Side("run", {}, {"mine": "it cannot be read"})).admit()
        found.add((tmp_path / "expected-0.float64").read_bytes())
    assert len(found) == 2


def test_which_turns_are_checked_does_not_follow_from_a_seed(foreseen):
    found = []
    for _ in range(2):
        foreseen()
        replicate = Replicate([], lambda benchmark: None, 3, random.Random(0), Stopwatch())
        assert isinstance(replicate.chance, random.SystemRandom)
        found.append([replicate.check_of(3, updates=True) for _ in range(200)])
    assert found[0] != found[1]

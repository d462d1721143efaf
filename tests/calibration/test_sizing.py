"""Injected slowdowns are sized before they are used."""

import itertools

import numpy as np
import pytest

from benchmarks.calibration import sizing
from benchmarks.calibration.injection import inject
from benchmarks.measurement.timing import Plan, Turn
from benchmarks.regression import snapshots
from impls.core import registry
from tests.helpers.processes import ROOT


def simulated(factor, noise, seed=0):
    """A batch of a call that gets longer by `factor` times the work, measured with this noise."""
    rng, asked = np.random.default_rng(seed), []

    def take(work):
        asked.append(work)
        return factor * work + rng.normal(0, noise)

    return take, asked


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.16, 1.5])
def test_the_work_is_set_until_the_size_is_what_was_meant(factor):
    """Of 100 sizings, at most 10 end further than the wanted half-width from the truth: 95 % intervals."""
    missed = 0
    for seed in range(100):
        take, asked = simulated(factor, 0.002, seed)
        found = sizing.size(take)
        assert found.half <= sizing.HALF
        assert len(asked) == found.batches
        missed += abs(sizing.SHARE * factor / found.factor - sizing.SHARE) > sizing.HALF
    assert missed <= 10


def test_it_ends_where_noise_is_too_large_and_says_how_well_it_knows():
    found = sizing.size(simulated(1.0, 0.05)[0])
    assert found.batches == sizing.MOST
    assert found.half > sizing.HALF


def test_a_disturbed_batch_cannot_ask_for_endless_work():
    take, asked = simulated(-3.0, 0.0)
    sizing.size(take)
    assert max(asked) <= sizing.SHARE / sizing.LEAST_FACTOR


def test_a_batch_compares_the_shorter_of_two_turns(monkeypatch):
    """A call of 1 ms whose every third turn is disturbed, and one that is longer by 1.2 times its work."""

    class Slowed:
        share = 0.0

        def call(self, state):
            pass

    slowed, turns = Slowed(), itertools.count()

    def turn(call, state, how):
        seconds = 1e-3 * (1 + 1.2 * slowed.share * (call is slowed)) * (1.5 if next(turns) % 3 == 0 else 1.0)
        return Turn(seconds=seconds), None

    monkeypatch.setattr(sizing.timing, "turn", turn)
    monkeypatch.setattr(sizing.timing, "estimate", lambda *_: 1e-3)
    monkeypatch.setattr(sizing.timing, "plan", lambda *_: Plan(1, 1))
    take = sizing.batches(slowed, None, 0.016, np.random.default_rng(0))
    assert take(0.03) == pytest.approx(0.036)


def test_sizes_are_kept(tmp_path):
    path = tmp_path / "sizes.json"
    assert sizing.stored(path) == {}
    sizes = {"memory": {"jax_scan forward": sizing.Size(1.2, 0.001, 9)}}
    sizing.store(path, sizes)
    assert sizing.stored(path) == sizes


@pytest.fixture
def place():
    root = snapshots.of_working_tree(ROOT / "impls", "impls")
    return snapshots.changed(root, {"numpy_lstm": lambda source: inject(source, sizing.SHARE, "memory", ["forward"])})


def request(place, **changes):
    path = str(place / "impls" / "numpy_lstm.py")
    given = {"benchmark": "t2-b2-i4-h4/sequence/forward", "device": "cpu", "cores": (0,)}
    given |= {"turn_seconds": 0.0005, "seed": 1, **changes}
    return registry.read(place / "impls" / "numpy_lstm.py"), place, sizing.Request(path=path, **given)


@pytest.mark.slow
def test_an_implementation_is_sized_in_a_process_of_its_own(place, tmp_path):
    found = sizing.size_apart(*request(place), tmp_path, lambda _: None)
    assert sizing.FEWEST <= found.batches <= sizing.MOST
    assert 0 < found.half < 1


@pytest.mark.slow
def test_what_went_wrong_is_told(place, tmp_path):
    with pytest.raises(RuntimeError, match="has no attribute"):
        sizing.size_apart(*request(place, benchmark="t2-b2-i4-h4/sequence/backward"), tmp_path, lambda _: None)

"""Injected slowdowns are sized before they are used."""

import itertools
import math
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.calibration import command, measuring, sizing
from benchmarks.calibration.injection import KINDS, inject
from benchmarks.calibration.subject import Subject
from benchmarks.regression import snapshots
from benchmarks.runner.sides import version_of
from benchmarks.worker.timing import Plan, Turn
from impls.core import registry
from impls.core.contract import MODES
from tests.helpers.processes import ROOT
from tests.helpers.sizes import size_of


def simulated(offset, factor, noise, seed=0, between=0.0):
    """A call that gets longer by offset + factor · work, measured with this noise; `between` is that of processes."""
    rng, asked = np.random.default_rng(seed), []

    def take(amounts):
        asked.append(amounts)
        process = rng.normal(0, between)
        return [offset + factor * work + process + rng.normal(0, noise) for work in amounts]

    return take, asked


@pytest.mark.parametrize(("offset", "factor"), [(0.0, 0.9), (0.0, 1.5), (0.001, 0.95), (-0.001, 1.16)])
def test_the_work_is_set_until_both_sizes_are_what_was_meant(offset, factor):
    """Of 100 sizings, at most 10 end further than the wanted half-width from the truth: 95 % intervals."""
    missed = dict.fromkeys((0.02, 0.03, 0.05), 0)
    for seed in range(100):
        take, asked = simulated(offset, factor, 0.002, seed)
        found = sizing.size(take)
        assert found.half <= sizing.HALF
        assert len(asked) == found.processes
        for share in missed:
            missed[share] += abs(offset + factor * found.amount(share) - share) > sizing.HALF
    assert max(missed.values()) <= 10


def test_a_line_through_nothing_would_miss_the_smaller_size():
    """As the sizing at 5 % alone did: what does not grow with the work is then in the factor."""
    take, _ = simulated(0.001, 0.95, 1e-6)
    found = sizing.size(take)
    proportional = 0.02 * found.amount(0.05) / 0.05
    assert abs(0.001 + 0.95 * proportional - 0.02) > 5e-4
    assert abs(0.001 + 0.95 * found.amount(0.02) - 0.02) < 1e-5


def test_what_differs_between_processes_widens_the_interval():
    alike = sizing.size(simulated(0.0, 1.0, 1e-4, between=0.0)[0])
    apart = sizing.size(simulated(0.0, 1.0, 1e-4, between=0.003)[0])
    assert alike.processes == sizing.FEWEST
    assert apart.processes > sizing.FEWEST


def test_it_ends_where_noise_is_too_large_and_says_how_well_it_knows():
    found = sizing.size(simulated(0.0, 1.0, 0.05)[0])
    assert found.processes == sizing.MOST
    assert found.half > sizing.HALF


@pytest.mark.parametrize("factor", [-3.0, 0.0, 100.0])
def test_a_disturbed_process_cannot_ask_for_endless_work_or_for_none(factor):
    take, asked = simulated(0.0, factor, 0.0)
    sizing.size(take)
    for amounts in asked:
        for work, share in zip(amounts, sizing.ENDS, strict=True):
            assert share / sizing.MOST_FACTOR <= work <= share / sizing.LEAST_FACTOR


def test_the_middle_is_hardly_moved_by_disturbed_values_and_spreads_less_than_a_median():
    rng = np.random.default_rng(0)
    disturbed = [*rng.normal(0, 1, 90), *[50.0] * 10]
    assert abs(sizing.middle(disturbed)) < 0.4
    assert sizing.middle([3.0]) == 3
    assert sizing.middle([1.0, 2.0]) == 1.5
    draws = rng.normal(0, 1, (400, 100))
    assert np.std([sizing.middle(draw) for draw in draws]) < 0.92 * np.std(np.median(draws, axis=1))


def test_a_process_compares_the_shorter_of_two_turns(monkeypatch):
    """A call of 1 ms that is longer by 1.2 times its work; with work, it is disturbed in one half of each block."""

    class Slowed:
        share = 0.0

        def call(self, state):
            pass

    slowed, turns, seen = Slowed(), itertools.count(), []

    def turn(call, state, how):
        number = next(turns)
        block, half = number // 6, number // 3 % 2
        disturbed = slowed.share > 0 and half == block % 2
        seen.append((call, slowed.share))
        return Turn(seconds=1e-3 * (1 + 1.2 * slowed.share) * (1.5 if disturbed else 1.0)), None

    monkeypatch.setattr(sizing.timing, "turn", turn)
    monkeypatch.setattr(sizing.timing, "estimate", lambda *_: 1e-3)
    monkeypatch.setattr(sizing.timing, "plan", lambda *_: Plan(1, 1))
    longer = sizing.longer_by(slowed, None, (0.03, 0.05), 0.016, np.random.default_rng(0))
    assert longer == pytest.approx([0.036, 0.06])
    assert {call for call, _ in seen} == {slowed}, "the call without work goes through the same function"
    assert {share for _, share in seen[:6]} == {0.0, 0.03, 0.05}


def test_a_sizing_that_was_stopped_goes_on_where_it_was():
    """It asks for the same work, and finds the same, as one that was not stopped."""
    whole, never_stopped = simulated(0.001, 1.1, 0.002)
    found = sizing.size(whole)
    again, stopped = simulated(0.001, 1.1, 0.002)
    kept = []

    def dies(amounts):
        if len(stopped) == 5:
            raise KeyboardInterrupt
        return again(amounts)

    with pytest.raises(KeyboardInterrupt):
        sizing.size(dies, keep=kept.append)
    assert [size.processes for size in kept] == [1, 2, 3, 4, 5]
    assert sizing.size(again, found=kept[-1]) == found
    assert stopped == never_stopped


def test_a_sizing_goes_on_to_a_narrower_interval():
    take, asked = simulated(0.0, 1.0, 0.004)
    rough = sizing.size(take, half=0.003)
    fine = sizing.size(take, found=rough)
    assert sizing.HALF < rough.half <= 0.003
    assert fine.half <= sizing.HALF
    assert len(asked) == fine.processes > rough.processes
    assert fine.taken[: rough.processes] == rough.taken


def test_sizes_are_kept(tmp_path):
    path = tmp_path / "sizes.json"
    assert sizing.stored(path) == {}
    sizes = {"memory": {"jax_scan forward": sizing.size(simulated(0.001, 1.2, 0.001)[0])}}
    sizing.store(path, sizes)
    assert sizing.stored(path) == sizes
    for text in ("", "[]", '{"memory": {"jax_scan forward": {"taken": [[[0.02], [0.02, 0.05]]]}}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} is damaged: "):
            sizing.stored(path)


class Processes:
    """Stand for the fresh processes of size_work: the work takes its own time, and every other process a bit more.

    spread: that bit. dies_at: the sizing at which the first process is interrupted. begun: what each sizing went on
    from: kind of work, mode, processes.
    """

    def __init__(self):
        self.spread, self.dies_at, self.begun = 0.0, math.inf, []

    def size_apart(self, version, request, cache, half, found, keep):
        work = next(kind for kind in KINDS if repr(kind) in version.implementation.path.read_text())
        self.begun.append((work, request.benchmark.rpartition("/")[2], found.processes))
        numbers = itertools.count()

        def take(amounts):
            if len(self.begun) == self.dies_at:
                raise KeyboardInterrupt
            more = self.spread * (next(numbers) % 2)
            return [amount + more for amount in amounts]

        return sizing.size(take, half, found, keep)


@pytest.fixture
def processes(monkeypatch):
    stand_in = Processes()
    monkeypatch.setattr(sizing, "size_apart", stand_in.size_apart)
    return stand_in


def size_work(folder, modes, half=sizing.HALF):
    measuring.size_work(folder, Subject(("torch_lstm",), "t4-b2-i8-h8", modes), 1, lambda *_: None, half=half)
    return sizing.stored(folder / measuring.SIZES)


def test_what_was_sized_is_not_measured_again(processes, tmp_path):
    processes.dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        size_work(tmp_path, MODES[:2])
    first, second = MODES[:2]
    assert {work: list(known) for work, known in sizing.stored(tmp_path / measuring.SIZES).items()} == {
        "arithmetic": [f"torch_lstm {first}", f"torch_lstm {second}"]
    }
    processes.dies_at, processes.begun = math.inf, []
    sizes = size_work(tmp_path, MODES[:2])
    assert processes.begun == [("memory", first, 0), ("memory", second, 0)]
    assert {size.processes for known in sizes.values() for size in known.values()} == {sizing.FEWEST}
    processes.begun = []
    assert size_work(tmp_path, MODES[:2]) == sizes
    assert processes.begun == []


def test_what_has_too_few_processes_is_sized_first_and_what_is_not_near_goes_on(processes, tmp_path, capsys):
    key, path = "torch_lstm forward", tmp_path / measuring.SIZES
    rough, stopped = size_of(0.0, 1.0, 0.01, 10), size_of(0.0, 1.0, 0.0, 2)
    sizing.store(path, {"arithmetic": {key: rough}, "memory": {key: stopped}})
    processes.spread = 0.01
    sizes = size_work(tmp_path, ("forward",), half=0.008)
    assert processes.begun == [("memory", "forward", 2), ("arithmetic", "forward", 10)]
    assert sizes["arithmetic"][key].taken[:10] == rough.taken
    assert capsys.readouterr().err == ""
    size_work(tmp_path, ("forward",), half=1e-6)
    assert f"warning: memory work in {key} is sized to within " in capsys.readouterr().err


def test_how_near_needs_a_sizing():
    done = CliRunner().invoke(command.calibrate, ["--size-within", "0.2"])
    assert done.exit_code == 2
    assert "--size-within needs --size" in done.output


def injected(source):
    return inject(source, 0.05, "memory", ["forward"])


def inert(source):
    """The same, whose work takes no time, whatever its share is."""
    due = "until = now + self.share * (now - start)"
    assert due in injected(source)
    return injected(source).replace(due, "until = now")


def placed(change):
    return snapshots.changed(snapshots.of_working_tree(ROOT / "impls", "impls"), {"impls/numpy_lstm.py": change})


def request(place, **changes):
    path = str(place / "impls" / "numpy_lstm.py")
    given = {"benchmark": "t10-b2-i4-h4/sequence/forward", "device": "cpu", "cores": (min(os.sched_getaffinity(0)),)}
    given |= {"turn_seconds": 0.0005, "seed": 1, **changes}
    return version_of(registry.read(place / "impls" / "numpy_lstm.py"), place), sizing.Request(path=path, **given)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("change", "low", "high"), [(injected, 0.5, 3.0), (inert, -0.3, 0.3)])
def test_an_implementation_is_sized_in_processes_of_its_own(change, low, high, tmp_path, monkeypatch):
    monkeypatch.setattr(sizing, "FEWEST", 3)
    monkeypatch.setattr(sizing, "MOST", 3)
    monkeypatch.setattr(sizing, "ENDS", (0.2, 0.5))  # far above the noise of so short a call
    found = sizing.size_apart(*request(placed(change)), tmp_path)
    assert low < found.line[1] < high
    assert found.processes == 3


@pytest.mark.slow
def test_what_went_wrong_is_told(tmp_path):
    wanted = request(placed(injected), benchmark="t2-b2-i4-h4/sequence/backward")
    with pytest.raises(RuntimeError, match="has no attribute"):
        sizing.size_apart(*wanted, tmp_path)

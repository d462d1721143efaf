"""What a worker does when the runner asks, in this process: results are opened, checked, timed and compared."""

import contextlib
import dataclasses
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.cases import Benchmark
from benchmarks.judge import agreement, sanity
from benchmarks.judge.expected import key_of, saved, write_expected
from benchmarks.worker import protocol, requests, timing
from benchmarks.worker.devices import Cpu
from benchmarks.worker.worker import Worker
from impls.core import reference
from impls.core.problem import Problem
from impls.core.weights import make_inputs, make_weights

NAME = "t3-b2-i3-h2/model/train_step"
SEED = 3


def worker_of(prepare=reference.prepare):
    """A worker that has imported this as its implementation."""
    worker = object.__new__(Worker)
    worker.module, worker.device, worker.hardware = SimpleNamespace(prepare=prepare), "cpu", Cpu()
    worker.files = None
    worker.opened, worker.seed, worker.made = {}, 0, None
    worker.controller = SimpleNamespace(lib_controllers=[SimpleNamespace(num_threads=2)])
    return worker


def changed(change):
    """The reference, whose results are read as changed ones."""

    def prepare(*arguments):
        right = reference.prepare(*arguments)
        return dataclasses.replace(right, to_numpy=lambda mode, result: change(right.to_numpy(mode, result)))

    return prepare


def open_in(worker, name=NAME, weights=None):
    return requests.Open(name, SEED, weights, 7).do(worker)


def worker_of_open():
    worker = worker_of()
    open_in(worker)
    return worker


def expected_in(folder, *names, zero_states=agreement.ADMISSION, steps=None):
    benchmarks = [Benchmark.parse(name) for name in names]
    files = write_expected(benchmarks, SEED, None, folder, 7, zero_states, steps)
    return [str(files[key_of(benchmark)]) for benchmark in benchmarks]


def test_a_request_goes_through_a_line_and_knows_its_answer():
    request = requests.Open(NAME, SEED, None, 7)
    text = protocol.line(request)
    assert (protocol.read_request(text), text.index(b"\n")) == (request, len(text) - 1)
    assert (requests.Open.answer_type(), requests.Close.answer_type()) == (requests.Opened, type(None))


def test_what_opens_a_benchmark_is_two_calls_their_first_warning_and_what_was_compiled_before():
    calls = []

    def prepare(*arguments):
        def warned(state):
            calls.append(warnings.warn("x" * 300, stacklevel=1))
            return right.train_step(state)

        right = reference.prepare(*arguments)
        return dataclasses.replace(right, train_step=warned, compiled_before=lambda: 9.5)

    opened = open_in(worker_of(prepare))
    assert (opened.warning, opened.compiled_before_seconds, len(calls)) == ("x" * 199 + "…", 9.5, 2)
    assert open_in(worker_of()).warning is None


def test_a_benchmark_is_opened_checked_and_closed(tmp_path):
    worker, (file,) = worker_of(), expected_in(tmp_path, NAME)
    assert {name.rpartition("/")[0] for name in saved(file)} >= {"0/1", "0/3", "1/1", "1/3"}
    opened = open_in(worker)
    assert worker.made[0][-1] == 2  # a set of inputs that no turn gets
    assert opened.first_call_seconds > 0
    assert opened.peak_bytes >= 0
    checked = requests.Check(NAME, file, every_mode=True).do(worker)
    assert (checked.error, checked.modes) == (0, ["forward", "forward_train", "backward", "train_step"])
    assert requests.Check(NAME, file).do(worker).modes == ["train_step"]
    prepared = dataclasses.replace(worker.opened[NAME].prepared, backward=None)
    worker.opened[NAME].prepared = prepared
    assert "backward" not in requests.Check(NAME, file, every_mode=True).do(worker).modes
    requests.Close(NAME).do(worker)
    assert worker.opened == {}
    wrong = worker_of(changed(lambda results: {**results, "loss": results["loss"] + 1e-3}))
    open_in(wrong)
    with pytest.raises(agreement.Disagrees, match="loss"):
        requests.Check(NAME, file).do(wrong)
    sequence, (file,) = NAME.replace("model", "sequence"), expected_in(tmp_path, NAME.replace("model", "sequence"))
    open_in(worker, sequence)
    assert requests.Check(sequence, file).do(worker).error == 0
    worker.seed = 8  # other inputs than those of the file
    with pytest.raises(agreement.Disagrees):
        requests.Check(sequence, file).do(worker)


def test_weights_are_those_of_the_file_that_is_given_and_random_ones_where_it_has_none(tmp_path):
    path, seen = tmp_path / "mine.npz", {}
    given = make_weights(Problem.parse("t3-b2-i3-h2"), seed=SEED + 1)
    np.savez(path, **given)

    def prepare(problem, weights, *rest):
        seen.update(weights)
        return reference.prepare(problem, weights, *rest)

    open_in(worker_of(prepare), weights=str(path))
    assert all((seen[name] == given[name]).all() for name in given)
    assert set(seen) == {*given, "fc.weight", "fc.bias"}


class Lazy:
    """An array that is computed when NumPy asks for it."""

    def __init__(self, array):
        self.array, self.asked = array, 0

    def __array__(self, dtype=None, copy=None):
        self.asked += 1
        return np.asarray(self.array, dtype)


def test_a_lazy_array_is_computed_within_the_reading_that_is_timed():
    read = []

    def lazy(results):
        read.append(Lazy(results["loss"]))
        return {**results, "loss": read[-1]}

    worker = worker_of(changed(lazy))
    open_in(worker)
    turn_in(worker)
    assert [each.asked for each in read] == [1, 1]


def test_an_extreme_is_compared_with_its_own_results(tmp_path):
    name, plain = "t5-b4-i8-h8/sequence/train_step/x-denormal", "t5-b4-i8-h8/sequence/train_step"
    file, other = expected_in(tmp_path, name, plain)
    assert file != other
    flushed = lambda results: {name: np.where(np.abs(v) < 1.1e-38, 0.0, v) for name, v in results.items()}  # noqa: E731
    for change, flushes in ((dict, False), (flushed, True)):
        open_in(worker := worker_of(changed(change)), name)
        checked = requests.Check(name, file, True, "x-denormal").do(worker)
        assert (checked.error, checked.flushes) == (0, flushes)


def turn_in(worker, read=True):
    """Load the second set of inputs, and take a turn of seven calls."""
    return requests.TakeTurn(NAME, timing.Plan(3, 2, 2), 1, read).do(worker)


STEPS = {("t3-b2-i3-h2", "model", False): {7}}


def test_the_last_result_of_a_turn_is_compared_after_as_many_steps_as_it_had_calls(tmp_path):
    (file,) = expected_in(tmp_path, NAME, zero_states=agreement.REPLICATE, steps=STEPS)
    worker = worker_of_open()
    taken = turn_in(worker)
    assert taken.threads == [2]
    assert len(taken.turn.samples) == 3
    assert requests.Compare(NAME, 1.0, file, "1/7").do(worker) is None
    assert worker.opened[NAME].last is None
    turn_in(worker)
    with pytest.raises(agreement.Disagrees, match="the last timed call"):  # of the other inputs
        requests.Compare(NAME, 1.0, file, "0/7").do(worker)
    turn_in(worker)
    with pytest.raises(AssertionError):  # after steps that the reference has not done
        requests.Compare(NAME, 1.0, file, "1/6").do(worker)
    turn_in(worker, read=False)
    assert worker.opened[NAME].last is None


def test_training_is_compared_by_the_size_of_its_steps(tmp_path):
    name, steps = "t3-b2-i3-h2-float64/train/train_step", {("t3-b2-i3-h2-float64", "train", False): {7}}
    (file,) = expected_in(tmp_path, name, zero_states=agreement.REPLICATE, steps=steps)
    for by, agrees in ((1e-10, True), (5e-7, False)):
        worker = worker_of(changed(lambda results, by=by: {each: value * (1 + by) for each, value in results.items()}))
        open_in(worker, name)
        requests.TakeTurn(name, timing.Plan(3, 2, 2), 1, True).do(worker)
        with contextlib.nullcontext() if agrees else pytest.raises(agreement.Disagrees):
            requests.Compare(name, 1.0, file, "1/7").do(worker)


def test_the_last_call_of_a_stream_is_compared_after_as_many_calls_on_its_state(tmp_path):
    name = "t64-b2-i3-h8/stream/forward"
    wanted = {("t64-b2-i3-h8", "stream", False): {7}}
    worker, (file,) = worker_of(), expected_in(tmp_path, name, zero_states=agreement.REPLICATE, steps=wanted)
    open_in(worker, name)
    opened = worker.opened[name]
    fresh = opened.fresh

    def turn(change):
        opened.fresh = lambda inputs: change(fresh(inputs))
        taken = requests.TakeTurn(name, timing.Plan(6, 1, 2), 1, True).do(worker).turn
        assert (taken.samples, taken.seconds <= taken.p99_seconds <= taken.largest_seconds) == (None, True)
        requests.Compare(name, 1.0, file, "1/7").do(worker)

    turn(lambda state: state)
    with pytest.raises(agreement.Disagrees, match="the last timed call"):
        turn(lambda state: (opened.call(state), state)[1])  # a call too many


@pytest.mark.parametrize(("name", "asked"), [("t64-b2-i3-h8/stream/forward", 0), (NAME, 1)])
def test_a_stream_is_not_suspected_of_remembering(name, asked, monkeypatch):
    """Each of its calls goes on from a new state. To start one takes long in some frameworks."""
    worker, seen = worker_of(), []
    open_in(worker, name)
    monkeypatch.setattr(sanity, "check_not_remembered", lambda *given: seen.append(given))
    monkeypatch.setattr(requests.products, "check", lambda *_: False)
    requests.CheckRemembered(name).do(worker)
    assert len(seen) == asked


def test_work_that_is_left_is_looked_for_in_the_result_and_on_the_device(tmp_path, monkeypatch):
    (file,) = expected_in(tmp_path, NAME, zero_states=agreement.REPLICATE, steps=STEPS)
    worker, seen, seeds = worker_of_open(), [], []
    turn_in(worker)
    opened = worker.opened[NAME]
    waited, _, longer = opened.last
    monkeypatch.setattr(sanity, "check_left", lambda *given: seen.append(given))
    monkeypatch.setattr(sanity, "check_not_remembered", lambda *given: seen.append(given))
    requests.Compare(NAME, 0.5, file, "1/7").do(worker)
    arm = opened.call, opened.state
    assert seen == [(*arm, opened.finish, 0.5, longer), (*arm, worker.wait, 0.5, waited, sanity.OF_DEVICE)]
    monkeypatch.setattr(requests.timing, "estimate", lambda *_: 0.25)
    assert requests.Inspect(NAME, 0.5).do(worker) == 0.25
    assert [given[3] for given in seen[2:4]] == [0.25, 0.25]
    assert [given[2] for given in seen[2:4]] == [opened.finish, worker.wait]
    call, fresh, (other, other_fresh) = seen[4]
    assert (call, other) == (opened.call, opened.prepared.forward)
    monkeypatch.setattr(
        requests, "make_inputs", lambda problem, seed, **_: seeds.append(seed) or make_inputs(problem, seed)
    )
    fresh(), other_fresh()
    assert len({7, 8, 9, *seeds}) == 5  # inputs that nothing has seen
    requests.Inspect(NAME, 0.5).do(worker_of_open())
    seen[-1][1]()
    assert len({*seeds}) == 4, "nor have they been seen in another arm, which could leave results for this one"

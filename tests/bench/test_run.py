"""A run that is resumed: what fits is used, what does not is measured again, and what has changed is refused."""

import os
from pathlib import Path

import click
import msgspec
import numpy as np
import pytest

from benchmarks import hardware, machine, out_folder, record
from benchmarks.bench import rounds
from benchmarks.bench import run as run_module
from benchmarks.bench.run import Run
from benchmarks.bench.run_options import (
    RunOptions,
    changed,
    code_used,
    machine_used,
    of_machine,
    planned,
    resolved,
    resumed,
)
from benchmarks.metadata import ENVIRONMENT, Commit, Metadata
from benchmarks.processors import Machine, words
from benchmarks.record import RESULTS, read_records, write_records
from benchmarks.runner.admission import BEFORE
from benchmarks.runner.files_seen import FilesSeen
from benchmarks.runner.limits import Limits
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed, Side, Version
from benchmarks.worker.requests import UsedFiles
from benchmarks.worker.timing import Turn
from benchmarks.worker.used_files import Used, digest
from impls.core import registry
from impls.core.precision import TF32, VARIABLE
from impls.core.problem import Problem
from impls.core.text import json_text
from impls.core.weights import make_weights
from impls.core.workloads import MODES
from tests.helpers.sessions import BENCHMARK, Answering, admission, row_of

NAMES = ("numpy_lstm", "torch_cell")
OPTIONS = RunOptions(
    run_id="r", benchmarks=(BENCHMARK,), threads=1, turn_seconds=0.015, call_seconds=60,
    implementations=NAMES, replicates=2, blocks=1, baseline="numpy_lstm", commit=Commit(),
    used=code_used([registry.resolve(name) for name in NAMES], None) | {"the processor": words(machine.machine())},
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """Leave out the variables of whoever runs the tests."""
    monkeypatch.setattr(machine, "variables", dict)


def rows(number, seconds=1.0, **changes):
    turns = [Turn(seconds=seconds, samples=[seconds])]
    return [row_of(name, number, seconds=seconds, turns=turns, **changes) for name in NAMES]


@pytest.fixture
def whole(tmp_path):
    """A run whose two replicates have ended."""
    run = Run(OPTIONS, tmp_path)
    run.raw.mkdir()
    for number in range(2):
        write_records(run.file(number), rows(number, 0.001 * (number + 1)))
    write_records(run.file(BEFORE), [admission(name, seconds=1.0) for name in NAMES])
    return run


def test_what_was_measured_before_is_neither_measured_again_nor_forgotten(whole, capsys):
    """It also teaches: the plans of later replicates follow from earlier ones."""
    session = whole.execute((0,), lambda *_: pytest.fail("it measures again"))
    assert [(row.replicate, row.implementation, row.seconds) for row in session.records] == [
        (0, "numpy_lstm", 0.001), (0, "torch_cell", 0.001), (1, "numpy_lstm", 0.002), (1, "torch_cell", 0.002),
    ]  # fmt: skip
    assert session.plan("numpy_lstm", session.benchmarks[0]).samples == 10, "15 ms of calls that take 1.5 ms"
    assert capsys.readouterr().err == ""


def test_what_failed_before_is_not_tried_again(whole):
    failed = rows(0)
    failed[1] = row_of("torch_cell", 0, status="crashed", reason="SIGSEGV")
    write_records(whole.file(0), failed)
    session = whole.execute((0,), lambda *_: None)
    assert not session.ok("torch_cell", BENCHMARK)
    assert session.ok("numpy_lstm", BENCHMARK)


class Scripted(Session):
    """A session without workers, in whose second replicate torch_cell disagrees."""

    def admit(self):
        self.asked = ["admit"]
        self.admissions |= {("run", name, BENCHMARK): admission(name, seconds=1.0) for name in NAMES}

    def replicate(self, number, count, wanted, *, of_all):
        self.asked.append((number, count, of_all))
        self.wanted = wanted
        found = rows(number)
        if number == 1:
            found[1] = row_of("torch_cell", 1, status="disagrees", reason="h_n")
        self.learn(found)
        return found

    def close(self):
        self.asked.append("close")


def test_a_run_refuses_what_is_above_the_peak_by_its_interval(tmp_path, monkeypatch):
    """On a GPU no peak is a limit."""
    monkeypatch.setattr(run_module, "Session", Scripted)
    monkeypatch.setattr(machine, "gpu_name", lambda: None)
    refused = []
    monkeypatch.setattr(Limits, "refuse_by_interval", lambda self, rows: refused.append(len(rows)))
    for device in ("cpu", "cuda"):
        options = msgspec.structs.replace(OPTIONS, device=device, used=OPTIONS.used | machine_used(device))
        Run(options, tmp_path / device).execute((0,), print)
    assert refused == [4]


@pytest.mark.parametrize(("device", "closed"), [("cpu", []), ("cuda", ["close"])])
def test_a_run_keeps_each_replicate_and_has_no_time_of_what_was_wrong(device, closed, tmp_path, monkeypatch):
    """On a GPU, the processes that a profiler has watched time nothing."""
    monkeypatch.setattr(run_module, "Session", Scripted)
    monkeypatch.setattr(machine, "gpu_name", lambda: None)
    options = msgspec.structs.replace(OPTIONS, device=device, used=OPTIONS.used | machine_used(device), blocks=7)
    run = Run(options, tmp_path)
    session = run.execute((0,), print)
    assert session.asked == ["admit", *closed, (0, 7, 2), (1, 7, 2), "close"]
    assert session.advance is print
    kept = [read_records(tmp_path / "raw" / f"{name}.parquet") for name in ("admissions", "replicate-000")]
    assert [(row.replicate, row.seconds) for row in (*kept[0], *kept[1])] == [(BEFORE, 1.0)] * 2 + [(0, 1.0)] * 2
    rounds.SavedRun(tmp_path, session.records, Metadata(run=options)).write()
    found = [(row.status, row.seconds) for row in read_records(tmp_path / RESULTS)]
    assert found == [("ok", 1.0), ("disagrees", None)] * 2


@pytest.mark.parametrize(("status", "timed"), [("disagrees", ["torch_cell"]), ("ok", None)])
def test_a_baseline_that_is_left_alone_is_not_timed(status, timed, tmp_path, monkeypatch, capsys):
    class Refusing(Scripted):
        def admit(self):
            super().admit()
            self.admissions["run", "torch_cell", BENCHMARK] = admission("torch_cell", status=status, reason="h_n")

    monkeypatch.setattr(run_module, "Session", Refusing)
    session = Run(OPTIONS, tmp_path).execute((0,), print)
    assert (session.wanted and [*session.wanted]) == timed
    assert ("only numpy_lstm is left: nothing is timed" in capsys.readouterr().err) == (timed is not None)


def test_a_run_is_not_resumed_without_an_environment_that_it_began_with(whole):
    versions = {name: Version(registry.resolve(name), failure=ArmFailed("not_installed", "no pip")) for name in NAMES}
    whole.side = Side("run", versions)
    with pytest.raises(click.UsageError, match="numpy_lstm can't be measured any more: no pip"):
        whole.execute((0,), lambda *_: None)


def test_a_damaged_replicate_is_named_and_measured_again_once_it_is_removed(whole):
    path = whole.file(1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(click.UsageError, match=r"replicate-001\.parquet holds no records .* remove it"):
        whole.rows(1)
    path.unlink()
    assert whole.rows(1) is None


def test_what_is_written_is_read_and_only_a_gate_has_sides(tmp_path):
    path, written = tmp_path / "r.parquet", rows(0, side="head", error=float("nan"))
    write_records(path, written, record.COMPARED)
    assert json_text(read_records(path)) == json_text(written)
    write_records(path, written)
    assert [row.side for row in read_records(path)] == [None, None]


@pytest.fixture
def begun(tmp_path):
    """A function that writes the run.json of a run that has begun, with changes, and returns what resumes it."""

    def write(**changes):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "run.json").write_text(json_text(msgspec.structs.replace(OPTIONS, **changes)))
        return RunOptions(resume=str(tmp_path))

    return write


def test_a_run_json_that_is_damaged_is_named(begun, tmp_path):
    options = begun()
    for text in (json_text(OPTIONS)[:200], "", "[1]", '{"seed": NaN}', '{"threads": "two"}', "\0"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(click.UsageError, match=r"no readable run\.json"):
            resumed(options)
    (tmp_path / "run.json").unlink()
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(click.UsageError, match="is not a regular file"):
        resumed(options)


def test_a_run_goes_on_with_its_own_options(begun, tmp_path):
    assert resumed(begun()) == (OPTIONS, tmp_path)
    with pytest.raises(click.UsageError, match="leave out --blocks"):
        resumed(msgspec.structs.replace(begun(), blocks=3))


@pytest.fixture
def file(tmp_path):
    """An implementation from elsewhere, with a module beside it, and what looks like one."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "helper.py").write_text("before")
    (tmp_path / "mine" / ".#my_lstm.py").symlink_to("me@here.1:2")  # as Emacs has it while a buffer is not saved
    path = tmp_path / "mine" / "my_lstm.py"
    path.write_text('FRAMEWORK = "numpy"\nTRACK = "default"\n\ndef prepare(problem, weights, device, workload): ...\n')
    return path


@pytest.mark.parametrize("what", ["my_lstm.py", "helper.py", "w.npz"])
def test_a_run_whose_files_have_changed_neither_goes_on_nor_is_resumed(begun, file, what, tmp_path):
    weights = tmp_path / "mine" / "w.npz"
    weights.write_bytes(b"before")
    used = code_used([registry.resolve(str(file))], str(weights)) | machine_used("cpu")
    options = begun(implementations=(str(file),), weights=str(weights), used=used)
    assert resumed(options)[0].used == used
    assert changed(resumed(options)[0]) == ""
    helper = str(file.parent / "helper.py")
    run = Run(resumed(options)[0], tmp_path)
    run.raw.mkdir(exist_ok=True)
    files, arm = FilesSeen(), Answering({UsedFiles: lambda _: Used({helper: digest(helper)}, [])})
    arm.name = "my_lstm"
    files.note(arm)
    run._write(0, [], files)
    (file.parent / "unrelated.py").write_text("after")
    with (file.parent / what).open("a") as appended:
        appended.write("# after")
    with pytest.raises(click.UsageError, match=f"{what} has changed"):
        resumed(options)
    files.note(arm)
    with pytest.raises(click.UsageError, match="Undo that and resume"):
        run._write(1, [], files)
    assert not run.file(1).exists()


@pytest.mark.parametrize(
    ("name", "was"),
    [
        ("impls/core/problem.py", "0"),
        ("impls/families/new.py", "0"),
        ("benchmarks/worker/timing.py", "0"),
        ("the version of torch_cell", "torch 1.0"),
        ("the processor", "AMD EPYC, family 25"),
        ("the variable OPENBLAS_CORETYPE", "Prescott"),
    ],
)
def test_a_run_is_not_resumed_where_something_has_changed(begun, name, was):
    now = "missing" if "new" in name or "variable" in name else "(?!missing)"
    with pytest.raises(click.UsageError, match=f"{name} has changed since this run began: it was {was} and is {now}"):
        resumed(begun(used=OPTIONS.used | {name: was}))


def test_a_run_is_not_resumed_on_another_gpu(begun, monkeypatch):
    monkeypatch.setenv(VARIABLE, "another")
    options = begun(device="cuda", precision=TF32, used=OPTIONS.used | {"the GPU": "NVIDIA H100, 580.95"})
    h200 = Machine(gpu="NVIDIA H200", gpu_driver="580.95")
    for here, now in ((h200, "NVIDIA H200, 580.95"), (Machine(), "none")):
        monkeypatch.setattr(machine, "machine_with_gpu", lambda here=here: here)
        with pytest.raises(click.UsageError, match=f"it was NVIDIA H100, 580.95 and is {now}"):
            resumed(options)
    monkeypatch.setattr(machine, "machine_with_gpu", lambda: Machine(gpu="NVIDIA H100", gpu_driver="580.95"))
    assert resumed(options)[0].used["the GPU"] == "NVIDIA H100, 580.95"
    assert os.environ[VARIABLE] == TF32
    assert set(machine_used("cpu")) == {"the processor"}


def test_a_plan_names_files_by_their_whole_path(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "another")
    monkeypatch.setattr(machine, "commit", Commit)
    monkeypatch.setattr(machine, "gpu_name", lambda: None)
    np.savez("w.npz", **make_weights(Problem.parse("t1-b1-i8-h8")))
    whole = planned(
        RunOptions(
            implementations=("numpy_lstm", str(file), "keras_jax"), weights="w.npz", workloads=("cell",), device="cuda",
            precision=TF32, out="somewhere",
        )
    )  # fmt: skip
    assert set(whole.implementations) == {"numpy_lstm", str(file), "keras_jax", "peak"}
    assert "the version of keras_jax" not in whole.used, "it has an environment of its own"
    weights = str(tmp_path / "w.npz")
    assert whole.weights == weights
    assert {weights, str(file), "impls/numpy_lstm.py"} <= set(whole.used)
    assert whole.benchmarks == tuple(f"t64-b16-i8-h8/cell/{mode}" for mode in MODES)
    assert whole.out is None
    assert os.environ[VARIABLE] == TF32
    monkeypatch.setattr(hardware, "choose_cores", lambda *given: {(0, "cuda"): (4, 5)}[given])
    here = of_machine(whole)
    assert (here.used, here.threads) == (whole.used | machine_used("cuda"), 2)


def test_of_two_runs_that_begin_in_a_folder_at_once_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(out_folder, "usable_out", lambda out, _: Path(out))  # both have found it empty
    monkeypatch.setattr(machine, "commit", Commit)
    options = RunOptions(run_id="r", implementations=("numpy_lstm",), problems=("t2-b2-i3-h4",), out=str(tmp_path))
    first, _ = resolved(options)
    with pytest.raises(FileExistsError):
        resolved(msgspec.structs.replace(options, run_id="s"))
    assert resumed(RunOptions(resume=str(tmp_path)))[0].run_id == first.run_id


def test_rounds_go_on_where_they_were_interrupted_and_are_joined(tmp_path, monkeypatch):
    begun, options = [], msgspec.structs.replace(OPTIONS, rounds=2)

    def measure(mine, folder):
        begun.append((folder.name, mine.run_id, mine.rounds))
        if len(begun) == 2:
            raise KeyboardInterrupt
        found = rows(0, float(len(begun)))
        for row in found:
            row.run_id = mine.run_id
        rounds.SavedRun(folder, found, Metadata(run=mine)).write()

    monkeypatch.setattr(rounds, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(run_module, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run_module.measure_rounds(options, tmp_path)
    joined = run_module.measure_rounds(options, tmp_path)
    first, second, again = begun
    assert second == again
    assert [first[0], again[0], again[2]] == ["round-1", "round-2", 1]
    assert {(row.run_id, row.seconds) for row in joined.records} == {(first[1], 1.0), (again[1], 3.0)}
    assert joined.described.rounds == tuple(sorted([first[1], again[1]]))
    assert rounds.SavedRun.read(tmp_path) == joined
    for damaged in (ENVIRONMENT, RESULTS):  # from its raw/, such a round is made again
        (tmp_path / "round-1" / damaged).write_text("")
        run_module.measure_rounds(options, tmp_path)
        assert begun.pop() == first
        assert len(begun) == 3


def test_what_differs_is_no_round_of_a_run():
    def read(name, **changes):
        machine_of = Machine(cpu=changes.pop("cpu", "a cpu"))
        mine = msgspec.structs.replace(OPTIONS, run_id=name, **changes)
        return rounds.SavedRun(Path(name), rows(0), Metadata(run=mine, machine=machine_of))

    for changes, what in (({"threads": 2}, "threads"), ({"cpu": "another"}, "processor")):
        with pytest.raises(ValueError, match=f"b is no round of the same run as a: they differ in the {what}"):
            rounds.joined([read("b", **changes), read("a")], Path("nowhere"))

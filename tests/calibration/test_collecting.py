"""A round of a pool, and a real gate, at a small problem."""

import dataclasses
import os
import re
import subprocess
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from benchmarks.calibration import command, measuring, pool
from benchmarks.calibration.injection import KINDS
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.real_gates import INJECTED
from benchmarks.calibration.subject import Subject
from benchmarks.metadata import Machine
from benchmarks.regression import gate_options

NAMES = ("numpy_lstm", "torch_lstm")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(measuring, "BLOCKS", 3)
    return Subject(NAMES, "t4-b2-i8-h8", ("forward",))


def collected(folder, subject):
    """A pool with a round of two replicates."""
    pool.claim(folder / "pool", subject.identity(Machine()))
    measuring.collect(folder, subject, lambda *_: None, 2, (1.0,))
    return Pool.load(folder / "pool")


@pytest.mark.process
def test_a_round_holds_base_its_copy_and_what_is_slowed_in_the_same_replicates(small, tmp_path):
    found = collected(tmp_path, small)
    assert found.benchmarks == [f"{name} t4-b2-i8-h8/sequence/forward" for name in NAMES]
    assert found.holding([BASE, COPY, "+100%"]) == [0, 1]
    assert len(found.by_round([0, 1])) == 1
    for name in found.benchmarks:
        for replicate in (0, 1):
            slower = found.replicates[replicate].log_ratio(name, BASE, "+100%")
            assert slower > max(0.2, found.replicates[replicate].log_ratio(name, BASE, COPY))
    (described,) = pool.rounds_of(tmp_path / "pool")
    assert described.id == found.replicates[0].round
    assert described.work in KINDS


def gate_of(kind, folder, subject, monkeypatch):
    """What a gate records, and its sides' sources by name, where nothing is measured."""
    seen = []

    def decide(session, *_):
        assert [side.label for side in session.sides] == ["base", "head"]
        base, head = (str(side.versions["torch_lstm"].root) for side in session.sides)
        assert base != head  # even if they are equal
        assert len(base) == len(head)
        seen.extend(
            {name: version.implementation.path.read_text() for name, version in side.versions.items()}
            for side in session.sides
        )
        code = {False: 0, True: 1}
        return SimpleNamespace(exit_code=lambda strict: code[strict], worse={}, findings=[], unclear=[])

    monkeypatch.setattr(measuring, "measure_and_decide", decide)
    gate = measuring.real_gate(kind, folder, subject, lambda *_: None)
    return gate, *seen


@pytest.mark.process
@pytest.mark.parametrize("kind", INJECTED)
def test_a_gate_slows_one_mode_of_one_implementation_on_its_head(kind, small, tmp_path, monkeypatch):
    both = dataclasses.replace(small, modes=("forward", "train_step"))
    gate, base, head = gate_of(kind, tmp_path, both, monkeypatch)
    name, benchmark = gate.slowed.split()
    mode = benchmark.rpartition("/")[2]
    assert {other for other in NAMES if base[other] != head[other]} == {name}
    injected = head[name].removeprefix(base[name])
    assert f"for mode in {{{mode!r}:" in injected
    assert f"takes {kind.strip('+%')} % longer ({gate.work})" in injected
    assert (gate.exit_code, gate.strict_exit_code) == (0, 1)


@pytest.mark.process
def test_a_gate_of_the_same_code_has_two_equal_sides(small, tmp_path, monkeypatch):
    gate, base, head = gate_of("same", tmp_path, small, monkeypatch)
    assert base == head
    assert (gate.slowed, gate.work) == ("", None)


def gates_of(subject):
    return subject.identity(Machine()).gates


MINE = """
from impls.numpy_lstm import prepare as _prepare
FRAMEWORK = "numpy"
TRACK = "default"
def prepare(problem, weights, device, workload):
    return _prepare(problem, weights, device, workload)
"""


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "beside.txt").write_text("goes into the snapshot too")
    (folder / "torch_lstm.py").write_text("what lies beside is never taken for one of this suite's")
    (folder / ".gitignore").write_text("ignored.py")
    (folder / "ignored.py").write_text(MINE)
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "mine"]):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    return folder / "mine.py"


@pytest.mark.process
def test_a_file_from_elsewhere_is_calibrated_as_it_is_and_slowed(mine):
    subject = Subject.of([str(mine), "torch_lstm"], "t4-b2-i8-h8")
    assert set(subject.names) == {"mine", "torch_lstm"}
    root = subject.root
    assert (root / "given" / "beside.txt").is_file()
    paths = {name: version.implementation.path for name, version in subject.versions(root).items()}
    assert paths == {"mine": root / "given" / "mine.py", "torch_lstm": root / "impls" / "torch_lstm.py"}
    assert re.fullmatch(r"mine and torch_lstm at t4-b2-i8-h8, code [0-9a-f]{8}", gates_of(subject))
    slower = subject.slowed(0.05, "memory", ["mine"], ["forward"])
    here, there = (
        {name: version.implementation.digest for name, version in subject.versions(place).items()}
        for place in (root, slower)
    )
    assert {name for name in here if here[name] != there[name]} == {"mine"}
    assert mine.read_text() == MINE
    with pytest.raises(ValueError, match=r"git ignores .*ignored\.py"):
        _ = Subject.of([str(mine.with_name("ignored.py"))]).root


@pytest.mark.process
def test_a_file_is_known_by_its_code_and_that_of_what_lies_beside_it(mine):
    def described():
        return gates_of(Subject.of([str(mine)]))

    before = described()
    (mine.parent / "beside.txt").write_text("no code")
    assert described() == before
    (mine.parent / "cell.py").write_text("x = 1")
    assert described() != before


@pytest.mark.process
def test_the_order_of_options_and_repetitions_change_nothing():
    one, other = (
        Subject.of(impls, modes=modes)
        for impls, modes in (
            (["jax_scan", "torch_lstm"], ["forward", "train_step"]),
            (["torch_lstm", "jax_scan"], ["train_step", "forward", "forward"]),
        )
    )
    assert gates_of(one) == gates_of(other) == "jax_scan and torch_lstm at t64-b16-i128-h128"
    assert one.turn_seconds == other.turn_seconds


@pytest.mark.process
def test_a_round_of_a_file_from_elsewhere(mine, small, tmp_path):
    subject = dataclasses.replace(Subject.of([str(mine)], small.problem), modes=("forward",))
    found = collected(tmp_path, subject)
    (name,) = found.benchmarks
    assert name == "mine t4-b2-i8-h8/sequence/forward"
    assert found.replicates[0].log_ratio(name, BASE, "+100%") > 0.2


def test_turns_of_few_benchmarks_are_as_long_as_in_their_gate():
    assert Subject().turn_seconds == gate_options.TURN_SECONDS
    assert Subject(("mine",)).turn_seconds == gate_options.turn_seconds(2, "cpu") > Subject().turn_seconds


@pytest.mark.process
def test_an_lstm_without_a_backward_is_calibrated_in_the_modes_it_has():
    subject = Subject.of(["onnxruntime_lstm"], modes=["forward"])
    assert subject.pairs == [("onnxruntime_lstm", "forward")]
    assert gates_of(subject) == "onnxruntime_lstm at t64-b16-i128-h128, forward"


@pytest.mark.process
def test_what_can_not_be_calibrated_is_told(mine, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "second.py").write_text(MINE)
    for impls, said in (
        (["peak"], "peak is not an LSTM"),
        (["torch_lstn"], "torch_lstm"),
        ([str(mine), str(other / "second.py")], "a calibration takes one file of your own"),
        ([str(other / "second.py")], "is in no git repository"),
        ([str(tmp_path / "none.py")], "none.py"),
    ):
        chosen = [*(f"--impl={name}" for name in impls), f"--out={tmp_path / 'x'}"]
        done = CliRunner().invoke(command.calibrate, chosen)
        assert done.exit_code == 2
        assert said in done.output
    assert Subject.of([]) == Subject()
    assert gates_of(Subject()) == ""


@pytest.mark.process
def test_a_gate_whose_benchmark_was_not_measured_is_no_gate(small, tmp_path, monkeypatch):
    def decide(session, *_):
        session.admissions["base", "torch_lstm", "b"] = SimpleNamespace(status="unsupported", reason="no backward")

    monkeypatch.setattr(measuring, "measure_and_decide", decide)
    with pytest.raises(click.ClickException, match="torch_lstm b, as base: no backward"):
        measuring.real_gate("same", tmp_path, small, lambda *_: None)


@pytest.mark.process
def test_tables_are_made_of_what_is_there(tmp_path, monkeypatch):
    def report(*asked):
        *_, processes, advance = asked
        advance(2, 15)
        return f"tables by {processes}\n"

    monkeypatch.setattr(command, "report", report)
    chosen = ["--rounds", "0", "--runs", "0", "--out", str(tmp_path)]
    done = CliRunner().invoke(command.calibrate, chosen, standalone_mode=False)
    assert "2 of 15 parts of the tables are done after 0.0 min\n" in done.stderr
    assert (tmp_path / "calibration.md").read_text() == f"tables by {len(os.sched_getaffinity(0))}\n"

    (tmp_path / "replicate-1.parquet").touch()
    with pytest.raises(click.UsageError, match="is a pool itself: give the folder that it is in"):
        CliRunner().invoke(command.calibrate, chosen, standalone_mode=False, catch_exceptions=False)
    (tmp_path / "replicate-1.parquet").unlink()
    (tmp_path / "calibration.md").unlink()
    (tmp_path / "gates.md").mkdir()
    with pytest.raises(click.UsageError, match=r"gates\.md can't be written"):  # before anything is counted
        CliRunner().invoke(command.calibrate, chosen, standalone_mode=False, catch_exceptions=False)
    assert not (tmp_path / "calibration.md").exists()
    (tmp_path / "gates.md").rmdir()

    def killed(*_):
        raise RuntimeError("a process was killed")

    monkeypatch.setattr(command, "report", killed)
    with pytest.raises(click.ClickException, match="a process was killed"):
        CliRunner().invoke(command.calibrate, chosen, standalone_mode=False, catch_exceptions=False)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["--rounds", "0", "--runs", "0"], "there is nothing to make tables of"),
        (["--runs", "99999999999"], "is not in the range"),
        (["--rounds", "99999999999"], "is not in the range"),
    ],
)
def test_what_cannot_be_done_leaves_no_folder(tmp_path, chosen, said):
    done = CliRunner().invoke(command.calibrate, [*chosen, "--out", str(tmp_path / "new")])
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "new").exists()


@pytest.mark.process
def test_the_old_name_of_the_rounds_goes_on_and_says_the_new_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "measure", lambda *given: asked.append(given[2:]))
    monkeypatch.setattr(command, "make_tables", lambda *_: None)
    chosen = ["--sessions", "3", "--runs", "0", "--out", str(tmp_path)]
    done = CliRunner().invoke(command.calibrate, chosen, standalone_mode=False, catch_exceptions=False)
    assert done.stderr == "note: --sessions is called --rounds now\n"
    assert asked == [(3, 0)]

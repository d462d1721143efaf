"""A round of a pool, and a real gate, at a small problem."""

import dataclasses
import re
from types import SimpleNamespace
from typing import ClassVar

import click
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.calibration import command, measuring, pool
from benchmarks.calibration.injection import LONGER, WORK
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.real_gates import KINDS, SAME
from benchmarks.calibration.subject import Subject
from benchmarks.metadata import Metadata
from benchmarks.processors import Machine
from benchmarks.record import Record
from benchmarks.regression import gate_options, snapshots
from tests.helpers.pools import MINE
from tests.helpers.processes import git
from tests.helpers.records import failed, record

NAMES = ("numpy_lstm", "torch_lstm")
SMALL = Subject(NAMES, "t4-b2-i8-h8", ("forward", "train_step"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """This suite's files as they are, as if they were in no repository, on a machine without a GPU."""

    def unusable(*_):
        raise snapshots.Unusable("no repository")

    monkeypatch.setattr(snapshots, "git", unusable)
    monkeypatch.setattr(measuring.machine, "machine", Machine)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def source(side, name):
    return side.versions[name].implementation.path.read_text()


class Scripted:
    """A session that measures nothing. Each of its sides takes a time of its own."""

    admissions: ClassVar = {}
    sources: ClassVar = []
    """Of each session: the sources of a side, by its label and the name of the implementation."""

    def __init__(self, options, sides, *_):
        self.options, self.sides = options, sides
        self.sources.append({side.label: {name: source(side, name) for name in NAMES} for side in sides})
        roots = {str(side.versions[NAMES[0]].root) for side in sides}
        assert len(roots) == len(sides)  # equal sides, too, have different files

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    admit = close = lambda _: None

    def replicate(self, number, *_, **__):
        rows = [
            record(name, number, float(place), side=side.label, run_id=self.options.run_id)
            for place, side in enumerate(self.sides, 1)
            for name in NAMES
        ]
        return [msgspec.convert(row, Record) for row in rows]


@pytest.fixture
def scripted(monkeypatch, here):
    monkeypatch.setattr(Scripted, "sources", [])
    monkeypatch.setattr(measuring, "Session", Scripted)
    monkeypatch.setattr(measuring, "REPLICATES", 1)
    monkeypatch.setattr(measuring, "SHARES", (0.02, 0.05))
    monkeypatch.setattr(measuring.machine, "describe", lambda options: Metadata(run=options))
    return Scripted.sources


def test_each_side_of_a_round_is_slowed_by_as_much_as_its_label_says(scripted, tmp_path):
    pool.claim(tmp_path / "pool", SMALL.identity(Machine()))
    for _ in range(2):
        measuring.collect(tmp_path, SMALL, lambda *_: None)
    for sources in scripted:
        assert set(sources) == {BASE, COPY, "+2%", "+5%"}
        assert sources[COPY] == sources[BASE]
        for name, plain in sources[BASE].items():
            for label, share in (("+2%", 0.02), ("+5%", 0.05)):
                added = sources[label][name].removeprefix(plain)
                assert repr(dict.fromkeys(SMALL.modes, share / LONGER)) in added
                assert f"takes {label.strip('+%')} % longer" in added
    found = Pool.load(tmp_path / "pool")
    assert found.holding([BASE, COPY, "+2%", "+5%"]) == [0, 1]
    assert [*found.works.values()] == [WORK] * 2
    assert [len(own) for own in found.by_round(range(2)).values()] == [1, 1]


@pytest.mark.parametrize("admitted", [True, False])
def test_a_round_in_which_an_arm_fails_is_no_round(scripted, tmp_path, monkeypatch, admitted):
    row = msgspec.convert(failed(NAMES[0], 0, "error", "no backward", side=BASE), Record)
    monkeypatch.setattr(Scripted, "replicate", lambda *_, **__: [row])
    monkeypatch.setattr(Scripted, "admissions", {} if admitted else {"an arm": row})
    pool.claim(tmp_path / "pool", SMALL.identity(Machine()))
    with pytest.raises(click.ClickException, match="numpy_lstm p/w/m, as base: no backward"):
        measuring.collect(tmp_path, SMALL, lambda *_: None)
    assert not [*(tmp_path / "pool").glob("replicate-*")]


def gate_of(kind, monkeypatch):
    """What a gate records, and its sides' sources by name, where nothing is measured."""
    seen = []

    def decide(session, *_):
        assert [side.label for side in session.sides] == ["base", "head"]
        base, head = (str(side.versions["torch_lstm"].root) for side in session.sides)
        assert base != head  # even if they are equal
        assert len(base) == len(head)
        seen.extend({name: source(side, name) for name in NAMES} for side in session.sides)
        return SimpleNamespace(exit_code=lambda strict: 1 if strict else 0, worse={}, findings=[], unclear=[])

    monkeypatch.setattr(measuring, "measure_and_decide", decide)
    return measuring.real_gate(kind, SMALL, lambda *_: None), *seen


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {SAME}))
def test_a_gate_slows_one_mode_of_one_implementation_on_its_head(kind, here, monkeypatch):
    gate, base, head = gate_of(kind, monkeypatch)
    name, benchmark = gate.slowed.split()
    mode = benchmark.rpartition("/")[2]
    assert {other for other in NAMES if base[other] != head[other]} == {name}
    injected = head[name].removeprefix(base[name])
    assert repr({mode: KINDS[kind] / LONGER}) in injected
    assert f"takes {kind.strip('+%')} % longer" in injected
    assert gate.exit_code == 0


def gates_of(subject):
    return subject.identity(Machine()).gates


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "beside.txt").write_text("goes into the snapshot too")
    (folder / ".#mine.py").symlink_to("me@here.1:2")  # as Emacs has it while a buffer is not saved
    (folder / "torch_lstm.py").write_text("what lies beside is never taken for one of this suite's")
    (folder / ".gitignore").write_text("ignored.py")
    (folder / "ignored.py").write_text(MINE)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "mine"]):
        git(folder, *words)
    return folder / "mine.py"


@pytest.mark.process
def test_a_file_from_elsewhere_is_calibrated_as_it_is_and_known_by_its_code(mine, tmp_path):
    subject = Subject.of([str(mine), "torch_lstm"], "t4-b2-i8-h8")
    root = tmp_path / "copy"
    paths = {name: version.implementation.path for name, version in subject.copied(root, {}).items()}
    assert (root / "given" / "beside.txt").is_file()
    assert paths == {"mine": root / "given" / "mine.py", "torch_lstm": root / "impls" / "torch_lstm.py"}
    before = gates_of(subject)
    assert re.fullmatch(r"mine and torch_lstm at t4-b2-i8-h8, code [0-9a-f]{8}", before)
    with pytest.raises(ValueError, match=r"git ignores .*ignored\.py"):
        _ = Subject.of([str(mine.with_name("ignored.py"))]).snapshots
    (mine.parent / "cell.py").write_text("x = 1")
    assert gates_of(dataclasses.replace(subject)) != before


@pytest.mark.nightly
def test_a_round_of_a_file_from_elsewhere_and_one_of_the_suite(mine, tmp_path, monkeypatch):
    for name, value in (("BLOCKS", 3), ("REPLICATES", 2), ("SHARES", (1.0,))):
        monkeypatch.setattr(measuring, name, value)
    subject = dataclasses.replace(Subject.of([str(mine), "numpy_lstm"], SMALL.problem), modes=("forward",))
    pool.claim(tmp_path / "pool", subject.identity(Machine()))
    measuring.collect(tmp_path, subject, lambda *_: None)
    found = Pool.load(tmp_path / "pool")
    assert found.benchmarks == ["mine t4-b2-i8-h8/sequence/forward", "numpy_lstm t4-b2-i8-h8/sequence/forward"]
    assert found.holding([BASE, COPY, "+100%"]) == [0, 1]
    for name in found.benchmarks:
        slowed, copied = (found.logs([0, 1], side, name) for side in ("+100%", COPY))
        assert (slowed > np.maximum(0.2, copied)).all()


def test_turns_of_few_benchmarks_are_as_long_as_in_their_gate():
    assert Subject().turn_seconds == gate_options.TURN_SECONDS
    assert Subject(("mine",)).turn_seconds == gate_options.turn_seconds(2, "cpu") > Subject().turn_seconds


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["--impl=peak"], "peak is not an LSTM"),
        (["--impl=a.py", "--impl=b.py"], "one file of your own"),
        (["--impl=b.py"], "no repository"),
        (["--problem=t1-b1-i1-h1", "--problem=t2-b1-i1-h1"], "has one problem"),
        (["--rounds=0", "--runs=0"], "there is nothing to make tables of"),
    ],
)
def test_what_cannot_be_done_leaves_no_folder(chosen, said, here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(MINE)
    done = CliRunner().invoke(command.calibrate, [*chosen, f"--out={tmp_path / 'new'}"])
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "new").exists()


@pytest.fixture
def tables(here, tmp_path):
    """A function that makes the tables of an empty folder again."""
    chosen = ["--rounds", "0", "--runs", "0", "--out", str(tmp_path)]
    return lambda: CliRunner().invoke(command.calibrate, chosen, standalone_mode=False, catch_exceptions=False)


def test_tables_are_made_of_what_is_there(tables, tmp_path):
    tables()
    assert "takes 8 replicates" in (tmp_path / "calibration.md").read_text()


def test_a_folder_in_which_tables_cannot_be_written_is_refused_before_anything_is_counted(tables, tmp_path):
    (tmp_path / "calibration.md").mkdir()
    with pytest.raises(click.UsageError, match=r"calibration\.md can't be written"):
        tables()

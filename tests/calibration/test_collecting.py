"""A session of a pool, and a gate from end to end, at a small problem."""

from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from benchmarks.calibration import command, pool
from benchmarks.calibration.injection import KINDS
from benchmarks.calibration.pool import BASE, COPY, Pool
from benchmarks.calibration.report import PLANTED
from benchmarks.calibration.sizing import Size

NAMES = ("numpy_lstm", "torch_lstm")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(command, "GATED", NAMES)
    monkeypatch.setattr(command, "GATED_MODES", ("forward",))
    monkeypatch.setattr(command, "PROBLEM", "t4-b2-i8-h8")
    monkeypatch.setattr(command.Steps, "blocks", 3)


@pytest.mark.slow
def test_a_session_holds_base_its_copy_and_what_is_slowed_in_the_same_replicates(small, tmp_path):
    command.collect(tmp_path, 2, (1.0,), threads=1, advance=lambda *_: None)
    found = Pool.load(tmp_path / "pool")
    assert found.benchmarks == [f"{name} t4-b2-i8-h8/sequence/forward" for name in NAMES]
    assert found.holding([BASE, COPY, "+100%"]) == [0, 1]
    assert len(set(found.sessions)) == 1
    for name in found.benchmarks:
        for replicate in (0, 1):
            slower = found.log_ratio(replicate, name, BASE, "+100%")
            assert slower > max(0.2, found.log_ratio(replicate, name, BASE, COPY))
    (described,) = pool.described(tmp_path / "pool")
    assert described.session == found.sessions[0]
    assert described.work in KINDS
    assert described.sized is False
    assert described.amounts == {"+100%": {f"{name} forward": 1 / KINDS[described.work] for name in NAMES}}


@pytest.mark.slow
def test_two_copies_alone_have_no_kind_of_work(small, tmp_path):
    command.collect(tmp_path, 1, (), threads=1, advance=lambda *_: None)
    found = Pool.load(tmp_path / "pool")
    assert found.holding([BASE, COPY]) == [0]
    assert pool.described(tmp_path / "pool")[0].work is None


def gate_of(kind, folder, monkeypatch):
    """What a gate records, and its sides' sources by name, where nothing is measured."""
    seen = []

    def decide(session, *_):
        seen.extend(
            {name: version.implementation.path.read_text() for name, version in side.versions.items()}
            for side in session.sides
        )
        code = {False: 0, True: 1}
        return SimpleNamespace(exit_code=lambda strict: code[strict], regressions=[], findings=[], unknown=list)

    monkeypatch.setattr(command, "measure_and_decide", decide)
    gate = command.real_gate(kind, folder, 1, lambda *_: None)
    return gate, *seen


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANTED)
def test_a_gate_slows_one_mode_of_one_implementation_on_its_head(kind, small, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GATED_MODES", ("forward", "train_step"))
    gate, base, head = gate_of(kind, tmp_path, monkeypatch)
    name, benchmark = gate.planted.split()
    mode = benchmark.rpartition("/")[2]
    assert {other for other in NAMES if base[other] != head[other]} == {name}
    injected = head[name].removeprefix(base[name])
    assert f"for mode in {{{mode!r}:" in injected
    assert f"takes {kind.strip('+%')} % longer ({gate.work})" in injected
    assert (gate.exit_code, gate.strict_exit_code) == (0, 1)


@pytest.mark.slow
def test_a_gate_of_the_same_code_has_two_equal_sides(small, tmp_path, monkeypatch):
    gate, base, head = gate_of("same", tmp_path, monkeypatch)
    assert base == head
    assert (gate.planted, gate.work) == ("", None)


def test_work_that_is_sized_in_part_is_refused():
    size = Size(0.0, 1.25, 0.001, 6)
    every = {f"{name} {mode}": size for name in command.GATED for mode in command.GATED_MODES}
    assert set(command.amounts_of({"memory": every}, 0.05, "memory").values()) == {0.04}
    assert set(command.amounts_of({}, 0.05, "memory").values()) == {0.05 / KINDS["memory"]}
    with pytest.raises(click.UsageError, match="no arithmetic work of"):
        command.amounts_of({"memory": every}, 0.05, "arithmetic")
    every.popitem()
    with pytest.raises(click.UsageError, match="no memory work of flax_nnx train_step: run --size again"):
        command.amounts_of({"memory": every}, 0.05, "memory")


def test_tables_are_made_only_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "report", lambda *_: "tables\n")
    chosen = ["--sessions", "0", "--runs", "0", "--out", str(tmp_path)]
    done = CliRunner().invoke(command.calibrate, [*chosen, "--no-tables"], standalone_mode=False)
    assert done.return_value == 0
    assert not (tmp_path / "calibration.md").exists()
    CliRunner().invoke(command.calibrate, chosen, standalone_mode=False)
    assert (tmp_path / "calibration.md").read_text() == "tables\n"

"""What is damaged in a run's folder, or of another run, is named in one line and measured again; nothing is lost."""

import json
import os
import shutil

import click
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import choices, machine, raw
from benchmarks.calibration.command import stored
from benchmarks.calibration.pool import Identity, claim
from benchmarks.cases import Benchmark
from benchmarks.metadata import Commit, Machine
from benchmarks.raw import Raw
from benchmarks.record import COMPARED, Record, read_records, write_records
from benchmarks.run_options import RunOptions, resumed
from benchmarks.worker.timing import Turn
from impls.core import registry
from impls.core.text import json_text
from impls.core.versions import versions_of
from tests.helpers.sessions import admission

ID = "t4-b2-i8-h8/sequence/train_step"
BENCHMARKS = [Benchmark.parse(ID)]
NAMES = ("torch_lstm", "peak")


def rows(number, run_id="r", **changes):
    names = {"implementation": "torch_lstm", "problem": "t4-b2-i8-h8", "workload": "sequence", "mode": "train_step"}
    return [Record(run_id=run_id, replicate=number, seconds=1.0, **names, **changes) for _ in range(2)]


@pytest.fixture
def whole(tmp_path):
    """The files of a run with two replicates."""
    files = Raw(tmp_path / "raw", "r", 2)
    files.open()
    for number in range(2):
        files.write(number, rows(number))
    write_records(files.folder / raw.ADMISSIONS, [admission(name, seconds=1.0) for name in NAMES])
    return files


def test_what_fits_is_read(whole, capsys):
    assert [row.replicate for number in range(2) for row in whole.replicate(number)] == [0, 0, 1, 1]
    assert [one.implementation for one in whole.admissions(NAMES, BENCHMARKS)] == list(NAMES)
    assert capsys.readouterr().err == ""


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def empty_folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def changed(path):
    """A value is changed, and the digest of the old ones is kept."""
    table = pq.read_table(path)
    place = table.column_names.index("seconds")
    pq.write_table(table.set_column(place, "seconds", pa.array([1.0, 0.5])), path)


DAMAGE = {
    "truncated": (truncated, "holds no records"),
    "empty": (lambda path: path.write_bytes(b""), "holds no records"),
    "random": (lambda path: path.write_bytes(bytes(range(256)) * 9), "holds no records"),
    "an empty folder": (empty_folder, "is not a regular file"),
    "a pipe": (pipe, "is not a regular file"),
    "an endless device": (lambda path: (path.unlink(), path.symlink_to("/dev/zero")), "is not a regular file"),
    "of another run": (lambda path: write_records(path, rows(1, "other")), "it is replicate 1 of run other"),
    "one row of another run": (lambda path: write_records(path, rows(1) + rows(1, "other")), "of run other"),
    "another replicate": (lambda path: shutil.copy(path.with_name("replicate-000.parquet"), path), "is replicate 0"),
    "no rows": (lambda path: write_records(path, []), "it holds no rows"),
    "changed": (changed, "does not hold the rows that were written"),
    "no digest": (lambda path: pq.write_table(pq.read_table(path).replace_schema_metadata(), path), "has no digest"),
    "other columns": (lambda path: pq.write_table(pa.table({"a": [1]}), path), "holds no records"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_replicate_that_does_not_fit_is_moved_aside_and_named(whole, name, capsys):
    damage, reason = DAMAGE[name]
    path = whole.folder / "replicate-001.parquet"
    damage(path)
    assert whole.replicate(1) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert reason in said
    assert f"{path}: " in said
    assert "it is now replicate-001.parquet.damaged and is measured again" in said
    assert os.path.lexists(f"{path}.damaged")
    assert whole.replicate(1) is None  # as for one that is missing
    assert capsys.readouterr().err == ""
    whole.write(1, rows(1))
    damage(path)
    assert whole.replicate(1) is None
    assert os.path.lexists(f"{path}.damaged1"), "the first one would be lost"
    assert len(whole.replicate(0)) == 2


def test_a_replicate_that_is_none_of_the_run_is_named_and_left(whole, capsys):
    path = whole.folder / "replicate-7.parquet"
    write_records(path, rows(7))
    whole.open()
    assert capsys.readouterr().err == f"warning: {path} is no replicate of this run; it is left out\n"
    assert path.exists()


OTHERS = {
    "truncated": truncated,
    "text": lambda path: path.write_text("{"),
    "one is missing": lambda path: write_records(path, [admission(NAMES[0], seconds=1.0)]),
    "one is there twice": lambda path: write_records(
        path, [admission(name, seconds=1.0) for name in (*NAMES, NAMES[0])]
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_admissions_are_made_again_where_their_file_is_wrong(whole, name, capsys):
    path = whole.folder / raw.ADMISSIONS
    OTHERS[name](path)
    assert whole.admissions(NAMES, BENCHMARKS) is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"warning: {path}: " in said
    assert path.with_name(f"{path.name}.damaged").exists()


@given(st.binary(max_size=60), st.floats(0, 1), st.booleans())
def test_no_damage_of_a_file_of_records_goes_unseen(tmp_path_factory, noise, where, cut):
    path = tmp_path_factory.mktemp("records") / "replicate-000.parquet"
    write_records(path, rows(0))
    content, before = path.read_bytes(), read_records(path)
    start = int(where * len(content))
    path.write_bytes(content[:start] + noise + (b"" if cut else content[start + len(noise) :]))
    found, said = before, str(path)
    try:
        found = read_records(path, sealed=True)
    except ValueError as error:
        said = str(error)
    assert found == before
    assert said.startswith(str(path))
    assert "\n" not in said


OPTIONS = RunOptions(
    run_id="r", benchmarks=(ID,), device="cpu", threads=1, turn_seconds=0.1, seed=0, weights=None, call_seconds=1.0,
    memory_bytes=2**30, implementations=("reference",), digests=(registry.resolve("reference").digest,),
    shared_digests=choices.shared_digests(), weights_digest=None,
    replicates=1, blocks=1, baseline="reference", versions={}, commit=Commit(),
)  # fmt: skip


@pytest.mark.parametrize("text", [json_text(OPTIONS)[:200], "", "[1]", '{"seed": NaN}', '{"threads": "two"}', "\0"])
def test_a_run_json_that_is_damaged_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(click.UsageError, match=r"no readable run\.json"):
        resumed(RunOptions(resume=str(tmp_path)))
    (tmp_path / "run.json").unlink()
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(click.UsageError, match="is not a regular file"):
        resumed(RunOptions(resume=str(tmp_path)))


def test_the_file_of_impls_that_has_changed_is_named(tmp_path):
    digests = {**choices.shared_digests(), "core/problem.py": "0"}
    began = msgspec.structs.replace(OPTIONS, shared_digests=digests, versions=dict.fromkeys(["reference"], ""))
    (tmp_path / "run.json").write_text(json_text(began))
    with pytest.raises(click.UsageError, match=r"^impls/core/problem\.py has changed since"):
        resumed(RunOptions(resume=str(tmp_path)))


@pytest.fixture
def begun(tmp_path):
    """A function that writes the run.json of a run that has begun, with changes, and returns what resumes it."""

    def write(**changes):
        (tmp_path / "raw").mkdir(exist_ok=True)
        versions = {"reference": versions_of(registry.resolve("reference"))}
        began = msgspec.structs.replace(OPTIONS, **{"versions": versions, **changes})
        (tmp_path / "run.json").write_text(json_text(began))
        return RunOptions(resume=str(tmp_path))

    return write


def test_a_run_is_not_resumed_on_another_gpu(begun, monkeypatch):
    options = begun(device="cuda", gpu="NVIDIA H100, 580.95")
    for here, said in (("NVIDIA H200, 580.95", "NVIDIA H200, 580.95"), (None, "none")):
        monkeypatch.setattr(machine, "gpu_model", lambda here=here: here)
        with pytest.raises(click.UsageError, match=f"began on NVIDIA H100, 580.95; here is {said}"):
            resumed(options)
    monkeypatch.setattr(machine, "gpu_model", lambda: "NVIDIA H100, 580.95")
    assert resumed(options)[0].gpu == "NVIDIA H100, 580.95"


def test_a_run_is_not_resumed_with_other_versions_or_weights(begun, tmp_path):
    with pytest.raises(click.UsageError, match=r"that run began with numpy 1\.0; here is numpy"):
        resumed(begun(versions={"reference": "numpy 1.0"}))
    weights = tmp_path / "w.npz"
    weights.write_bytes(b"before")
    options = begun(weights=str(weights), weights_digest=choices.file_digest(weights))
    assert resumed(options)[0].weights == str(weights)
    weights.write_bytes(b"after")
    with pytest.raises(click.UsageError, match=r"w\.npz has changed since that run began"):
        resumed(options)


def test_a_damaged_file_of_a_calibration_is_named_before_anything_is_measured(tmp_path):
    pool, gates = tmp_path / "pool", tmp_path / "gates"
    gates.mkdir()
    claim(pool, Identity(Machine()))
    nothing = dict.fromkeys(("wall_seconds", "steal_seconds", "pressure_seconds"), 0.0)
    turn = Turn(block=0, position=0, seconds=1.0, involuntary_switches=0, **nothing)
    write_records(pool / "replicate-1.parquet", rows(0, turns=[turn]), COMPARED)
    gate = {"kind": "same", "slowed": "", "exit_code": 0, "regressions": [], "worse": [], "seconds": 1.0, "date": "x"}
    (gates / "1.json").write_text(json.dumps(gate))
    assert len(stored(tmp_path)[1]) == 1
    for text in ("", "{", "[]", '{"kind": "same"}'):
        (gates / "2.json").write_text(text)
        with pytest.raises(click.UsageError, match=r"2\.json is not "):
            stored(tmp_path)
    (gates / "2.json").unlink()
    truncated(pool / "replicate-1.parquet")
    with pytest.raises(click.UsageError, match=r"replicate-1\.parquet holds no records"):
        stored(tmp_path)


def test_a_folder_with_only_an_unfinished_start_is_usable_and_a_hidden_file_of_a_user_is_not(tmp_path):
    left = tmp_path / ".arriving-0123456789abcdef.json"
    left.touch()
    assert choices.usable_out(tmp_path) == tmp_path
    assert not left.exists()
    (tmp_path / ".mine").touch()
    with pytest.raises(click.UsageError, match="not an empty folder"):
        choices.usable_out(tmp_path)

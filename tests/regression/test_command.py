"""The options of a gate, and the files that it writes."""

import errno

import click
import msgspec
import pytest
from click.testing import CliRunner

from benchmarks import json_files, machine
from benchmarks.metadata import Metadata
from benchmarks.regression import command, outcome
from benchmarks.regression.comparison import Comparison
from benchmarks.regression.decision import GateKey
from benchmarks.regression.findings import Finding
from benchmarks.regression.gate_options import TURN_SECONDS, GateOptions, Percent, turn_seconds
from benchmarks.regression.outcome import Result
from benchmarks.regression.slowdowns import Slowdown
from benchmarks.runner.blocks import SPACING_SECONDS
from benchmarks.runner.sides import Side
from impls.core import command_line


def test_the_verdict_is_the_last_file_of_a_gate(tmp_path, monkeypatch):
    """A gate that dies while it writes has no verdict."""

    def write(path, _):
        if path.name == outcome.FILE:
            raise KeyboardInterrupt
        path.touch()

    monkeypatch.setattr(json_files, "write", write)
    with pytest.raises(KeyboardInterrupt):
        command.write_files(
            tmp_path, Result(0.02), Result(0.02).written("t", False, {}), Metadata(run=GateOptions()), "text"
        )
    files = {"environment.json", "regression.parquet", "regression.md", "regression.xml"}
    assert {path.name for path in tmp_path.iterdir()} == files


KEY = GateKey("numpy_lstm t1-b1-i1-h1/sequence/forward")
SLOWER = Finding(KEY, "time", "slower", 2.0, 1.9, 2.1, 0.02, replicates=8, tests=1, base=1e-3, head=2e-3)
SAME = msgspec.structs.replace(SLOWER, verdict="same", ratio=1.0)


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """A function that runs a gate which measures nothing, but has these findings; the command's result."""
    sides = [Side(label, {}) for label in ("base", "head")]
    monkeypatch.setattr(command, "resolved", lambda options: (options, Comparison(*sides, "title"), (0,)))
    monkeypatch.setattr(machine, "describe", lambda options: Metadata(run=options))
    monkeypatch.setattr(command_line, "heed_signals", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    def run(*findings):
        monkeypatch.setattr(command, "measure_and_decide", lambda *_: Result(0.02, list(findings)))
        words = ["--base", "HEAD", "--out", str(tmp_path / "out")]
        return CliRunner().invoke(command.regression, words, standalone_mode=False)

    return run


@pytest.mark.parametrize("stopped", [None, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("known", [0, 1])
def test_whatever_happens_while_it_is_explained_the_verdict_stands(stopped, known, gate, tmp_path, monkeypatch):
    out, summary = tmp_path / "out", tmp_path / "summary.md"
    first = []

    def locate(*_):
        assert outcome.read(out).exit_code == 1
        first.append(summary.read_text())
        for _ in range(known):
            yield KEY, Slowdown(1e-3, failure="why")
        if stopped:
            raise stopped

    monkeypatch.setattr(command, "locate", locate)
    done = gate(SLOWER)
    assert done.return_value == 1
    verdict = outcome.read(out).verdict
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(verdict)
    assert [line.startswith(verdict) for line in lines].count(True) == 1 + known
    assert any(line.startswith("where: ") for line in lines) == bool(known)
    written = (out / "regression.md").read_text()
    assert ("why" in written) == bool(known)
    (before,) = first
    whole = summary.read_text()
    assert whole.count(verdict) == 1
    assert whole.startswith(before)
    assert ("why" in whole) == bool(known)


@pytest.mark.parametrize(("finding", "code"), [(SLOWER, 1), (SAME, 3)])
def test_where_the_disk_is_full_the_verdict_is_printed_all_the_same(finding, code, gate, monkeypatch):
    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command, "write_records", write)
    done = gate(finding)
    assert done.return_value == code
    assert "regression" in done.stdout.splitlines()[-1]
    assert "No space left" in done.stderr


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.05", 0.05), ("100%", 1.0), (0.02, 0.02)])
def test_a_margin_is_a_share_or_a_percentage(text, share):
    assert Percent().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["2", "0", "nan", "2 %%", "0.01%"])
def test_another_margin_is_refused(text):
    with pytest.raises(click.UsageError):
        Percent().convert(text, None, None)


def test_every_option_reaches_the_gate(monkeypatch):
    seen = []
    monkeypatch.setattr(command.Gate, "run", lambda gate: seen.append(gate.options))
    words = "--base v1 --head v2 --impl a --impl b --problem t1-b1-i1-h1 --workload cell --mode forward --margin 5%"
    words += " --threads 2 --strict --out there --even-if-same --replicates 9"
    CliRunner().invoke(command.regression, words.split(), standalone_mode=False)
    assert seen == [
        GateOptions(
            run_id=seen[0].run_id, base="v1", head="v2", implementations=("a", "b"), problems=("t1-b1-i1-h1",),
            workloads=("cell",), modes=("forward",), margin=0.05, threads=2, strict=True, out="there",
            even_if_same=True, replicates=9,
        )
    ]  # fmt: skip
    assert len([option for option in command.regression.params if not option.hidden]) <= 14


def test_what_goes_wrong_is_no_regression(monkeypatch):
    def run(_):
        raise RuntimeError("an error\nof ours")

    monkeypatch.setattr(command.Gate, "run", run)
    done = CliRunner().invoke(command.regression, ["--base", "v1"], standalone_mode=False)
    assert done.return_value == 3
    assert done.stderr == "error: could not measure: RuntimeError: an error of ours\n"


def test_a_summary_that_cannot_be_written_to_is_a_warning(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    command.to_summary("text")
    assert "GITHUB_STEP_SUMMARY" in capsys.readouterr().err


def test_turns_of_few_benchmarks_fill_the_time_until_the_next_block():
    assert [turn_seconds(n, "cpu") for n in (3, 12, 24)] == [TURN_SECONDS] * 3
    for n in (1, 2):
        assert turn_seconds(n, "cpu") > TURN_SECONDS
        assert SPACING_SECONDS / 2 < 4 * n * turn_seconds(n, "cpu") < SPACING_SECONDS


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "give either"),
        ("--base HEAD --base-requirement jax==1", "give either"),
        ("--base-requirement jax==1 --head HEAD", "--head takes --base"),
        ("--base-requirement ==", "is not a requirement"),
        ("--base no-such-revision", "names no commit"),
        ("--base HEAD --impl torch_cel", "did you mean torch_cell"),
    ],
)
def test_what_can_not_be_compared_is_refused_before_anything_is_written(words, said, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = CliRunner().invoke(
        command.regression, [*words.split(), "--out", str(tmp_path / "out")], standalone_mode=False
    )
    assert isinstance(done.exception, click.UsageError)
    assert said in done.exception.message
    assert not (tmp_path / "out").exists()

"""The options of a gate, and the files that it writes."""

import click
import pytest
from click.testing import CliRunner

from benchmarks import json_files
from benchmarks.regression import command, outcome
from benchmarks.regression.gate_options import TURN_SECONDS, GateOptions, Percent, turn_seconds
from benchmarks.regression.outcome import Result
from benchmarks.runner.blocks import SPACING_SECONDS


@pytest.mark.process
def test_the_verdict_is_the_last_file_of_a_gate(tmp_path, monkeypatch):
    """A gate that dies while it writes has no verdict."""

    def write(path, _):
        if path.name == outcome.FILE:
            raise KeyboardInterrupt
        path.touch()

    monkeypatch.setattr(json_files, "write", write)
    with pytest.raises(KeyboardInterrupt):
        command.write_files(tmp_path, Result(0.02), Result(0.02).written("t", False, {}), GateOptions(base="HEAD"))
    files = {"environment.json", "regression.parquet", "regression.md", "regression.xml"}
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.05", 0.05), ("100%", 1.0), (0.02, 0.02)])
def test_a_margin_is_a_share_or_a_percentage(text, share):
    assert Percent().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize("text", ["2", "0", "nan", "2 %%", "0.01%"])
def test_another_margin_is_refused(text):
    with pytest.raises(click.UsageError):
        Percent().convert(text, None, None)


def test_every_option_reaches_the_gate(monkeypatch):
    seen = []
    monkeypatch.setattr(command, "gate", lambda options: seen.append(options) or Result(0.02))
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
    def gate(_):
        raise RuntimeError("an error\nof ours")

    monkeypatch.setattr(command, "gate", gate)
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

"""What a run says of its time before it starts."""

import msgspec
import pytest

from benchmarks import duration
from benchmarks.bench.rounds import PAUSE_SECONDS
from benchmarks.bench.run import seconds_left
from benchmarks.bench.run_options import RunOptions
from benchmarks.progress import Stage
from benchmarks.regression.gate_options import GateOptions
from impls.core import registry

OPTIONS = RunOptions(
    implementations=("torch_lstm", "jax_cudnn", "numpy_lstm", "peak"),
    benchmarks=("t4-b2-i8-h8/sequence/forward", "t4-b2-i8-h8/sequence/train_step", "t5-b2-i8-h8/sequence/forward"),
    threads=2, turn_seconds=0.5, replicates=3, blocks=4,
)  # fmt: skip


def test_what_is_known_to_be_slow_is_there():
    assert set(duration.SLOW) <= set(registry.catalogue())


@pytest.fixture
def only_turns(monkeypatch):
    """Let everything take no time but what is timed."""
    for name in vars(duration):
        if name.endswith(("_SECONDS", "_CALLS")):
            monkeypatch.setattr(duration, name, 0.0)
    monkeypatch.setattr(duration, "REFERENCE_OPERATIONS", float("inf"))


@pytest.mark.usefixtures("only_turns")
def test_the_turns_of_all_that_can_run_are_counted():
    """On a CPU, jax_cudnn cannot. A block has two turns of each."""
    of_replicate = 3 * 3 * 4 * 2 * 0.5  # implementations, benchmarks, blocks, turns, seconds
    assert duration.seconds(OPTIONS, 3) == 3 * of_replicate
    assert duration.words(OPTIONS, 200.0) == "measuring 2 problems × 2 implementations; it takes about 3 minutes"


@pytest.mark.usefixtures("only_turns")
def test_a_turn_is_as_long_as_its_calls(monkeypatch):
    """Where a call is longer than a turn, and a thousand calls of a stream. The peak's calls stay short."""
    for call, benchmark in ((2.0, "t4-b2-i8-h8/sequence/forward"), (0.002, "t4-b2-i8-h8/stream/forward")):
        monkeypatch.setattr(duration, "call_seconds", lambda *_, call=call: call)
        options = msgspec.structs.replace(OPTIONS, benchmarks=(benchmark,), blocks=1)
        assert duration.seconds(options, 1) == 2 * (2.0 + 2.0 + 0.5)


@pytest.mark.usefixtures("only_turns")
def test_a_gate_has_two_sides_and_at_most_all_its_replicates():
    options = GateOptions(
        benchmarks=("t4-b2-i8-h8/sequence/forward",), turn_seconds=1.0, replicates=40, blocks=15, threads=1
    )
    of_replicate = 15 * 4 * 1.0  # blocks, turns of both sides
    assert duration.parts(options, duration.pairs(options, [registry.resolve("torch_lstm")]), 2) == (0.0, of_replicate)
    said = duration.words_of_gate(options, [registry.resolve("torch_lstm")], 4)
    assert said.endswith("it takes about 4 minutes or more, at most about 40 minutes")


def test_only_what_is_left_of_a_run_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(duration, "seconds", lambda _, count, admitted=False: 100.0 * count + 10.0 * (not admitted))
    assert duration.stages(OPTIONS)[Stage.CHECKING] == 10.0 / 310.0
    assert seconds_left(OPTIONS, tmp_path) == 310.0
    options = msgspec.structs.replace(OPTIONS, rounds=4)
    assert seconds_left(options, tmp_path) == 4 * 310.0 + 3 * PAUSE_SECONDS
    for name, whole in (("round-1", 3), ("round-2", 1)):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        (raw / "admissions.parquet").touch()
        for number in range(whole):
            (raw / f"replicate-00{number}.parquet").touch()
    assert seconds_left(options, tmp_path) == 200.0 + 2 * 310.0 + 2 * PAUSE_SECONDS
    assert seconds_left(msgspec.structs.replace(options, every=3600.0), tmp_path) == 2 * 3600.0 + 310.0

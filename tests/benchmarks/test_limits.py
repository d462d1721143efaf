"""What a run says of its limits: the peak is the best of all libraries and products, and each rate has its library."""

import json

import click
import msgspec
import pytest

from benchmarks import limits
from benchmarks.metadata import LARGE, Machine, Metadata
from benchmarks.options import Options

BEFORE = Metadata(machine=Machine(cpu="a cpu"), run=Options(run_id="r", baseline="base"))
PLANS = {"p/sequence": {"forward": {"1 x 6,5,28": "XLA"}, "backward": {"3 x 2,7,28": "oneDNN", "1 x 6,5,28": "XLA"}}}


def folder(tmp_path, peaks, floor):
    for name, content in ((limits.PEAK, peaks), (limits.FLOOR, floor)):
        if content is not None:
            (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    ("in_floor", "peak", "library"),
    [({}, 4e11, "oneDNN"), ({"1 x 6,5,28": {"XLA": 3e11, "NumPy": 1e11}}, 4e11, "oneDNN"),
     ({"1 x 6,5,28": {"XLA": 5e11}}, 5e11, "XLA")],
)  # fmt: skip
def test_the_peak_is_the_best_rate_of_all(in_floor, peak, library, tmp_path):
    raw = folder(
        tmp_path,
        {
            "rates": {"float32": {"PyTorch": 2e11, "oneDNN": 4e11}, "float64": {"PyTorch": 1e11}},
            "dispatch": {"B": "Zen"},
        },
        {"plans": PLANS, "rates": {"float32": in_floor}},
    )
    known = limits.described(BEFORE, raw)
    said = msgspec.to_builtins(known)
    assert known.machine == Machine(cpu="a cpu", dispatch={"B": "Zen"})
    assert said["matmul_flops_per_second"] == {"float32": peak, "float64": 1e11}
    assert said["peak_library"] == {"float32": library, "float64": "PyTorch"}
    assert said["floor_libraries"] == {"p/sequence": "XLA, oneDNN"}
    assert said["rates"]["float32"] == {LARGE: {"PyTorch": 2e11, "oneDNN": 4e11}, **in_floor}


def test_without_the_floor_nothing_is_said(tmp_path):
    for raw in (folder(tmp_path, {}, None), tmp_path / "nowhere"):
        known = limits.described(BEFORE, raw)
        assert not known.rates
        assert not known.matmul_flops_per_second
        assert not known.floor_libraries
        assert known.machine == BEFORE.machine


@pytest.mark.parametrize("name", [limits.PEAK, limits.FLOOR])
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        "\x00\xff",
        '{"rates": {"a": 3}}',
        '{"rates": {"a": {"b": "c"}}}',
        '{"rates": {"a": {"b": -1}}}',
    ],
)
def test_a_damaged_file_is_named(name, content, tmp_path):
    folder(tmp_path, {"rates": {"float32": {"PyTorch": 2e11}}}, {"plans": PLANS})
    limits.described(BEFORE, tmp_path)
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(click.UsageError, match=rf"{name} is damaged: "):
        limits.described(BEFORE, tmp_path)

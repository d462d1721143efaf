"""Sessions without workers: nobody has admitted or started their arms."""

from __future__ import annotations

from pathlib import Path

from benchmarks.options import Options
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side

BENCHMARK = "t4-b2-i8-h8/sequence/train_step"


def session_of(folder: Path, *sides: Side, kind: type[Session] = Session) -> Session:
    """Make a session of one benchmark. Every session has the same seed."""
    configuration = Options(
        run_id="r", benchmarks=(BENCHMARK,), device="cpu", threads=1, turn_seconds=0.015, seed=0, weights=None,
        call_seconds=60, memory_bytes=2**34,
    )  # fmt: skip
    return kind(configuration, sides, (0,), folder, lambda *_: None)

"""Sessions and arms that are not started yet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.runner.arm import Arm
from benchmarks.runner.environment import Limits
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, Version, version_of
from impls.core.registry import Implementation

BENCHMARK = "t4-b2-i8-h8/sequence/train_step"


def session_of(folder: Path, *sides: Side, kind: type[Session] = Session) -> Session:
    """Make a session of one benchmark. Every session has the same seed."""
    options = Options(
        run_id="r", benchmarks=(BENCHMARK,), device="cpu", threads=1, turn_seconds=0.015, seed=0, weights=None,
        call_seconds=60, memory_bytes=2**34,
    )  # fmt: skip
    return kind(options, sides, (0,), folder, lambda *_: None)


def admission(name: str, status: str = "ok", reason: str = "", **known: Any) -> Record:
    """Make the row of an admission to BENCHMARK."""
    problem, workload, mode = BENCHMARK.split("/")
    where = {"problem": problem, "workload": workload, "mode": mode}
    return Record(run_id="r", implementation=name, **where, replicate=-1, status=status, reason=reason, **known)


def arm_of(implementation: Implementation | Version, folder: Path) -> Arm:
    """Make an arm with one processor."""
    version = implementation if isinstance(implementation, Version) else version_of(implementation)
    limits = Limits((min(os.sched_getaffinity(0)),), 60, 2**34)
    return Arm(version, "cpu", limits, "float32", folder)

"""Sessions and arms that are not started yet, and arms whose workers are made up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.options import Options
from benchmarks.record import Record
from benchmarks.runner.arm import Arm
from benchmarks.runner.session import Session
from benchmarks.runner.sides import ArmFailed, Side, Version, version_of
from benchmarks.worker import profiles, requests
from benchmarks.worker.timing import Turn
from benchmarks.worker.used_files import Used
from impls.core.registry import Implementation

BENCHMARK = "t4-b2-i8-h8/sequence/train_step"


def session_of(
    folder: Path, *sides: Side, benchmarks: Sequence[str] = (BENCHMARK,), kind: type[Session] = Session
) -> Session:
    """Make a session with one processor."""
    options = Options(run_id="r", benchmarks=tuple(benchmarks), threads=1, turn_seconds=0.015, call_seconds=60)
    return kind(options, sides, (min(os.sched_getaffinity(0)),), folder, lambda *_: None)


def row_of(name: str, replicate: int = 0, benchmark: str = BENCHMARK, **known: Any) -> Record:
    """Make the row of an implementation."""
    problem, workload, mode = benchmark.split("/")
    where = {"problem": problem, "workload": workload, "mode": mode}
    return Record(run_id="r", implementation=name, **where, replicate=replicate, **known)


def admission(name: str, status: str = "ok", reason: str = "", **known: Any) -> Record:
    """Make the row of an admission."""
    return row_of(name, -1, status=status, reason=reason, **known)


def arm_of(implementation: Implementation | Version, folder: Path) -> Arm:
    """Make an arm with one processor."""
    version = implementation if isinstance(implementation, Version) else version_of(implementation)
    options = Options(call_seconds=60)
    return Arm(version, options, (min(os.sched_getaffinity(0)),), "float32", folder)


class Answering:
    """An arm whose worker agrees with the reference, and keeps what it was asked. Its calls take a second each.

    answers: by the type of a request, what it answers in place of the usual: a value, a function of the request that
        returns it, or an ArmFailed.
    """

    def __init__(self, answers: dict[type, Any] | None = None, versions: str = "numpy 2") -> None:
        self.implementation = SimpleNamespace(is_peak=False)
        self.pid = os.getpid()
        self.versions = versions
        self.cores, self.process, self.alive = (0,), None, True
        self.now = 0.0
        self.asked: list[Any] = []
        self.answers = {
            requests.Open: requests.Opened(2.0, 2**20),
            requests.Check: requests.Checked(1e-7, "output", ["forward"]),
            requests.Inspect: 0.5,
            requests.TakeTurn: lambda _: requests.Taken(Turn(seconds=1.0, samples=[1.0]), 1.0, []),
            requests.UsedFiles: Used({}, []),
            requests.Pipeline: requests.Pipelined(0.001, 0.0008, 5.0),
            profiles.NameKernel: "aten::mm × 2",
            **(answers or {}),
        }

    @property
    def kinds(self) -> list[str]:
        """The types of the requests so far."""
        return [type(request).__name__ for request in self.asked]

    def ask(self, request: Any) -> Any:
        """Answer as a worker does."""
        self.asked.append(request)
        answer = self.answers.get(type(request))
        answer = answer(request) if callable(answer) else answer
        if isinstance(answer, ArmFailed):
            raise answer
        if isinstance(request, requests.TakeTurn):
            self.now += sum(answer.turn.samples)
        return answer

    def check_from_outside(self, pools: Sequence[int] = ()) -> None:
        """Find nothing."""

    def bind(self) -> None:
        """Move no thread."""

    def ensure_running(self) -> None:
        """Live again."""
        self.alive = True

    def kill(self) -> None:
        """Die."""
        self.alive = False

"""What decides a run: its configuration in run.json, from which it is resumed."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from benchmarks import machine, options
from benchmarks.cases import Benchmark
from benchmarks.metadata import Commit
from benchmarks.runner.configuration import Configuration
from impls.core import registry
from impls.core.contract import DEVICES
from impls.core.files import read_regular
from impls.core.precision import PRECISIONS
from impls.core.text import json_text
from impls.core.versions import versions_of

MOST = {
    "threads": 2**12,
    "replicates": options.MOST_REPLICATES,
    "blocks": options.MOST_BLOCKS,
    "turn_seconds": 3600,
    "call_seconds": 10**9,
    "memory_bytes": 2**60,
}
"""The largest values that a run may have."""


class RunConfiguration(Configuration, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Everything that decides what a run does. run.json keeps it, and --resume reads it."""

    implementations: tuple[str, ...]
    digests: tuple[str, ...]
    shared_digest: str
    shared_digests: dict[str, str] = msgspec.field(default_factory=dict)  # by file; none in runs of earlier versions
    weights_digest: str | None
    replicates: int
    blocks: int
    baseline: str
    versions: dict[str, str]
    commit: Commit
    preset: str = ""
    gpu: str = ""  # its model and driver, where the run is on one

    def __post_init__(self) -> None:
        """Check the numbers and names; msgspec makes a ValidationError of a ValueError."""
        for name, most in MOST.items():
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0 and at most {most:g}")
        if not 0 <= self.seed < 2**63 or self.device not in DEVICES or self.precision not in PRECISIONS:
            raise ValueError(f"seed {self.seed}, device {self.device} or precision {self.precision} is not known")
        if not self.benchmarks or len(self.digests) != len(self.implementations):
            raise ValueError("no benchmarks, or not one digest for each implementation")
        for names in (self.implementations, self.benchmarks):
            if len(set(names)) < len(names):
                raise ValueError("it names an implementation or a benchmark twice")
        for text in self.benchmarks:
            Benchmark.parse(text)

    def dumps(self) -> str:
        """Return the text of run.json."""
        return json_text(self)


def gpu_of(device: str) -> str:
    """Return the model and the driver of the GPU that a run on that device has; nothing for a run on the CPU."""
    return (machine.gpu_model() or "") if device == "cuda" else ""


def resumed(folder: Path) -> RunConfiguration:
    """Return the configuration of a run to resume.

    Raises:
        UsageError: where the folder holds no run, or something that it measures has changed since.
    """
    try:
        configuration = msgspec.json.decode(read_regular(folder / "run.json"), type=RunConfiguration)
    except ValueError as error:
        raise click.UsageError(f"{folder} holds no run to resume (no readable run.json: {error})") from None
    try:
        implementations = [registry.resolve(path) for path in configuration.implementations]
        changed = [
            str(implementation.path)
            for implementation, digest in zip(implementations, configuration.digests, strict=True)
            if implementation.digest != digest
        ]
        if options.shared_digest() != configuration.shared_digest:
            before, now = configuration.shared_digests, options.shared_digests()
            files = sorted(name for name in {*before, *now} if before and before.get(name) != now.get(name))
            changed.append(f"impls/{files[0]}" if files else "a file of impls/ that implementations import")
        if configuration.weights and options.file_digest(Path(configuration.weights)) != configuration.weights_digest:
            changed.append(configuration.weights)
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{folder}/run.json: {error}") from None
    if changed:
        raise click.UsageError(f"{changed[0]} has changed since that run began; start a new run")
    gpu = gpu_of(configuration.device)
    if gpu != configuration.gpu:
        raise click.UsageError(
            f"that run began on {configuration.gpu or 'no GPU'}; here is {gpu or 'none'}; start a new run"
        )
    for implementation in implementations:
        began = configuration.versions.get(implementation.name)
        if not implementation.requires and versions_of(implementation) != began:
            raise click.UsageError(
                f"that run began with {began}; here is {versions_of(implementation)}; start a new run"
            )
    return configuration


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder, so that two processes do not work on the same run."""
    with (folder / "run.json").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.UsageError(f"{folder} is being worked on by another process") from None
        yield

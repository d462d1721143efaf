"""python -m benchmarks run: check every implementation, time those that agree, and write tables to a folder."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import msgspec

from benchmarks import ROOT, limits, machine, options, results
from benchmarks.cases import PRESETS, Benchmark
from benchmarks.metadata import RunOptions
from benchmarks.progress import progress
from benchmarks.raw import ADMISSIONS, Raw
from benchmarks.record import Record, harmless, new_run_id
from benchmarks.run_configuration import RunConfiguration, gpu_of, locked, resumed
from benchmarks.runner import admission
from benchmarks.runner.rows import withdraw
from benchmarks.runner.session import Advance, Session
from benchmarks.runner.sides import Side, version_of
from benchmarks.scratch import scratch
from benchmarks.worker.devices import LEAST_TURN
from impls.core import command_line, registry
from impls.core.command_line import describe
from impls.core.contract import MODES
from impls.core.files import write_text
from impls.core.registry import Implementation
from impls.core.versions import versions_of

SIDE = "run"


class Run:
    """A run in its folder: one side, and a file for each replicate that has ended."""

    def __init__(self, configuration: RunConfiguration, folder: Path) -> None:
        self.configuration = configuration
        self.raw = folder / "raw"
        self.files = Raw(self.raw, configuration.run_id, configuration.replicates)
        implementations = [registry.resolve(text) for text in configuration.implementations]
        self.side = Side(SIDE, {implementation.name: version_of(implementation) for implementation in implementations})

    def execute(self, cores: tuple[int, ...], advance: Advance) -> Session:
        """Do what is left to do of the run, and return its session."""
        self.files.open()
        with scratch() as folder:
            session = Session(self.configuration, [self.side], cores, folder, advance)
            floor = folder / SIDE / "floor.json"
            floor.parent.mkdir()
            try:
                self._admit(session, floor)
                for number in range(self.configuration.replicates):
                    done = self.files.replicate(number)
                    if done is not None:
                        session.learn(done)
                    else:
                        rows = session.replicate(
                            number, self.configuration.blocks, of_all=self.configuration.replicates
                        )
                        self.files.write(number, rows)
            finally:
                session.close()
        return session

    def _keep(self, name: str, path: Path, back: bool = False) -> None:
        """Copy a file to the run's folder, or back from it."""
        source, target = (self.raw / name, path) if back else (path, self.raw / name)
        if source.exists():
            write_text(target, source.read_text(encoding="utf-8"))

    def _admit(self, session: Session, floor: Path) -> None:
        """Admit or refuse every arm, and measure the machine's peak; in a resumed run, read the admissions."""
        admissions = self.files.admissions(self.side.names, session.benchmarks)
        if admissions is not None:
            self._keep(limits.FLOOR, floor, back=True)
            for admitted in admissions:
                session.admissions[SIDE, admitted.implementation, admitted.benchmark] = admitted
                failure = self.side.versions[admitted.implementation].failure
                if admitted.status == "ok" and failure is not None:
                    raise click.UsageError(f"{admitted.implementation} can't be measured any more: {failure.reason}")
            return
        session.admit(kernels=True)
        peaks = limits.measure_peaks(session)
        if self.configuration.device != "cpu":  # a GPU's profiler may go on slowing down the processes that it watched
            session.close()
        write_text(self.raw / limits.PEAK, msgspec.json.encode(peaks).decode() + "\n")
        self._keep(limits.FLOOR, floor)
        write_text(self.raw / ADMISSIONS, admission.dumps(session.admissions.values()))

    def records(self) -> list[Record]:
        """Return every row of every replicate."""
        replicates = [self.files.replicate(number) for number in range(self.configuration.replicates)]
        if None in replicates:
            raise OSError(errno.ENOENT, "a replicate is gone or damaged since it was measured", str(self.raw))
        rows = [row for replicate in replicates for row in replicate or ()]
        withdraw(rows)
        return rows


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="quick", show_default=True)
@options.impl_option
@options.problem_option
@options.workload_option
@options.mode_option
@options.device_option
@options.precision_option
@options.cold_option
@click.option("--threads", type=click.IntRange(min=1), help="Processors of each arm.  [default: all]")
@click.option("--replicates", type=options.REPLICATES, help="Sets of fresh processes.  [default: the preset's]")
@click.option("--blocks", type=options.BLOCKS, help="Blocks of turns in a replicate.  [default: the preset's]")
@options.weights_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/DATE-PRESET]")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Continue a run that was interrupted.")
@options.seed_option
@click.option(
    "--baseline", metavar="NAME", help="Divide times by its time.  [default: torch_lstm, otherwise the first]"
)
@click.option("--floor/--no-floor", default=True, show_default=True, help="Also time the bare matrix products.")
@options.timeout_option
@options.memory_option
@click.pass_context
def run(ctx: click.Context, /, resume: Path | None, **given: Any) -> int:
    """Check every implementation, time those that agree, and write tables to a folder."""
    if resume is not None:
        options.refuse_others(ctx, "resume", "continues a run with its own options")
        configuration, folder = resumed(resume), resume
        options.set_precision(configuration.precision, configuration.device)
    else:
        configuration, folder = new_run(SimpleNamespace(**given))
    cores = options.choose_cores(configuration.threads)
    options.heed_signals()
    with locked(folder):
        try:
            current = Run(configuration, folder)
            with progress() as advance:
                session = current.execute(cores, advance)
            records = current.records()
            described = msgspec.structs.replace(
                machine.describe(msgspec.convert(msgspec.to_builtins(configuration), RunOptions)),
                commit=configuration.commit,  # the commit at its start
            )
            results.write_all(folder, records, limits.described(described, current.raw))
        except KeyboardInterrupt:
            command_line.say(f"interrupted; continue with: python -m benchmarks run --resume {folder}", err=True)
            return 130
        except OSError as error:  # such as a full disk
            how = f"; when that is fixed, continue with: python -m benchmarks run --resume {folder}"
            raise click.UsageError(describe(error) + (how if (folder / "run.json").exists() else "")) from None
    # in a process of its own: an error in the report cannot lose the measurement
    with session.stopwatch.spent("report"):
        reported = subprocess.run(report_command(configuration.preset, folder), cwd=ROOT, check=False)
    if reported.returncode == command_line.NOT_INSTALLED:
        command_line.say(f"no report could be made; where it can: python -m reports build {folder}")
    command_line.say(session.stopwatch.line())
    command_line.say(f"everything is in {folder}")
    if all(record.status != "ok" for record in records):
        reasons = sorted({f"{record.status}: {record.reason}" for record in records})
        command_line.say(f"nothing was timed ({'; '.join(reasons[:3])})", err=True)
    statuses = harmless(described.machine.gpu)
    bad = any(record.status not in statuses for record in records)
    return 1 if bad or reported.returncode not in (0, command_line.NOT_INSTALLED) else 0


def report_command(preset: str, folder: Path) -> list[str]:
    """Return the command that reports a run; that of a published run ends with 1 where a row is beyond its limit."""
    limits = ["--limits"] if preset == "published" else []
    return [sys.executable, "-m", "reports", "build", *limits, os.path.realpath(folder)]


def compared(given: SimpleNamespace) -> tuple[list[Implementation], str]:
    """Return the implementations that a run's options name, and the name of the baseline.

    Raises:
        click.UsageError: where one is unknown, or the baseline is not among them.
    """
    try:
        implementations = options.implementations(given.impls or PRESETS[given.preset].implementations, given.floor)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    names = [implementation.name for implementation in implementations]
    baseline = given.baseline or ("torch_lstm" if "torch_lstm" in names else names[0])
    if baseline not in names:
        raise click.UsageError(f"--baseline {baseline} is not among {', '.join(names)}; add --impl {baseline}")
    return implementations, baseline


def new_run(given: SimpleNamespace) -> tuple[RunConfiguration, Path]:
    """Check all options before anything is written, then write run.json. Return the configuration and the folder."""
    preset = PRESETS[given.preset]
    implementations, baseline = compared(given)
    problems = options.choose_problems(given.problems, given.weights, preset.problems)
    pairs = preset.pairs
    if given.workloads or given.modes:
        pairs = tuple(itertools.product(given.workloads or ("sequence",), given.modes or MODES))
    options.set_precision(given.precision, given.device)
    if given.cold_cache and given.device != "cuda":
        raise click.UsageError("--cold-cache empties a GPU's L2 cache; add --device cuda")
    threads, memory = len(options.choose_cores(given.threads)), options.memory_bytes(given.memory_limit)
    folder = options.usable_out(given.out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{given.preset}")
    configuration = RunConfiguration(
        run_id=new_run_id(),
        implementations=tuple(
            implementation.name if implementation.own else str(implementation.path)
            for implementation in implementations
        ),
        digests=tuple(implementation.digest for implementation in implementations),
        benchmarks=tuple(Benchmark(problem, *pair).id for problem in problems for pair in pairs),
        device=given.device,
        precision=given.precision,
        cold_cache=given.cold_cache,
        threads=threads,
        replicates=given.replicates or preset.replicates,
        blocks=given.blocks or preset.blocks,
        turn_seconds=max(preset.turn_seconds, LEAST_TURN[given.device]),
        seed=given.seed,
        weights=os.path.realpath(given.weights) if given.weights else None,
        weights_digest=options.file_digest(given.weights) if given.weights else None,
        call_seconds=given.timeout,
        memory_bytes=memory,
        baseline=baseline,
        versions={
            implementation.name: versions_of(implementation)
            for implementation in implementations
            if not implementation.requires
        },
        shared_digest=options.shared_digest(),
        shared_digests=options.shared_digests(),
        commit=machine.commit(),
        preset=given.preset,
        gpu=gpu_of(given.device),
    )
    write_text(folder / "run.json", configuration.dumps())
    return configuration, folder

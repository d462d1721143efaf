"""python -m benchmarks run | agree | regression | calibrate: measure, check, compare with before."""

from __future__ import annotations

import fcntl
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks import machine, results
from benchmarks.calibration.command import calibrate
from benchmarks.cases import AGREE_PROBLEMS, PRESETS, Benchmark
from benchmarks.correctness.matrix import agree
from benchmarks.measurement.session import Options, Run
from benchmarks.options import (
    Finite,
    choose_cores,
    device_option,
    file_digest,
    fit_weights,
    heed_signals,
    impl_option,
    implementations,
    memory_bytes,
    memory_option,
    mode_option,
    problem_option,
    seed_option,
    shared_digest,
    timeout_option,
    usable_out,
    weights_option,
    workload_option,
)
from benchmarks.progress import progress
from benchmarks.record import HARMLESS, new_run_id
from benchmarks.regression.command import regression
from impls.__main__ import run as run_command
from impls.core import contract
from impls.core.contract import MODES, WORKLOADS
from impls.core.files import write_text
from impls.core.problem import DTYPES, Problem

ROOT = Path(__file__).resolve().parent.parent


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check LSTM implementations against the oracle, and time those that agree."""


def resumed(folder: Path) -> Options:
    """The options of a run that was broken off, if nothing that it measures has changed since."""
    try:
        options = Options.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise click.UsageError(f"{folder} holds no run to resume (no readable run.json)") from None
    try:
        now = {path: contract.resolve(path).digest for path in options.implementations}
        changed = [path for path, digest in zip(now, options.digests, strict=True) if now[path] != digest]
        if shared_digest() != options.shared_digest:
            changed.append("a file of impls/ that implementations import")
        if options.weights and file_digest(Path(options.weights)) != options.weights_digest:
            changed.append(options.weights)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    if changed:
        raise click.UsageError(f"{changed[0]} has changed since that run began; start a new run")
    for framework, versions in options.versions.items():
        if machine.versions_of(framework) != versions:
            raise click.UsageError(
                f"that run began with {versions}; here is {machine.versions_of(framework)}; start a new run"
            )
    return options


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that two processes don't go on with the same run."""
    with (folder / "run.json").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.UsageError(f"{folder} is being worked on by another process") from None
        yield


@cli.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="quick", show_default=True)
@impl_option
@problem_option
@workload_option
@mode_option
@device_option
@click.option("--threads", type=click.IntRange(min=1), help="Processors for each arm.  [default: all]")
@click.option("--replicates", type=click.IntRange(min=1), help="Sets of fresh processes.  [default: the preset's]")
@click.option("--blocks", type=click.IntRange(min=1), help="Blocks of turns in a replicate.  [default: the preset's]")
@weights_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/DATE-PRESET]")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with a run that was broken off.")
@seed_option
@click.option("--baseline", metavar="NAME", help="What ratios are taken to.  [default: torch_lstm]")
@click.option("--floor/--no-floor", default=True, show_default=True, help="Time the bare matrix products as well.")
@timeout_option
@memory_option
@click.pass_context
def run(ctx: click.Context, /, resume: Path | None, **given: object) -> int:
    """Check every implementation, time those that agree, and write tables to a folder."""
    if resume is not None:
        extra = [name for name in given if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE]
        if extra:
            raise click.UsageError(f"--resume goes on as the run began; it does not go with --{extra[0].rstrip('s')}")
        options, folder = resumed(resume), resume
    else:
        options, folder = new_run(**given)  # type: ignore[arg-type]
    cores = choose_cores(options.threads)
    heed_signals()
    with alone(folder), progress() as advance:
        try:
            runner = Run(options, folder, cores, advance)
        except ValueError as error:  # of a run.json that somebody changed
            raise click.UsageError(f"{folder}/run.json: {error}") from None
        try:
            records = runner.execute()
        except KeyboardInterrupt:
            click.echo(f"broken off; what is finished is in {folder}/raw; go on with --resume {folder}", err=True)
            return 130
    described = {
        **machine.describe(),
        "commit": options.commit,  # that it began with
        "matmul_flops_per_second": runner.peak,
        "run": vars(options),
    }
    results.write_all(folder, records, described)
    # a process of its own: reports know nothing of benchmarks, and a fault there can't cost the measurement
    with runner.clock.spent("report"):
        reported = subprocess.run(
            [sys.executable, "-m", "reports", "build", str(folder.resolve())], cwd=ROOT, check=False
        )
    click.echo(runner.clock.line())
    click.echo(f"everything is in {folder}")
    if all(record["status"] != "ok" for record in records):
        reasons = sorted({f"{record['status']}: {record['reason']}" for record in records})
        click.echo(f"nothing was timed ({'; '.join(reasons[:3])})", err=True)
    bad = any(record["status"] not in HARMLESS for record in records)
    return 1 if bad or reported.returncode else 0


def new_run(
    preset: str,
    impls: tuple[str, ...],
    problems: tuple[Problem, ...],
    workloads: tuple[str, ...],
    modes: tuple[str, ...],
    device: str,
    threads: int | None,
    replicates: int | None,
    blocks: int | None,
    weights: Path | None,
    out: Path | None,
    seed: int,
    baseline: str | None,
    floor: bool,
    timeout: float,
    memory_limit: float | None,
) -> tuple[Options, Path]:
    """Check everything that was asked for before anything is written; then run.json."""
    chosen = PRESETS[preset]
    try:
        arms = implementations(impls, floor)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    names = [one.name for one in arms]
    wanted = baseline or ("torch_lstm" if "torch_lstm" in names else names[0])
    if wanted not in names:
        raise click.UsageError(f"--baseline {wanted} is not among {', '.join(names)}; add --impl {wanted}")
    measured = list(problems) or ([] if weights else [Problem.parse(text) for text in chosen.problems])
    if weights is not None:
        measured = fit_weights(weights, measured)
    pairs = chosen.pairs
    if workloads or modes:
        pairs = tuple(itertools.product(workloads or ("sequence",), modes or MODES))
    cores, memory = choose_cores(threads), memory_bytes(memory_limit)
    folder = usable_out(out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{preset}")
    options = Options(
        run_id=new_run_id(),
        implementations=tuple(one.name if one.own else str(one.path) for one in arms),
        digests=tuple(one.digest for one in arms),
        benchmarks=tuple(Benchmark(problem, *pair).id for problem in dict.fromkeys(measured) for pair in pairs),
        device=device,
        threads=len(cores),
        replicates=replicates or chosen.replicates,
        blocks=blocks or chosen.blocks,
        turn_seconds=chosen.turn_seconds,
        seed=seed,
        weights=str(weights.resolve()) if weights else None,
        weights_digest=file_digest(weights) if weights else None,
        call_seconds=timeout,
        memory_bytes=memory,
        baseline=wanted,
        versions={one.framework: machine.versions_of(one.framework) for one in arms},
        shared_digest=shared_digest(),
        commit=machine.commit(),
    )
    write_text(folder / "run.json", options.dumps())
    return options, folder


@cli.command("agree")
@impl_option
@problem_option
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Repeatable.  [default: both]")
@workload_option
@click.option("--timeout", type=Finite(min=0.1), default=600.0, show_default=True, help="Seconds for a problem.")
def agree_command(
    impls: tuple[str, ...],
    problems: tuple[Problem, ...],
    dtypes: tuple[str, ...],
    workloads: tuple[str, ...],
    timeout: float,
) -> int:
    """Compare every implementation with the oracle, in outputs, final states and every gradient."""
    try:
        arms = implementations(impls, floor=False)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    chosen = problems or tuple(Problem.parse(text) for text in AGREE_PROBLEMS)
    return agree(arms, chosen, dtypes or DTYPES, workloads or WORKLOADS, timeout)


cli.add_command(regression)
cli.add_command(calibrate)

if __name__ == "__main__":
    run_command(cli)

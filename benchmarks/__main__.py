"""python -m benchmarks run | agree: measure, or only check."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from benchmarks import environment, results
from benchmarks.agree import agree
from benchmarks.cases import AGREE_PROBLEMS, PRESETS, Benchmark
from benchmarks.progress import progress
from benchmarks.record import HARMLESS
from benchmarks.run import Options, Run
from impls import contract
from impls.__main__ import run as run_command
from impls.contract import DEVICES, MODES, WORKLOADS, Implementation
from impls.files import write_text
from impls.problem import DTYPES, Problem
from impls.weights import read_weights, shapes

ROOT = Path(__file__).resolve().parent.parent


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Check LSTM implementations against the oracle, and time those that agree."""


def implementations(names: tuple[str, ...], floor: bool) -> list[Implementation]:
    """What --impl names, or every one; none twice, and never the reference."""
    found = [contract.resolve(name) for name in names] or [
        one for one in contract.catalogue().values() if one.track not in ("floor", "reference")
    ]
    if floor and not any(one.name == "floor" for one in found):
        found.append(contract.resolve("floor"))
    for one, other in itertools.combinations(found, 2):
        if one.name == other.name:
            raise click.UsageError(f"two implementations are called {one.name} ({one.path}, {other.path}); rename one")
    for one in found:
        if one.track == "reference":
            raise click.UsageError(f"{one.name} is what the others are compared with; it is never timed")
    return found


def parse_problem(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[Problem, ...]:
    """What --problem names, as Problems."""
    try:
        return tuple(Problem.parse(value) for value in values)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


impl_option = click.option("--impl", "impls", multiple=True, metavar="NAME|FILE.py", help="Only these. Repeatable.")
problem_option = click.option(
    "--problem", "problems", multiple=True, metavar="ID", callback=parse_problem, help="Such as t64-b16-i128-h128."
)


def fit_weights(path: Path, problems: list[Problem]) -> list[Problem]:
    """The problems that a weights file is timed on. Raises UsageError where it does not fit one."""
    try:
        implied, given = read_weights(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not problems:
        lengths = {} if (implied.seq_len, implied.batch) != (1, 1) else {"seq_len": 64, "batch": 16}
        return [implied.replace(**lengths)]
    for problem in problems:
        for name, shape in shapes(problem).items():
            if name not in given or given[name].shape != shape:
                has = f"shape {given[name].shape}" if name in given else "no such array"
                raise click.UsageError(
                    f"{path} does not fit {problem.id}: {name} must have shape {shape}, it has {has}"
                )
    return problems


def usable_out(out: Path) -> Path:
    """The folder, made; refuses one that holds a run or can't be written to."""
    if (out / "run.json").exists():
        raise click.UsageError(f"{out} already holds a run; go on with --resume {out}, or give another --out")
    made = [parent for parent in (out, *out.parents) if not parent.exists()]
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise click.UsageError(f"{out} is not an empty folder; give a new one")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        for parent in made:
            if parent.exists():
                parent.rmdir()
        raise click.UsageError(f"{out} can't be written to: {error.strerror}; give another --out") from None
    return out


def resumed(folder: Path) -> Options:
    """The options of a run that was broken off, if nothing that it measures has changed since."""
    try:
        options = Options.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        raise click.UsageError(f"{folder} holds no run to resume (no readable run.json)") from None
    for path, digest in zip(options.implementations, options.digests, strict=True):
        try:
            same = contract.resolve(path).digest == digest
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if not same:
            raise click.UsageError(f"{path} has changed since that run began; start a new run")
    if options.weights and file_digest(Path(options.weights)) != options.weights_digest:
        raise click.UsageError(f"{options.weights} has changed since that run began; start a new run")
    for framework, versions in options.versions.items():
        if environment.versions_of(framework) != versions:
            raise click.UsageError(
                f"that run began with {versions}; here is {environment.versions_of(framework)}; start a new run"
            )
    return options


def file_digest(path: Path) -> str:
    """A short hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def choose_cores(threads: int | None) -> tuple[int, ...]:
    """The processors that every arm runs on: the last of those that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if threads is not None and threads > len(usable):
        raise click.UsageError(f"--threads is {threads}; this process may use {len(usable)} processors")
    return tuple(usable[-(threads or len(usable)) :])


def interrupt(*_: object) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


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
@click.option("--workload", "workloads", multiple=True, type=click.Choice(WORKLOADS), help="Repeatable.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), help="Repeatable.")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Processors for each arm.  [default: all]")
@click.option("--replicates", type=click.IntRange(min=1), help="Sets of fresh processes.  [default: the preset's]")
@click.option("--blocks", type=click.IntRange(min=1), help="Blocks of turns in a replicate.  [default: the preset's]")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE.npz", help="Instead of made-up weights.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/DATE-PRESET]")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with a run that was broken off.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--baseline", metavar="NAME", help="What ratios are taken to.  [default: torch_lstm]")
@click.option("--floor/--no-floor", default=True, show_default=True, help="Time the bare matrix products as well.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Seconds for a call.")
@click.option(
    "--memory-limit", type=click.FloatRange(min=0.1), help="GiB for a worker.  [default: half of what there is]"
)
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
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)
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
    described = {**environment.describe(), "run": vars(options)}
    results.write_all(folder, records, described)
    # a process of its own: reports know nothing of benchmarks, and a fault there can't cost the measurement
    reported = subprocess.run([sys.executable, "-m", "reports", "build", str(folder.resolve())], cwd=ROOT, check=False)
    click.echo(runner.clock.line())
    click.echo(f"everything is in {folder}")
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
        raise click.UsageError(f"--baseline {wanted} is not among {', '.join(names)}")
    measured = list(problems) or ([] if weights else [Problem.parse(text) for text in chosen.problems])
    if weights is not None:
        measured = fit_weights(weights, measured)
    pairs = chosen.pairs
    if workloads or modes:
        pairs = tuple(itertools.product(workloads or ("sequence",), modes or MODES))
    choose_cores(threads)
    folder = usable_out(out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{preset}")
    options = Options(
        run_id=f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}",
        implementations=tuple(one.name if one.own else str(one.path) for one in arms),
        digests=tuple(one.digest for one in arms),
        benchmarks=tuple(Benchmark(problem, *pair).id for problem in dict.fromkeys(measured) for pair in pairs),
        device=device,
        threads=threads or len(choose_cores(None)),
        replicates=replicates or chosen.replicates,
        blocks=blocks or chosen.blocks,
        turn_seconds=chosen.turn_seconds,
        seed=seed,
        weights=str(weights.resolve()) if weights else None,
        weights_digest=file_digest(weights) if weights else None,
        call_seconds=timeout,
        memory_bytes=int((memory_limit or psutil.virtual_memory().total / 2 / 2**30) * 2**30),
        baseline=wanted,
        versions={one.framework: environment.versions_of(one.framework) for one in arms},
    )
    write_text(folder / "run.json", options.dumps())
    return options, folder


@cli.command("agree")
@impl_option
@problem_option
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Repeatable.  [default: both]")
@click.option(
    "--workload", "workloads", multiple=True, type=click.Choice(WORKLOADS), help="Repeatable.  [default: all]"
)
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=600.0, show_default=True, help="Seconds for a problem."
)
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


if __name__ == "__main__":
    run_command(cli)

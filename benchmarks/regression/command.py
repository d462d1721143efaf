"""python -m benchmarks regression: did it get slower?"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import msgspec

from benchmarks import ROOT, choices, machine
from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.progress import progress
from benchmarks.record import COMPARED, new_run_id, write_records
from benchmarks.regression import bisect, comparison, decision, report, written
from benchmarks.regression.outcome import Result, Steps, alike, measure_and_decide
from benchmarks.regression.slowdowns import locate
from benchmarks.regression.snapshots import git
from benchmarks.regression.written import Written
from benchmarks.runner.blocks import SPACING_SECONDS
from benchmarks.runner.session import Session
from benchmarks.scratch import scratch
from benchmarks.stages import REGRESSION
from benchmarks.terminal import output
from benchmarks.worker.devices import LEAST_TURN
from impls.core import command_line
from impls.core.command_line import describe
from impls.core.contract import MODES
from impls.core.files import write_text
from impls.core.text import json_text, one_line

PROBLEM = "t64-b16-i128-h128"
GATED_MODES = ("forward", "train_step")
TURN_SECONDS = 0.016
"""Shorter than the turns of a run: more blocks in the same time make a ratio more precise."""
FILLED = 0.75
"""The share of the time from one block to the next that turns fill. With many benchmarks, blocks take longer anyway."""


class Percent(click.ParamType):  # type: ignore[type-arg]
    """A share, such as `2%` or `0.02`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a share."""
        if isinstance(value, float):
            return value
        try:
            share = float(value[:-1]) / 100 if value.endswith("%") else float(value)
        except ValueError:
            self.fail(f"{value!r} is not a percentage; write 2% or 0.02", param, ctx)
        if not 0.001 <= share <= 1:
            self.fail(f"{value} is not between 0.1% and 100%; 2 % is written 2% or 0.02", param, ctx)
        return share


@click.command()
@click.option("--base", metavar="REV", help="Compare with the files of this git revision.")
@click.option("--head", metavar="REV", help="Compare this revision instead of the working tree.")
@click.option("--bisect", "commits", metavar="GOOD..BAD", help="Find the commit that made it slower.")
@click.option(
    "--base-requirement",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="Compare with an environment that holds this requirement, such as jax==0.10.1. Repeatable.",
)
@choices.impl_option
@choices.problem_option
@choices.workload_option
@choices.mode_option
@choices.device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Processors of each worker.")
@click.option(
    "--margin",
    type=Percent(),
    default="2%",
    show_default=True,
    help="The slowdown that is to be found. Less than half of it is never a regression.",
)
@click.option("--twins", is_flag=True, help="Measure also where base and head have the same implementations.")
@click.option("--gates", type=click.IntRange(min=1), default=1, hidden=True, help="How many gates a fleet has.")
@click.option("--strict", is_flag=True, help="Exit 3 where any verdict is unclear.")
@click.option(
    "--replicates",
    type=click.IntRange(min=2),
    default=Steps.replicates,
    show_default=True,
    help="The most replicates. A benchmark that is settled earlier gets fewer, but at least 4. With less than 8, only"
    " large slowdowns are found.",
)
@click.option(
    "--blocks",
    type=click.IntRange(min=2),
    default=Steps.blocks,
    show_default=True,
    help="Blocks of a replicate.",
)
@choices.weights_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/DATE-regression]")
@choices.seed_option
@choices.timeout_option
@choices.memory_option
def regression(**given: Any) -> int:
    """Compare the working tree with a revision, or two versions of a dependency: did anything get slower?

    Exit code: 0 no regression found, 1 regression, 2 usage, 3 could not measure.
    """
    try:
        choices.heed_signals()
        return gate(SimpleNamespace(**given))[0] if given["commits"] is None else find_commit(SimpleNamespace(**given))
    except (click.ClickException, click.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # 1 would say that there is a regression
        said = describe(error) if isinstance(error, OSError | MemoryError) else f"{type(error).__name__}: {error}"
        command_line.say(f"error: could not measure: {one_line(said)}", err=True)
        return 3


def turn_seconds(benchmarks: int, device: str) -> float:
    """Return how long a turn is on a device, where so many benchmarks each take four turns in a block."""
    return max(TURN_SECONDS, FILLED * SPACING_SECONDS / (4 * benchmarks), LEAST_TURN[device])


def configure(given: SimpleNamespace, benchmarks: list[Benchmark], lstms: int, threads: int) -> Options:
    """Return what decides how a gate of so many LSTMs measures."""
    return Options(
        run_id=new_run_id(),
        benchmarks=tuple(benchmark.id for benchmark in benchmarks),
        device=given.device,
        threads=threads,
        turn_seconds=turn_seconds(max(1, lstms * len(benchmarks)), given.device),
        seed=given.seed,
        weights=os.path.realpath(given.weights) if given.weights else None,
        call_seconds=given.timeout,
        memory_bytes=choices.memory_bytes(given.memory_limit),
    )


def find_commit(given: SimpleNamespace) -> int:
    """Find the commit of a range that made something slower, and return the exit code."""
    if given.base is not None or given.head is not None or given.specs:
        raise click.UsageError("--bisect has its own base and head; leave --base, --head and --base-requirement out")
    folders = {Path(os.path.realpath(name)).parent for name in given.impls if comparison.is_foreign(name)} or {ROOT}
    try:
        if len(folders) > 1:
            raise ValueError("--bisect takes files of one folder")
        folder = folders.pop()
        good, bad = bisect.commits_of(given.commits, folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    out = choices.usable_out(given.out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-bisect")

    def compare(commit: str, **only: Any) -> tuple[int, Result | None]:
        return gate(SimpleNamespace(**{**vars(given), "base": good, "head": commit, "out": out / commit, **only}))

    code, result = compare(bad)
    if code != 1 or result is None:
        return code
    searched = result.worse
    keys = [key.rpartition(" ") for key, _ in searched]
    paths = {Path(name).stem: name for name in given.impls}
    impls = list(dict.fromkeys(paths.get(name, name) for name, *_ in keys))
    benchmarks = list(dict.fromkeys(Benchmark.parse(benchmark) for *_, benchmark in keys))

    def test(commit: str) -> bool | None:
        try:
            _, found = compare(commit, impls=impls, benchmarks=benchmarks)
        except click.UsageError as error:  # such as a commit without impls/
            command_line.say(f"{commit[:12]} is skipped: {error.message}", err=True)
            return None
        if found is None:
            raise KeyboardInterrupt
        return bisect.is_bad(found, searched)

    first, *skipped = bisect.search(folder, good, bad, test)
    subject = git(folder, "log", "-1", "--format=%s", first).decode().strip()
    line = f"the first bad commit is {first[:12]} ({one_line(subject)})"
    if skipped:
        line += f", or one that was skipped: {', '.join(commit[:12] for commit in skipped)}"
    command_line.say(f"{line}; every comparison is in {out}")
    return 1


def options_of(given: SimpleNamespace) -> list[str]:
    """Return the command line of a gate with these options, without its base, head and folder."""
    words = [
        f"--margin={given.margin}",
        f"--threads={given.threads}",
        f"--device={given.device}",
        f"--seed={given.seed}",
    ]
    words += [f"--replicates={given.replicates}", f"--blocks={given.blocks}", f"--timeout={given.timeout}"]
    words += ["--twins"] * given.twins
    words += [f"--weights={os.path.realpath(given.weights)}"] if given.weights else []
    words += [f"--memory-limit={given.memory_limit}"] if given.memory_limit else []
    repeated = {"impl": given.impls, "problem": given.problems, "workload": given.workloads, "mode": given.modes}
    return words + [f"--{name}={value}" for name, values in repeated.items() for value in values]


def gate(given: SimpleNamespace) -> tuple[int, Result | None]:
    """Run a gate with these options. Return the exit code, and the result where it has ended."""
    if (given.base is None) == (not given.specs):
        raise click.UsageError("give either --base REV or --base-requirement SPEC")
    if given.head is not None and given.base is None:
        raise click.UsageError("--head takes --base")
    try:
        benchmarks = getattr(given, "benchmarks", None) or choose_benchmarks(given)
        cores = choices.choose_cores(given.threads)
        if given.base is not None:
            compared = comparison.by_revision(given.impls, given.base, given.head)
        else:
            compared = comparison.by_requirement(given.impls, given.specs)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    lstms = len({*compared.base.versions} & {*compared.head.versions})
    configuration = configure(given, benchmarks, lstms, len(cores))
    folder = choices.usable_out(given.out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-regression")
    order_seed = secrets.randbits(32)  # new each time, so that no side is always favoured
    sides, spent = (compared.base, compared.head), None
    try:
        if compared.alike and not given.twins:
            result = alike(compared.base.names, benchmarks, given.margin)
        else:
            with scratch() as scratch_folder, progress(REGRESSION) as advance:
                session = Session(configuration, sides, cores, scratch_folder, advance, order_seed)
                try:
                    result = measure_and_decide(
                        session, decision.rules(given.margin), Steps(given.replicates, given.blocks), given.gates
                    )
                    if given.commits is None:
                        result.located = locate(session, result.records, result.slower)
                finally:
                    session.close()
            spent = session.stopwatch.line()
        line = result.last_line(given.strict)
        title = compared.title + (f"{written.ONE_OF}{given.gates} gates" if given.gates > 1 else "")
        code = {side.label: written.code_of(side) for side in sides}
        told = written.of(result, title, line, given.strict, code)
        write_files(folder, result, told, configuration, {**vars(given), "order_seed": order_seed})
    except KeyboardInterrupt:
        command_line.say("interrupted; a gate that has not ended leaves no files", err=True)
        return 130, None
    finally:
        with contextlib.suppress(OSError):  # where it holds the report
            folder.rmdir()
    if spent is not None:
        command_line.say(spent)
    report.show(result, title, line, output())
    command_line.say(f"everything is in {folder}")
    return result.exit_code(given.strict), result


def choose_benchmarks(given: SimpleNamespace) -> list[Benchmark]:
    """Return the benchmarks that the options ask for; by default a sequence's forward and train step."""
    problems = choices.choose_problems(given.problems, given.weights, [PROBLEM])
    workloads, modes = given.workloads, given.modes
    pairs = list(itertools.product(workloads or ("sequence",), modes or (MODES if workloads else GATED_MODES)))
    return [Benchmark(problem, *pair) for problem in problems for pair in pairs]


def write_files(folder: Path, result: Result, told: Written, configuration: Options, asked: dict[str, Any]) -> None:
    """Write environment.json, regression.parquet, .md, .xml, and .json as the last: each of them whole."""
    described = machine.describe(Options(run_id=configuration.run_id, baseline="base"))
    run = {**asked, **msgspec.to_builtins(configuration)}
    kept = {name: value if isinstance(value, int | float | str | None) else str(value) for name, value in run.items()}
    kept |= {name: list(map(str, value)) for name, value in run.items() if isinstance(value, tuple | list)}
    environment = {**msgspec.to_builtins(described), "run": {**kept, "baseline": "base"}}
    markdown = report.markdown(result, told.title, told.verdict, machine.provenance(described))
    write_text(folder / "environment.json", json.dumps(environment, indent=1) + "\n")
    write_records(folder / "regression.parquet", result.records, COMPARED)
    write_text(folder / "regression.md", markdown)
    write_text(folder / "regression.xml", report.junit(result, told.title))
    write_text(folder / written.FILE, json_text(told))
    to_summary(markdown)


def to_summary(markdown: str) -> None:
    """Add a report to the summary of a job of GitHub Actions, where this runs in one."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            command_line.say(f"warning: GITHUB_STEP_SUMMARY can't be written to: {error.strerror}", err=True)

"""python -m benchmarks regression: did it get slower?"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import machine
from benchmarks.cases import Benchmark
from benchmarks.measurement.arm import Limits
from benchmarks.measurement.blocks import Load
from benchmarks.options import (
    choose_cores,
    device_option,
    fit_weights,
    heed_signals,
    impl_option,
    memory_bytes,
    memory_option,
    mode_option,
    problem_option,
    seed_option,
    timeout_option,
    usable_out,
    weights_option,
    workload_option,
)
from benchmarks.progress import REGRESSION, progress
from benchmarks.record import COMPARED, new_run_id, write_records
from benchmarks.regression import comparison, decision, report
from benchmarks.regression.measure import Measurement, Settings
from benchmarks.regression.outcome import Result, Steps, judge
from benchmarks.scratch import scratch
from impls.core.contract import MODES
from impls.core.files import write_text
from impls.core.problem import Problem

ROOT = Path(__file__).resolve().parent.parent.parent
PROBLEM = "t64-b16-i128-h128"
GATED_MODES = ("forward", "train_step")


class Percent(click.ParamType):  # type: ignore[type-arg]
    """`2%` or `0.02`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As a share."""
        if isinstance(value, float):
            return value
        try:
            share = float(value[:-1]) / 100 if value.endswith("%") else float(value)
        except ValueError:
            self.fail(f"{value!r} is no share; write 2% or 0.02", param, ctx)
        if not 0.001 <= share <= 1:
            self.fail(f"{value} is not between 0.1% and 100%", param, ctx)
        return share


@click.command()
@click.option("--base", metavar="REV", help="Compare with the files of this git revision.")
@click.option(
    "--base-requirement",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="Compare with an environment that holds this instead, such as jax==0.10.1. Repeatable.",
)
@impl_option
@problem_option
@workload_option
@mode_option
@device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Processors for each worker.")
@click.option("--margin", type=Percent(), default="2%", show_default=True, help="A slowdown below it is none.")
@click.option("--strict", is_flag=True, help="Exit 3 where any verdict is unknown.")
@click.option(
    "--replicates", type=click.IntRange(min=2), default=Steps.replicates, show_default=True, help="Screening."
)
@click.option("--blocks", type=click.IntRange(min=2), default=Steps.blocks, show_default=True, help="Screening.")
@weights_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/DATE-regression]")
@seed_option
@timeout_option
@memory_option
def regression(base: str | None, specs: tuple[str, ...], out: Path | None, **given: Any) -> int:
    """Compare the working tree with a revision, or two versions of a dependency: did anything get slower?

    Exit code: 0 no regression found, 1 regression, 2 usage, 3 could not measure.
    """
    try:
        return gate(base, specs, out, given)
    except (click.ClickException, click.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # 1 would say that there is a regression
        click.echo(f"error: could not measure: {type(error).__name__}: {' '.join(str(error).split())}", err=True)
        return 3


def gate(base: str | None, specs: tuple[str, ...], out: Path | None, given: dict[str, Any]) -> int:
    """The command, once its options are parsed."""
    if (base is None) == (not specs):
        raise click.UsageError("give either --base REV or --base-requirement SPEC")
    weights = given["weights"]
    try:
        benchmarks = chosen(**{name: given[name] for name in ("problems", "workloads", "modes", "weights")})
        cores = choose_cores(given["threads"])
        with Console(stderr=True).status("preparing both sides"):
            asked = given["impls"]
            found = comparison.by_revision(asked, base) if base is not None else comparison.by_requirement(asked, specs)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    limits = Limits(cores, given["timeout"], memory_bytes(given["memory_limit"]))
    folder = usable_out(out or ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-regression")
    settings = Settings(
        run_id=new_run_id(),
        device=given["device"],
        limits=limits,
        load=Load(given["seed"], str(weights.resolve()) if weights else None),
        turn_seconds=TURN_SECONDS,
    )
    heed_signals()
    try:
        with scratch() as place, progress(REGRESSION) as advance:
            measurement = Measurement((found.base, found.head), benchmarks, settings, place, advance)
            result = judge(measurement, decision.rules(given["margin"]), Steps(given["replicates"], given["blocks"]))
        line = result.last_line(given["strict"])
        asked_for = {"base": base, "specs": specs, "order_seed": measurement.order_seed, **shown(given)}
        write_files(folder, result, found.title, line, machine.describe(), asked_for)
    except KeyboardInterrupt:
        click.echo("broken off; nothing is kept of a gate that has not ended", err=True)
        return 130
    finally:
        with contextlib.suppress(OSError):  # it holds the report
            folder.rmdir()
    click.echo(measurement.clock.line())
    report.show(result, found.title, line, Console())
    click.echo(f"everything is in {folder}")
    return result.exit_code(given["strict"])


TURN_SECONDS = 0.016
"""Shorter than a run's: more blocks in the same time tell more of a ratio."""


def chosen(
    problems: tuple[Problem, ...], workloads: tuple[str, ...], modes: tuple[str, ...], weights: Path | None
) -> list[Benchmark]:
    """The benchmarks that the filters ask for; without any, a sequence's forward and train step."""
    measured = list(problems) or ([] if weights else [Problem.parse(PROBLEM)])
    if weights is not None:
        measured = fit_weights(weights, measured)
    pairs = list(itertools.product(workloads or ("sequence",), modes or (MODES if workloads else GATED_MODES)))
    return [Benchmark(problem, *pair) for problem in dict.fromkeys(measured) for pair in pairs]


def shown(given: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON can hold them."""
    return {
        name: [str(one) for one in value] if isinstance(value, tuple) else value for name, value in given.items()
    } | {"weights": str(given["weights"]) if given["weights"] else None}


def provenance(described: dict[str, Any]) -> list[str]:
    """What a reader must know of where it was measured."""
    machine, versions = described["machine"], described["versions"]
    commit = described["commit"]["id"] or "unknown"
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; Python {versions['python']}",
        f"{datetime.now(UTC):%Y-%m-%d}; commit {commit[:12]}{', with changes' if described['commit']['dirty'] else ''}",
    ]


def write_files(
    folder: Path, result: Result, title: str, line: str, described: dict[str, Any], options: dict[str, Any]
) -> None:
    """regression.parquet, .md and .xml, and environment.json: all of them or none."""
    markdown = report.markdown(result, title, line, provenance(described))
    with tempfile.TemporaryDirectory(prefix=".arriving-", dir=folder.parent) as name:
        arriving = Path(name) / folder.name
        arriving.mkdir()
        write_text(arriving / "environment.json", json.dumps({**described, "run": options}, indent=1) + "\n")
        write_records(arriving / "regression.parquet", result.records, COMPARED)
        write_text(arriving / "regression.md", markdown)
        write_text(arriving / "regression.xml", report.junit(result, title))
        arriving.rename(folder)  # which is empty
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            click.echo(f"warning: GITHUB_STEP_SUMMARY can't be written to: {error.strerror}", err=True)

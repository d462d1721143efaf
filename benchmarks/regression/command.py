"""python -m benchmarks regression: did it get slower?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from benchmarks import choices, json_files, machine
from benchmarks.cases import GATED_MODES, GATED_PROBLEM
from benchmarks.options import command
from benchmarks.progress import REGRESSION, account, progress
from benchmarks.record import COMPARED, write_records
from benchmarks.regression import comparison, decision, outcome, report
from benchmarks.regression.comparison import Comparison
from benchmarks.regression.gate_options import GIVEN, GateOptions, resolved
from benchmarks.regression.outcome import Result, Written, alike, measure_and_decide
from benchmarks.regression.slowdowns import locate
from benchmarks.runner.session import Session
from benchmarks.scratch import scratch
from benchmarks.tables import output
from impls.core import command_line
from impls.core.command_line import describe, examples
from impls.core.files import write_text
from impls.core.text import one_line


@command(
    GateOptions,
    *GIVEN,
    epilog=examples(
        "benchmarks regression --base origin/main --impl lstm/mine.py",
        "benchmarks regression --base-requirement jax==0.10.1 --base-requirement jaxlib==0.10.1",
    ),
    defaults={"problems": GATED_PROBLEM, "workloads": "sequence", "modes": ", ".join(GATED_MODES)},
)
def regression(options: GateOptions) -> int:
    """Did it get slower than a revision, or with another dependency?

    Exit code: 0 no regression found, 1 regression, 2 usage, 3 could not measure.
    """
    try:
        choices.heed_signals()
        if options.file is not None:
            options = json_files.read(Path(options.file), GateOptions)
        return gate(options).exit_code(options.strict)
    except (click.ClickException, click.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # 1 would say that there is a regression
        said = describe(error) if isinstance(error, OSError | MemoryError) else f"{type(error).__name__}: {error}"
        command_line.say(f"error: could not measure: {one_line(said)}", err=True)
        return 3


def gate(options: GateOptions) -> Result:
    """Run a gate, write its folder, and print its result."""
    options, compared, cores = resolved(options)
    folder = choices.usable_out(options.out, "regression")
    if compared.alike and not options.even_if_same:
        result = alike(compared.base.names, options.benchmarks, options.margin)
    else:
        result = _measure(options, compared, cores)
    title = compared.title + (f"{outcome.ONE_OF}{options.gates} gates" if options.gates > 1 else "")
    code = {side.label: comparison.code_of(side) for side in (compared.base, compared.head)}
    told = result.written(title, options.strict, code)
    write_files(folder, result, told, options)
    report.show(result, title, f"{told.verdict}; {command_line.near(folder / 'regression.md')}", output())
    return result


def _measure(options: GateOptions, compared: Comparison, cores: tuple[int, ...]) -> Result:
    """Measure both sides and decide."""
    sides, rules, began = (compared.base, compared.head), decision.rules(options.margin), time.time()
    with (
        scratch() as folder,
        progress(REGRESSION) as advance,
        Session(options, sides, cores, folder, advance) as session,
    ):
        result = measure_and_decide(session, rules, options.replicates, options.blocks, options.gates)
        result.located = dict(locate(session, result.slower))
    command_line.say(account(began, result.records))
    return result


def write_files(folder: Path, result: Result, told: Written, options: GateOptions) -> None:
    """Write environment.json, regression.parquet, .md, .xml, and .json as the last: each of them whole."""
    described = machine.describe(options)
    markdown = report.markdown(result, told.title, told.verdict, machine.provenance(described))
    json_files.write(folder / "environment.json", described)
    write_records(folder / "regression.parquet", result.records, COMPARED)
    write_text(folder / "regression.md", markdown)
    write_text(folder / "regression.xml", report.junit(result, told.title))
    json_files.write(folder / outcome.FILE, told)
    to_summary(markdown)


def to_summary(markdown: str) -> None:
    """Add a report to the summary of a job of GitHub Actions, where this runs in one."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            command_line.say(f"warning: GITHUB_STEP_SUMMARY can't be written to: {error.strerror}", err=True)

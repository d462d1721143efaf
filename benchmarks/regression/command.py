"""python -m benchmarks regression: did it get slower?"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import click
import msgspec

from benchmarks import ROOT, choices, json_files, machine
from benchmarks.options import command, given
from benchmarks.progress import progress
from benchmarks.record import COMPARED, write_records
from benchmarks.regression import bisect, comparison, decision, report, verdict_file
from benchmarks.regression.comparison import Comparison
from benchmarks.regression.gate_options import GIVEN, NOTES, GateOptions, resolved
from benchmarks.regression.outcome import Result, alike, measure_and_decide
from benchmarks.regression.slowdowns import locate
from benchmarks.regression.snapshots import git
from benchmarks.regression.verdict_file import Written
from benchmarks.runner.session import Session
from benchmarks.scratch import scratch
from benchmarks.stages import REGRESSION
from benchmarks.terminal import output
from impls.core import command_line
from impls.core.command_line import describe
from impls.core.files import write_text
from impls.core.text import json_text, one_line


@command(GateOptions, *GIVEN)
def regression(options: GateOptions) -> int:
    """Compare the working tree with a revision, or two versions of a dependency: did anything get slower?

    Exit code: 0 no regression found, 1 regression, 2 usage, 3 could not measure.
    """
    try:
        choices.heed_signals()
        if options.file is not None:
            options = json_files.read(Path(options.file), GateOptions)
        for name in given(options):
            if name in NOTES:
                command_line.say(f"note: {NOTES[name]}", err=True)
        return find_commit(options) if options.commits is not None else gate(options).exit_code(options.strict)
    except (click.ClickException, click.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # 1 would say that there is a regression
        said = describe(error) if isinstance(error, OSError | MemoryError) else f"{type(error).__name__}: {error}"
        command_line.say(f"error: could not measure: {one_line(said)}", err=True)
        return 3


def gate(options: GateOptions) -> Result:
    """Run a gate, write its folder, and print its result.

    Raises:
        click.UsageError: where the options cannot be used.
    """
    options, compared, cores = resolved(options)
    folder = _new_folder(options, "regression")
    spent = ""
    try:
        if compared.alike and not options.even_if_same:
            result = alike(compared.base.names, options.benchmarks, options.margin)
        else:
            result, spent = _measure(options, compared, cores)
        line = result.last_line(options.strict)
        title = compared.title + (f"{verdict_file.ONE_OF}{options.gates} gates" if options.gates > 1 else "")
        code = {side.label: verdict_file.code_of(side) for side in (compared.base, compared.head)}
        write_files(folder, result, verdict_file.of(result, title, line, options.strict, code), options)
    finally:
        with contextlib.suppress(OSError):  # where it holds the report
            folder.rmdir()
    if spent:
        command_line.say(spent)
    report.show(result, title, line, output())
    command_line.say(f"everything is in {folder}")
    return result


def _new_folder(options: GateOptions, what: str) -> Path:
    default = ROOT / "runs" / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{what}"
    return choices.usable_out(Path(options.out) if options.out else default)


def _measure(options: GateOptions, compared: Comparison, cores: tuple[int, ...]) -> tuple[Result, str]:
    """Measure both sides and decide. Return the result, and in words where the time went."""
    sides, rules = (compared.base, compared.head), decision.rules(options.margin)
    with scratch() as folder, progress(REGRESSION) as advance:
        session = Session(options, sides, cores, folder, advance, options.order_seed)
        try:
            result = measure_and_decide(session, rules, options.replicates, options.blocks, options.gates)
            if options.commits is None:
                result.located = locate(session, result.records, result.slower)
        finally:
            session.close()
    return result, session.stopwatch.line()


def find_commit(options: GateOptions) -> int:
    """Find the commit of a range that made something slower, and return the exit code."""
    if options.base is not None or options.head is not None or options.base_requirements:
        raise click.UsageError("--bisect has its own base and head; leave --base, --head and --base-requirement out")
    foreign = [Path(os.path.realpath(name)) for name in options.implementations if comparison.is_foreign(name)]
    folders = {path.parent for path in foreign} or {ROOT}
    if len(folders) > 1:
        raise click.UsageError("--bisect takes files of one folder")
    (repository,) = folders
    try:
        good, bad = bisect.commits_of(options.commits or "", repository)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    out = _new_folder(options, "bisect")

    def compare(commit: str, options: GateOptions) -> Result:
        return gate(msgspec.structs.replace(options, base=good, head=commit, out=str(out / commit)))

    result = compare(bad, options)
    if not result.worse:
        return result.exit_code(options.strict)
    keys = [key.rpartition(" ") for key, _ in result.worse]
    paths = {Path(name).stem: name for name in options.implementations}
    worse = msgspec.structs.replace(
        options,
        implementations=tuple(dict.fromkeys(paths.get(name, name) for name, *_ in keys)),
        benchmarks=tuple(dict.fromkeys(benchmark for *_, benchmark in keys)),
    )

    def test(commit: str) -> bool | None:
        try:
            return bisect.is_bad(compare(commit, worse), result.worse)
        except click.UsageError as error:  # such as a commit without impls/
            command_line.say(f"{commit[:12]} is skipped: {error.message}", err=True)
            return None

    first, *skipped = bisect.search(repository, good, bad, test)
    subject = git(repository, "log", "-1", "--format=%s", first).decode().strip()
    line = f"the first bad commit is {first[:12]} ({one_line(subject)})"
    if skipped:
        line += f", or one that was skipped: {', '.join(commit[:12] for commit in skipped)}"
    command_line.say(f"{line}; every comparison is in {out}")
    return 1


def write_files(folder: Path, result: Result, told: Written, options: GateOptions) -> None:
    """Write environment.json, regression.parquet, .md, .xml, and .json as the last: each of them whole."""
    described = machine.describe(options)
    markdown = report.markdown(result, told.title, told.verdict, machine.provenance(described))
    write_text(folder / "environment.json", json_text(described))
    write_records(folder / "regression.parquet", result.records, COMPARED)
    write_text(folder / "regression.md", markdown)
    write_text(folder / "regression.xml", report.junit(result, told.title))
    write_text(folder / verdict_file.FILE, json_text(told))
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

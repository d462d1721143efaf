"""python -m benchmarks regression: did it get slower?"""

import os
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click

from benchmarks import duration, json_files, machine, out_folder
from benchmarks.cases import GATED_MODES, GATED_PROBLEM
from benchmarks.metadata import Metadata
from benchmarks.options import command
from benchmarks.progress import PROFILING, REGRESSION, account, progress
from benchmarks.record import COMPARED, write_records
from benchmarks.regression import comparison, decision, outcome, report
from benchmarks.regression.comparison import Comparison
from benchmarks.regression.decision import GateKey
from benchmarks.regression.gate_options import GIVEN, GateOptions, resolved
from benchmarks.regression.outcome import Result, Written, alike, measure_and_decide
from benchmarks.regression.slowdowns import Slowdown, largest, locate
from benchmarks.runner.session import Session
from benchmarks.scratch import scratch
from benchmarks.tables import output
from impls.core import command_line
from impls.core.command_line import describe, examples
from impls.core.files import write_text
from impls.core.text import one_line

REPORT = "regression.md"


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
    gate = Gate(options)
    try:
        command_line.heed_signals()
        gate.run()
    except (click.ClickException, click.Abort):
        raise
    except KeyboardInterrupt:
        if gate.exit_code is None:
            raise
        where = "" if gate.is_written else " while the report was written"
        command_line.say(f"interrupted{where}; the verdict stands", err=True)
    except Exception as error:  # 1 would say that there is a regression
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError | MemoryError):
            reason = describe(error)
        what = "could not measure" if gate.exit_code is None else "after the verdict"
        command_line.say(f"error: {what}: {one_line(reason)}", err=True)
    return 3 if gate.exit_code is None else gate.exit_code


class Gate:
    """A gate, its folder, and its words.

    exit_code: None until the verdict is printed. Whatever happens after that, it stands.
    is_written: whether all files are.
    """

    def __init__(self, options: GateOptions) -> None:
        self.options = options
        self.exit_code: int | None = None
        self.is_written = False

    def run(self) -> None:
        """Measure both sides and conclude; then find out where it is slower."""
        options = self.options
        if options.file is not None:
            options = json_files.read(Path(options.file), GateOptions)
        options, compared, cores = resolved(options)
        self.options = options
        self.folder = out_folder.usable_out(options.out, "regression")
        if compared.alike and not options.even_if_same:
            result = alike(compared.base.names, options.benchmarks, options.margin)
            self.conclude(result, compared)
            return
        both = compared.base.versions.keys() & compared.head.versions.keys()
        implementations = [compared.head.versions[name].implementation for name in both]
        takes = duration.words_of_gate(options, implementations, decision.FEWEST)
        command_line.say(takes, err=True)
        with scratch() as place:
            session_of = partial(Session, options, (compared.base, compared.head), cores, place)
            began = time.time()
            with progress(REGRESSION) as advance, session_of(advance) as session:
                rules = decision.rules(options.margin)
                result = measure_and_decide(
                    session, rules, options.replicates, options.blocks, options.gates
                )
            self.conclude(result, compared, account(began, result.records))
            slowdowns = largest(result.slower)
            if slowdowns:
                with progress(PROFILING) as advance, session_of(advance) as session:
                    self.explain(result, locate(session, slowdowns))

    def conclude(self, result: Result, compared: Comparison, took: str = "") -> None:
        """Write all files, and print the result, also where they can't be written. `took`: how long it took."""
        options = self.options
        result.left_out = compared.left_out
        code = {
            "base": comparison.code_of(compared.base),
            "head": comparison.code_of(compared.head),
        }
        written = result.written(compared.title, options.strict, code, options.gates)
        self.line = written.verdict
        exit_code = 1 if result.worse else 3  # where the files can't be written
        try:
            described = machine.describe(options)
            provenance = machine.provenance(described)
            self.markdown = partial(
                report.markdown, result, written.heading, written.verdict, provenance
            )
            write_files(self.folder, result, written, described, self.markdown())
            self.line += f"; {command_line.near(self.folder / REPORT)}"
            self.is_written = True
            exit_code = written.exit_code
        finally:
            self.exit_code = exit_code
            if took:
                command_line.say(took)
            report.show(result, written.heading, self.line, output())

    def explain(self, result: Result, located: Iterable[tuple[GateKey, Slowdown]]) -> None:
        """Add to the report where it is slower; what was located before an interruption, too."""
        try:
            result.located.update(located)
        finally:
            if result.located:
                report.show_located(result, self.line, output())
                write_text(self.folder / REPORT, self.markdown())
                to_summary(report.located_markdown(result.located))


def write_files(
    folder: Path, result: Result, written: Written, described: Metadata, markdown: str
) -> None:
    """Write environment.json, regression.parquet, .md, .xml, and .json as the last: each of them whole."""
    json_files.write(folder / "environment.json", described)
    write_records(folder / "regression.parquet", result.records, COMPARED)
    write_text(folder / REPORT, markdown)
    write_text(folder / "regression.xml", report.junit(result, written.heading))
    json_files.write(folder / outcome.FILE, written)
    to_summary(markdown)


def to_summary(markdown: str) -> None:
    """Add a report to the summary of a job of GitHub Actions, where this runs in one."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            command_line.say(
                f"warning: GITHUB_STEP_SUMMARY can't be written to: {error.strerror}", err=True
            )

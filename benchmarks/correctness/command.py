"""python -m benchmarks agree: is every implementation right?"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks import machine, options, terminal
from benchmarks.cases import AGREE_PROBLEMS
from benchmarks.correctness import controls, shown
from benchmarks.correctness.matrix import Matrix
from benchmarks.metadata import RunOptions
from benchmarks.progress import AGREEMENT, progress
from benchmarks.runner.sides import version_of
from benchmarks.scratch import scratch
from impls.core.contract import WORKLOADS
from impls.core.files import check_place, write_text
from impls.core.problem import DTYPES, Problem


@click.command()
@options.impl_option
@options.problem_option
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(DTYPES),
    help="Repeatable.  [default: all that at least one of the implementations has]",
)
@options.workload_option
@options.device_option
@options.precision_option
@click.option(
    "--timeout", type=options.Finite(min=0.1), default=600.0, show_default=True, help="Seconds to check a problem."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.md",
    help="When all is compared, write the matrix to this file too, in Markdown.",
)
def agree(
    impls: tuple[str, ...],
    problems: tuple[Problem, ...],
    dtypes: tuple[str, ...],
    workloads: tuple[str, ...],
    device: str,
    precision: str,
    timeout: float,
    out: Path | None,
) -> int:
    """Compare every implementation with the reference: outputs, final states and every gradient.

    Exit code 1 where anything disagrees, could not be compared although it should have been, or nothing was compared.
    Ctrl-C shows what was compared so far.
    """
    try:
        implementations = options.implementations(impls, floor=False)
        if out is not None:
            check_place(out)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    compared = [implementation for implementation in implementations if implementation.is_lstm]
    if not compared:
        raise click.UsageError("nothing to compare: the floor is no LSTM")
    for problem in problems:
        if problem.dtype != DTYPES[0]:
            without = problem.replace(dtype=DTYPES[0]).id
            raise click.UsageError(f"write --problem {without} --dtype {problem.dtype} in place of {problem.id}")
    options.set_precision(precision, device)
    options.heed_signals()
    matrix = Matrix(
        [version_of(implementation) for implementation in compared],
        problems or tuple(Problem.parse(text) for text in AGREE_PROBLEMS),
        dtypes or [dtype for dtype in DTYPES if any(dtype in one.dtypes for one in compared)],
        workloads or WORKLOADS,
        device,
        timeout,
    )
    console = terminal.output(200)
    try:
        with scratch() as folder, progress(AGREEMENT) as advance:
            matrix.fill(folder, advance)
    except KeyboardInterrupt:
        if matrix.cells:
            shown.show(matrix, console)
        raise
    shown.show(matrix, console)
    refused = {
        f"{name}, {dtype}": reason for dtype in matrix.dtypes for name, reason in controls.refusals(dtype).items()
    }
    refused |= {f"{name}, float64": reason for name, reason in controls.extreme_refusals("float64").items()}
    said = {
        name: f"refused: {reason}" if reason else "NOT REFUSED: the check is broken" for name, reason in refused.items()
    }
    console.print(f"\n{shown.CONTROLS}")
    for name, words in said.items():
        console.print(f"  {name}: {words}", markup=False, highlight=False)
    console.print()
    last = matrix.line(sum(map(bool, refused.values())), len(refused))
    console.print(last, style="bold", highlight=False)
    if out is not None:
        here = machine.describe(RunOptions(run_id="", baseline="", precision=precision))
        on = f"on {here.machine.gpu}" if device == "cuda" else "on the CPU"
        versions = [f"{name} {version}" for name, version in here.versions.items() if version and name != "python"]
        core = f"the common environment: {', '.join(versions)}"
        where = [*machine.provenance(here), core, f"{on}; {here.matmul_precision}"]
        write_text(out, shown.markdown(matrix, where, said, last))
    return 0 if matrix.good and all(refused.values()) else 1

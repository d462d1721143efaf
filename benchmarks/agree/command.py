"""python -m benchmarks agree: is every implementation right?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import msgspec

from benchmarks import choices, hardware, json_files, machine, tables
from benchmarks.agree import controls, report
from benchmarks.agree.matrix import Matrix
from benchmarks.cases import AGREE_OPTIONS, AGREE_PROBLEMS
from benchmarks.options import Flag, Options, command
from benchmarks.progress import AGREEMENT, progress
from benchmarks.runner.sides import version_of
from benchmarks.scratch import scratch
from impls.core import command_line
from impls.core.files import check_place, write_text
from impls.core.problem import DTYPES, Problem

ISAS = {
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    }
}
"""The variables that keep a processor's newer instructions from libraries, by the instructions that are left."""


class AgreeOptions(Options, frozen=True, kw_only=True):
    """The options of `agree`."""

    dtypes: Annotated[
        tuple[str, ...],
        Flag(
            "--dtype",
            "Of the numbers. Repeatable.  [default: all that an implementation has]",
            click.Choice(DTYPES),
        ),
    ] = ()
    each_option: Annotated[
        bool,
        Flag(
            "--options",
            "One small shape with each option of an LSTM, also those at which an implementation fails.",
        ),
    ] = False
    isa: Annotated[
        str | None,
        Flag(
            "--isa",
            "The newest instructions that PyTorch, oneDNN and JAX may use.  [default: the processor's]",
            click.Choice(list(ISAS)),
        ),
    ] = None
    out: Annotated[
        str | None,
        Flag(
            "--out",
            "A file to write the matrix to, to read or as data.",
            click.Path(),
            "FILE.md|FILE.json",
        ),
    ] = None


@command(
    AgreeOptions,
    "implementations",
    "problems",
    "dtypes",
    "workloads",
    "device",
    "each_option",
    "isa",
    "out",
    "precision",
    "call_seconds",
    epilog=command_line.examples(
        "benchmarks agree --impl path/to/mine.py", "benchmarks agree --impl all --out agreement.md"
    ),
    defaults={"problems": f"{len(AGREE_PROBLEMS)} small ones", "workloads": "all"},
)
def agree(options: AgreeOptions) -> int:
    """Compare every LSTM's results with the reference's: no times.

    Exit code 1 where anything disagrees, could not be compared although it should have been, or nothing was compared.
    Ctrl-C shows and writes what was compared so far.
    """
    out = Path(options.out) if options.out else None
    if options.each_option:
        options = _with_each_option(options)
    with command_line.usage_errors():
        implementations = choices.implementations(options.implementations)
        if out is not None:
            check_place(out)
    compared = [implementation for implementation in implementations if implementation.is_lstm]
    if options.each_option:
        compared = [implementation.with_failing() for implementation in compared]
    if not compared:
        raise click.UsageError("nothing to compare: the peak is no LSTM")
    problems = _problems(options)
    hardware.set_precision(options.precision, options.device)
    if options.isa:
        os.environ.update(ISAS[options.isa])
    command_line.heed_signals()
    offered = {dtype for implementation in compared for dtype in implementation.dtypes}
    dtypes = options.dtypes or sorted(offered, key=DTYPES.index)
    as_data = out is not None and out.suffix == ".json"
    versions = [*map(version_of, compared)]
    matrix = Matrix(versions, problems, dtypes, options, options.each_option, kernels=as_data)
    console = tables.output(200)
    stopped = None
    try:
        with scratch() as folder, progress(AGREEMENT) as advance:
            matrix.fill(folder, advance)
    except KeyboardInterrupt as stop:
        stopped = stop
        if not matrix.cells:
            raise
    report.show(matrix, console)
    refused = {
        f"{name}, {dtype}": reason
        for dtype in dtypes
        for name, reason in controls.refusals(dtype).items()
    }
    for name, reason in controls.extreme_refusals("float64").items():
        refused[f"{name}, float64"] = reason
    last = matrix.line(sum(map(bool, refused.values())), len(refused))
    if out is not None:
        if as_data:
            json_files.write(out, report.agreement_of(matrix, machine.describe(options)))
        else:
            write_text(out, report.markdown(matrix, _where(options, dtypes), refused, last))
        last += f"; the matrix is {command_line.near(out)}"
    console.print(f"\n{last}", style="bold", highlight=False, soft_wrap=True)
    if stopped:
        raise stopped
    return 0 if matrix.good and all(refused.values()) else 1


def _with_each_option(options: AgreeOptions) -> AgreeOptions:
    """Return what --options stands for."""
    if options.problems or options.workloads:
        raise click.UsageError("--options has its own problems: leave out --problem and --workload")
    return msgspec.structs.replace(options, problems=AGREE_OPTIONS, workloads=("sequence",))


def _problems(options: AgreeOptions) -> list[Problem]:
    """Return the problems to compare, without a dtype: --dtype says in which."""
    problems = choices.choose_problems(options.problems, None, AGREE_PROBLEMS)
    for problem in problems:
        if problem.dtype != DTYPES[0]:
            without = problem.replace(dtype=DTYPES[0]).id
            raise click.UsageError(
                f"write --problem {without} --dtype {problem.dtype} in place of {problem.id}"
            )
    return problems


def _where(options: AgreeOptions, dtypes: Sequence[str]) -> list[str]:
    """Return in words where this was compared, and with which versions."""
    described = machine.describe(options)
    versions = [
        f"{name} {version}"
        for name, version in described.versions.items()
        if version and name != "python"
    ]
    on = f"on {described.machine.gpu_with_driver}" if options.device == "cuda" else "on the CPU"
    if "float32" in dtypes:
        on += f"; {described.matmul_precision}"
    common = f"the common environment: {', '.join(versions)}"
    return [*machine.provenance(described), common, on]

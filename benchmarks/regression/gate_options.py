"""The options of a gate."""

from typing import Annotated, Any

import click
import msgspec

from benchmarks import choices, hardware
from benchmarks.cases import GATED_MODES, GATED_PROBLEM, Benchmark, pairs_of
from benchmarks.options import Flag, Options
from benchmarks.regression import comparison, decision
from benchmarks.regression.comparison import Comparison
from benchmarks.runner.blocks import SPACING_SECONDS
from benchmarks.worker.devices import LEAST_TURN

BLOCKS = 24
"""Blocks of a replicate."""
TURN_SECONDS = 0.016
"""Of a turn, at least. More blocks make a ratio more precise than longer turns in the same time."""
FILLED = 0.75
"""The share of the time from one block to the next that turns fill. With many benchmarks, blocks take longer anyway."""


class Percent(click.ParamType):  # type: ignore[type-arg]
    """A share, such as `2%` or `0.02`."""

    name = "2%|0.02"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a share."""
        text = str(value)
        try:
            share = float(text.removesuffix("%"))
        except ValueError:
            self.fail(f"{value!r} is not a percentage; write 2% or 0.02", param, ctx)
        if text.endswith("%"):
            share /= 100
        if not 0.001 <= share <= 1:
            self.fail(
                f"{value} is not between 0.1% and 100%; 2 % is written 2% or 0.02", param, ctx
            )
        return share


class GateOptions(Options, frozen=True, kw_only=True):
    """The options of a gate. environment.json keeps them.

    Attributes:
        gates: how many gates share the chance of a false alarm.
    """

    base: Annotated[
        str | None, Flag("--base", "Compare with the files of this git revision.", metavar="REV")
    ] = None
    head: Annotated[
        str | None,
        Flag("--head", "The revision to compare.  [default: the working tree]", metavar="REV"),
    ] = None
    base_requirements: Annotated[
        tuple[str, ...],
        Flag(
            "--base-requirement",
            "Compare with an environment that holds this. Repeatable.",
            metavar="SPEC",
        ),
    ] = ()
    margin: Annotated[
        float,
        Flag(
            "--margin",
            "The slowdown to find; less than half of it is never a regression.",
            Percent(),
        ),
    ] = decision.MARGIN
    strict: Annotated[bool, Flag("--strict", "Exit 3 where any verdict is unclear.")] = False
    out: Annotated[
        str | None,
        Flag("--out", "A new folder.  [default: runs/DATE-regression]", click.Path(), "DIR"),
    ] = None
    threads: Annotated[
        int,
        Flag(
            "--threads", "Processors of each implementation.", click.IntRange(min=1), advanced=True
        ),
    ] = 1
    even_if_same: Annotated[
        bool,
        Flag(
            "--even-if-same",
            "Measure also where base and head have the same implementations.",
            advanced=True,
        ),
    ] = False
    replicates: Annotated[
        int, Flag("--replicates", "The most replicates.", click.IntRange(2, 1000), hidden=True)
    ] = decision.MOST
    blocks: Annotated[
        int, Flag("--blocks", "Blocks of a replicate.", click.IntRange(2, 10**5), hidden=True)
    ] = BLOCKS
    file: Annotated[
        str | None, Flag("--options", "A file with all options: a fleet's.", hidden=True)
    ] = None
    gates: int = 1


GIVEN = (
    "base", "head", "base_requirements", "implementations", "problems", "workloads", "modes", "device",
    "margin", "strict", "out", "threads", "even_if_same", "replicates", "blocks", "file",
)  # fmt: skip
"""What can be given on the command line."""


def turn_seconds(benchmarks: int, device: str) -> float:
    """Return how long a turn is on a device, where so many benchmarks each take four turns in a block."""
    return max(TURN_SECONDS, FILLED * SPACING_SECONDS / (4 * benchmarks), LEAST_TURN[device])


def planned(options: GateOptions) -> GateOptions:
    """Check what does not depend on the machine, and return the options with their benchmarks.

    By default these are a sequence's forward and train step.
    """
    if (options.base is None) == (not options.base_requirements):
        raise click.UsageError("give either --base REV or --base-requirement SPEC")
    if options.head is not None and options.base is None:
        raise click.UsageError("--head takes --base")
    if options.benchmarks:
        return options
    problems = choices.choose_problems(options.problems, None, [GATED_PROBLEM])
    pairs = pairs_of(options.workloads, options.modes or (() if options.workloads else GATED_MODES))
    benchmarks = tuple(Benchmark(problem, *pair).id for problem in problems for pair in pairs)
    return msgspec.structs.replace(options, benchmarks=benchmarks)


def resolved(options: GateOptions) -> tuple[GateOptions, Comparison, tuple[int, ...]]:
    """Check all options before anything is written.

    Returns:
        The options with nothing left open, base and head, and the processors of each implementation.
    """
    try:
        options = planned(options)
        cores = hardware.choose_cores(options.threads, options.device)
        if options.base is not None:
            compared = comparison.by_revision(options.implementations, options.base, options.head)
        else:
            compared = comparison.by_requirement(options.implementations, options.base_requirements)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    both = compared.base.versions.keys() & compared.head.versions.keys()
    whole = msgspec.structs.replace(
        options,
        baseline="base",
        turn_seconds=turn_seconds(max(1, len(both) * len(options.benchmarks)), options.device),
    )
    return whole, compared, cores

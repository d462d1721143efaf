"""The options of the commands: one type, from the command line to the record of a run.

A field with a Flag can be given on a command line. A command lists the fields that it takes, and gets a value of its
own kind of Options. A new option is a new field here, or in the kind of the only command that has it.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import click
import msgspec

from impls.core.contract import DEVICES
from impls.core.precision import IEEE, PRECISIONS
from impls.core.workloads import MODES, WORKLOADS

Kind = TypeVar("Kind", bound="Options")
GIB = 2**30


def new_run_id() -> str:
    """Make an id such as `20261124T190533-b1085af4`: the time in UTC, which orders runs, and a few random digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def start_of(run_id: str) -> datetime:
    """Return when a run began, in UTC, as its id says."""
    day_and_time, _, _ = run_id.partition("-")
    return datetime.strptime(f"{day_and_time}Z", "%Y%m%dT%H%M%S%z")


@dataclass(frozen=True)
class Flag:
    """How a field of Options is written on a command line.

    Attributes:
        name: such as `--impl`.
        help: one sentence, with the default in words where its value does not say it.
        type: click's type of a value; None for text, and for a flag without a value.
        metavar: what stands for the value in the help.
        advanced: whether the help has it below the others.
        hidden: whether the help leaves it out.
    """

    name: str
    help: str
    type: click.ParamType | None = None  # type: ignore[type-arg]
    metavar: str | None = None
    advanced: bool = False
    hidden: bool = False


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to do. run.json and environment.json keep it. Times are in seconds.

    Attributes:
        benchmarks: the ids of what is measured; they follow from problems, workloads and modes.
        turn_seconds: how long a turn is to take.
        baseline: the name of the implementation or side by whose time the others are divided.
        memory_bytes: the most memory of a worker; 0 for half of the machine's.
    """

    run_id: str = msgspec.field(default_factory=new_run_id)
    benchmarks: tuple[str, ...] = ()
    turn_seconds: float = 0.0
    baseline: str = ""
    memory_bytes: int = 0
    implementations: Annotated[
        tuple[str, ...],
        Flag(
            "--impl",
            "Which to run: a name, a file, or a set of LSTMs: all, common, others or exported; NAME@torch==2.11.* "
            "runs in an environment with that. Repeatable.",
            metavar="NAME|FILE.py|SET",
        ),
    ] = ()
    problems: Annotated[
        tuple[str, ...],
        Flag(
            "--problem",
            "Steps, batch, input size and hidden size. Repeatable.",
            metavar="t64-b16-i128-h128",
        ),
    ] = ()
    workloads: Annotated[
        tuple[str, ...],
        Flag(
            "--workload",
            "A step, all steps, these and a loss, or a step with the state kept. Repeatable.",
            click.Choice(WORKLOADS),
        ),
    ] = ()
    modes: Annotated[
        tuple[str, ...],
        Flag(
            "--mode",
            "Inference, the forward of training, its backward, or both. Repeatable.",
            click.Choice(MODES),
        ),
    ] = ()
    device: Annotated[
        str, Flag("--device", "Where the implementations compute.", click.Choice(DEVICES))
    ] = "cpu"
    precision: Annotated[
        str,
        Flag(
            "--precision",
            "How a GPU multiplies float32: in full, or with 10 bits.",
            click.Choice(PRECISIONS),
            advanced=True,
        ),
    ] = IEEE
    threads: Annotated[
        int,
        Flag(
            "--threads", "Processors of each implementation.  [default: all]", click.IntRange(min=1)
        ),
    ] = 0
    replicates: Annotated[
        int,
        Flag(
            "--replicates",
            "Sets of fresh processes: more give narrower intervals.  [default: the preset's]",
            click.IntRange(1, 10**4),
        ),
    ] = 0
    blocks: Annotated[
        int,
        Flag(
            "--blocks",
            "How often a replicate visits each benchmark.  [default: the preset's]",
            click.IntRange(1, 10**5),
            advanced=True,
        ),
    ] = 0
    weights: Annotated[
        str | None,
        Flag("--weights", "Weights to use.  [default: random ones]", click.Path(), "FILE.npz"),
    ] = None
    seed: Annotated[
        int,
        Flag(
            "--seed",
            "The seed of random weights.  [default: 0]",
            click.IntRange(0, 2**63 - 1),
            hidden=True,
        ),
    ] = 0
    call_seconds: Annotated[
        float,
        Flag(
            "--timeout",
            "Seconds within which a worker must answer: a check takes about twenty calls.",
            click.IntRange(1, 10**6),
            advanced=True,
        ),
    ] = 600.0


class AdvancedOption(click.Option):
    """An option that the help has below the others."""


class TypedCommand(click.Command):
    """A command with options of fields."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two parts."""
        usual: list[tuple[str, str]] = []
        advanced: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            part = advanced if isinstance(param, AdvancedOption) else usual
            if record := param.get_help_record(ctx):
                part.append(record)
        with formatter.section("Options"):
            formatter.write_dl(usual)
        if advanced:
            with formatter.section("Advanced options"):
                formatter.write_dl(advanced)


def _option(field: str, flag: Flag, default: Any) -> click.Option:
    """Return the option of a field with this default."""
    is_flag = isinstance(default, bool)
    metavar = flag.metavar
    if metavar is None and isinstance(flag.type, click.IntRange):
        metavar = "N"
    kind = AdvancedOption if flag.advanced else click.Option
    return kind(
        (flag.name, field),
        type=flag.type,
        help=flag.help,
        hidden=flag.hidden,
        metavar=metavar,
        multiple=isinstance(default, tuple),
        is_flag=is_flag,
        default=default or None,
        show_default=bool(default) and not is_flag,
    )


def _flags(kind: type[Options]) -> dict[str, tuple[Flag, Any]]:
    """Return the flag and the default of each field of a kind of options that has a flag."""
    flags = {}
    for field in msgspec.structs.fields(kind):
        for flag in getattr(field.type, "__metadata__", ()):
            flags[field.name] = flag, field.default
    return flags


def command(
    kind: type[Kind], *fields: str, epilog: str = "", defaults: Mapping[str, str] | None = None
) -> Callable[[Callable[[Kind], int]], click.Command]:
    """Return a decorator that makes a command of a function of one kind of Options.

    Args:
        kind, epilog: the type that the function gets, and the end of the help.
        fields: those that can be given on the command line, in the order of the help; none stand for all with a flag.
        defaults: those of some fields in words, where the command has its own.
    """
    flags = _flags(kind)
    options: list[click.Parameter] = []
    for field in fields or flags:
        flag, value = flags[field]
        if defaults and field in defaults:
            flag = replace(flag, help=f"{flag.help}  [default: {defaults[field]}]")
        options.append(_option(field, flag, value))

    def decorate(function: Callable[[Kind], int]) -> click.Command:
        return TypedCommand(
            function.__name__,
            params=options,
            callback=lambda **values: function(_of_values(kind, values)),
            help=function.__doc__,
            epilog=epilog,
        )

    return decorate


def _of_values(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return the options with the values that click gives, each once; None stands for the default."""
    given = {}
    for field, value in values.items():
        if isinstance(value, tuple):
            given[field] = tuple(dict.fromkeys(value))
        elif value is not None:
            given[field] = value
    return msgspec.convert(given, kind)


def parsed(of: click.Command, kind: type[Kind], words: Sequence[str]) -> Kind:
    """Return the options that words give to a command."""
    with of.make_context(of.name, list(words)) as context:
        return _of_values(kind, context.params)


def given(options: Options) -> list[str]:
    """Return the command-line names of the options that differ from their defaults."""
    flags = _flags(type(options))
    return [
        flag.name for name, (flag, default) in flags.items() if getattr(options, name) != default
    ]

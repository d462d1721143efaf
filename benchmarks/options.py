"""The options of the commands: one type, from the command line to the record of a run.

A field with a Flag can be given on a command line. A command lists the fields that it takes, and gets a value of its
own kind of Options. A new option is a new field here, or in the kind of the only command that has it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar, get_type_hints

import click
import msgspec

from impls.core.contract import DEVICES
from impls.core.precision import IEEE, PRECISIONS
from impls.core.workloads import MODES, WORKLOADS

Kind = TypeVar("Kind", bound="Options")
GIB = 2**30


def new_run_id() -> str:
    """Make an id such as `20261124T190533-b1085af4`: the time in UTC, which orders runs, and a few random digits."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"


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
            "Which to run: a name, a file, or a set of LSTMs: all, common or others; NAME@torch==2.11.* runs in an "
            "environment with that. Repeatable.",
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


class TypedOption(click.Option):
    """The option of a field, as its Flag says."""

    def __init__(self, field: str, flag: Flag, default: Any) -> None:
        is_flag = isinstance(default, bool)
        chosen = bool(default) or is_flag
        super().__init__(
            (flag.name, field), type=flag.type, help=flag.help, hidden=flag.hidden,
            metavar=flag.metavar or ("N" if isinstance(flag.type, click.IntRange) else None),
            multiple=isinstance(default, tuple), is_flag=is_flag, default=default if chosen else None,
            show_default=chosen and not is_flag,
            callback=lambda _, __, value: tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value,
        )  # fmt: skip
        self.flag = flag


class TypedCommand(click.Command):
    """A command of TypedOptions: help has the advanced ones below the others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two parts."""
        parts: dict[str, list[tuple[str, str]]] = {"Options": [], "Advanced options": []}
        for param in self.get_params(ctx):
            advanced = isinstance(param, TypedOption) and param.flag.advanced
            if record := param.get_help_record(ctx):
                parts["Advanced options" if advanced else "Options"].append(record)
        for title, records in parts.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _flags(kind: type[Options]) -> dict[str, Flag]:
    """Return the flags of a kind of options by the names of their fields."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


def _defaults(kind: type[Options]) -> dict[str, Any]:
    """Return the default of each field."""
    return {field.name: field.default for field in msgspec.structs.fields(kind)}


def command(
    kind: type[Kind], *fields: str, epilog: str = "", defaults: Mapping[str, str] | None = None
) -> Callable[[Callable[[Kind], int]], click.Command]:
    """Return a decorator that makes a command of a function of one kind of Options.

    Args:
        kind, epilog: the type that the function gets, and the end of the help.
        fields: those that can be given on the command line, in the order of the help; none stand for all with a flag.
        defaults: those of some fields in words, where the command has its own.
    """
    flags, values = _flags(kind), _defaults(kind)
    for field, words in (defaults or {}).items():
        flags[field] = replace(flags[field], help=f"{flags[field].help}  [default: {words}]")

    def decorate(function: Callable[[Kind], int]) -> click.Command:
        return TypedCommand(
            function.__name__,
            params=[TypedOption(field, flags[field], values[field]) for field in fields or flags],
            callback=lambda **values: function(_of_values(kind, values)),
            help=function.__doc__,
            epilog=epilog,
        )

    return decorate


def _of_values(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return the options with the values that click gives; None stands for the default."""
    return msgspec.convert(
        {field: value for field, value in values.items() if value is not None}, kind
    )


def parsed(of: click.Command, kind: type[Kind], words: Sequence[str]) -> Kind:
    """Return the options that words give to a command."""
    with of.make_context(of.name, list(words)) as context:
        return _of_values(kind, context.params)


def given(options: Options) -> list[str]:
    """Return the command-line names of the options that differ from their defaults."""
    defaults = _defaults(type(options))
    return [
        flag.name
        for name, flag in _flags(type(options)).items()
        if getattr(options, name) != defaults[name]
    ]

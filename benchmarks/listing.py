"""python -m benchmarks list | environments: list implementations, and list or remove environments.

It imports little: a list is there at once.
"""

from collections.abc import Sequence

import click

from benchmarks.words import count
from impls.core import command_line, registry
from impls.core.text import one_line

HEAD = (
    *("name", "framework", "track", "runs", "devices", "dtypes"),
    *("workloads", "variants", "requires", "what it is"),
)
"""The columns of the list."""


def _print_table(*rows: Sequence[str]) -> None:
    table = [list(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(map(str.ljust, row, widths))
        print(line.rstrip())  # noqa: T201 - cleaned above


@click.command("list")
def list_command() -> int:
    """List every implementation, without starting any framework. Exit code 1 where a file can't be read."""
    implementations, broken = registry.survey()
    rows: list[Sequence[str]] = [HEAD]
    for implementation in implementations.values():
        row = [implementation.name, implementation.framework, implementation.track]
        row.append("by default" if implementation.by_default else "if named")
        lists = ("devices", "dtypes", "workloads", "variants")
        row += [" ".join(getattr(implementation, name)) for name in lists]
        rows.append([*row, ", ".join(implementation.requires), implementation.about])
    _print_table(*rows)
    for reason in broken.values():
        command_line.say(f"error: {reason}", err=True)
    return 1 if broken else 0


@click.command("environments")
@click.option(
    "--remove",
    "removed",
    multiple=True,
    metavar="ID",
    help="Remove this environment, or `all`. Repeatable.",
)
def environments_command(removed: tuple[str, ...]) -> int:
    """List the environments in the cache, or remove some."""
    from impls.core import environments

    by_id = {environment.id: environment for environment in environments.environments()}
    for name in removed:
        if name not in by_id and name != "all":
            raise click.UsageError(
                f"no environment is called {name}; known: {', '.join(by_id) or 'none'}"
            )
    mebibytes = {name: environments.size(by_id[name]) / 2**20 for name in by_id}
    for name in by_id if "all" in removed else dict.fromkeys(removed):
        with command_line.usage_errors():
            environments.remove(by_id[name])
        command_line.say(f"removed {name} ({mebibytes[name]:.0f} MiB)")
    if removed:
        return 0
    rows = []
    for name, environment in by_id.items():
        holds = ", ".join(environment.requirements)
        rows.append((name, environment.purpose, f"{mebibytes[name]:.0f}", holds))
    if rows:
        _print_table(("id", "used by", "MiB", "holds"), *rows)
    number = count(len(by_id), "environment")
    total = sum(mebibytes.values())
    command_line.say(f"{number}, {total:.0f} MiB, in {environments.cache() / 'environments'}")
    return 0

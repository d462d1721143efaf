"""python -m benchmarks list | environments: list implementations, and list or remove environments.

It imports little: a list is there at once.
"""

from __future__ import annotations

import click

from impls.core import command_line, registry
from impls.core.text import one_line

HEAD = (
    *("name", "framework", "track", "runs", "devices", "dtypes"),
    *("workloads", "variants", "requires", "what it is"),
)


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())  # noqa: T201 - cleaned by its callers


@click.command("list")
def list_command() -> int:
    """List every implementation, without starting any framework. Exit code 1 where a file can't be read."""
    implementations, broken = registry.survey()
    rows: list[tuple[str, ...]] = [HEAD]
    for implementation in implementations.values():
        row = (
            implementation.name,
            implementation.framework,
            implementation.track,
            "by default" if implementation.by_default else "if named",
            " ".join(implementation.devices),
            " ".join(implementation.dtypes),
            " ".join(implementation.workloads),
            " ".join(implementation.variants),
            ", ".join(implementation.requires),
            implementation.about,
        )
        rows.append(tuple(map(one_line, row)))
    _print_table(rows)
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
        try:
            environments.remove(by_id[name])
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        command_line.say(f"removed {name} ({mebibytes[name]:.0f} MiB)")
    if removed:
        return 0
    rows: list[tuple[str, ...]] = [("id", "used by", "MiB", "holds")]
    for name, environment in by_id.items():
        holds = one_line(", ".join(environment.requirements))
        rows.append((name, one_line(environment.purpose), f"{mebibytes[name]:.0f}", holds))
    if by_id:
        _print_table(rows)
    number = f"{len(by_id)} environment{'' if len(by_id) == 1 else 's'}"
    place = environments.cache() / "environments"
    command_line.say(f"{number}, {sum(mebibytes.values()):.0f} MiB, in {place}")
    return 0

"""python -m impls list | evaluate | environments: list implementations, compute a case, manage environments."""

from __future__ import annotations

import os
from pathlib import Path

from impls.core import command_line, system

system.check()
with command_line.starting():
    import click

    from impls.core import registry
    from impls.core.contract import DEVICES
    from impls.core.problem import DTYPES
    from impls.core.text import one_line


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=command_line.show_version)
def cli() -> None:
    """The LSTM implementations."""


def _print_table(rows: list[tuple[str, ...]]) -> None:
    rows = [tuple(map(one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201 - cleaned above


@cli.command("list")
def list_command() -> int:
    """List every implementation, without starting any framework. Exit code 1 where a file can't be read."""
    implementations, broken = registry.survey()
    head = "name", "framework", "track", "runs", "devices", "dtypes", "workloads", "variants", "requires", "what it is"
    rows: list[tuple[str, ...]] = [head]
    for implementation in implementations.values():
        runs = "by default" if implementation.by_default else "if named"
        named = implementation.name, implementation.framework, implementation.track, runs
        choices = implementation.devices, implementation.dtypes, implementation.workloads, implementation.variants
        rows.append((*named, *map(" ".join, choices), ", ".join(implementation.requires), implementation.about))
    _print_table(rows)
    for reason in broken.values():
        command_line.say(f"error: {reason}", err=True)
    return 1 if broken else 0


@cli.command(
    epilog=command_line.examples("impls evaluate path/to/mine.py --case case.npz --out out.npz --dtype float64")
)
@click.argument("implementation")
@click.option("--case", "case_path", required=True, type=click.Path(path_type=Path), help="case.npz to compute.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Where to write the results (.npz), as float64."
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
def evaluate(implementation: str, case_path: Path, out: Path, dtype: str, device: str) -> int:
    """Compute a case with IMPLEMENTATION, a name or a .py file.

    The case holds x (T, B, I), the weights under their names in torch.nn.LSTM's state_dict, optional h0 and c0
    (L·D, B, H), and optional cotangents d_output (T, B, D·H), d_h_n, d_c_n; docs/reference.md has an example.

    OUT gets output, h_n, c_n and, where the case has cotangents, grad_NAME for each of its arrays.
    """
    from impls.core import environments
    from impls.core.case_files import read_case
    from impls.core.files import check_place
    from impls.core.precision import framework_variables

    try:
        chosen = registry.resolve(implementation)
        check_place(out)
        if os.path.realpath(out) == os.path.realpath(case_path):
            raise ValueError(f"{out} is the case itself; give another --out")
        if chosen.requires:  # an environment takes a while to build, so that what is wrong is found before
            case = read_case(case_path, dtype)
            if reason := chosen.lacks(device, case.problem, "sequence"):
                raise ValueError(f"{chosen.name}: {reason}")
        python = environments.python_for(chosen)
    except (ValueError, environments.NotBuilt) as error:
        raise click.UsageError(str(error)) from None
    path = environments.import_path(python)
    variables = {**chosen.environment, **framework_variables(device, dtype), "PYTHONPATH": path}
    command = [python, "-P", "-m", "impls.core.evaluate", *map(str, (chosen.path, case_path, out)), dtype, device]
    try:
        os.execve(python, command, {**os.environ, **variables})  # noqa: S606
    except OSError as error:
        raise click.UsageError(f"{python} can't be started: {error.strerror}") from None


@cli.command("environments")
@click.option("--remove", "removed", multiple=True, metavar="ID", help="Remove this environment, or `all`. Repeatable.")
def environments_command(removed: tuple[str, ...]) -> int:
    """List the environments in the cache, or remove some."""
    from impls.core import environments

    known = {environment.id: environment for environment in environments.environments()}
    if unknown := sorted(set(removed) - {*known, "all"}):
        raise click.UsageError(f"no environment is called {unknown[0]}; known: {', '.join(known) or 'none'}")
    sizes = {name: environments.size(environment) / 2**20 for name, environment in known.items()}
    for name in known if "all" in removed else dict.fromkeys(removed):
        try:
            environments.remove(known[name])
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        command_line.say(f"removed {name} ({sizes[name]:.0f} MiB)")
    if not removed:
        rows: list[tuple[str, ...]] = [("id", "used by", "MiB", "holds")]
        for name, environment in known.items():
            rows.append((name, environment.purpose, f"{sizes[name]:.0f}", ", ".join(environment.requirements)))
        if known:
            _print_table(rows)
        number = f"{len(known)} environment{'' if len(known) == 1 else 's'}"
        command_line.say(f"{number}, {sum(sizes.values()):.0f} MiB, in {environments.cache() / 'environments'}")
    return 0


if __name__ == "__main__":
    command_line.run(cli)

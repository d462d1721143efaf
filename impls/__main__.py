"""python -m impls list | evaluate: what there is, and one implementation on one case."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from impls.core import contract
from impls.core.problem import DTYPES


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The LSTM implementations."""


@cli.command("list")
def list_command() -> int:
    """Every implementation, without starting any framework. Exit code 1 where a file can't be read."""
    found, broken = contract.survey()
    rows: list[tuple[str, ...]] = [("name", "framework", "track", "devices", "dtypes", "workloads")]
    for one in found.values():
        many = (" ".join(values) for values in (one.devices, one.dtypes, one.workloads))
        rows.append((one.name, one.framework, one.track, *many))
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for reason in broken.values():
        click.echo(f"error: {reason}", err=True)
    return 1 if broken else 0


@cli.command()
@click.argument("implementation")
@click.option("--case", "case_path", required=True, type=click.Path(path_type=Path), help="case.npz to compute.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Where to write the results (.npz), as float64."
)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option("--device", type=click.Choice(contract.DEVICES), default="cpu", show_default=True)
def evaluate(implementation: str, case_path: Path, out: Path, dtype: str, device: str) -> None:
    """Compute one case.npz with IMPLEMENTATION, a name or the path of a .py file.

    The case holds x (T, B, I), the weights under their names in torch.nn.LSTM's state_dict, optional h0 and c0
    (L·D, B, H), and optional cotangents d_output (T, B, D·H), d_h_n, d_c_n; docs/what-is-measured.md has an example.

    OUT gets output, h_n, c_n and, where the case has cotangents, grad_NAME for each of its arrays.
    """
    # read by JAX when it starts, so before anything imports it
    os.environ["JAX_ENABLE_X64"] = "1" if dtype == "float64" else "0"
    os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"
    from impls.core.evaluate import evaluate_case, write_results
    from impls.core.weights import read_case

    try:
        found = contract.resolve(implementation)
        case = read_case(case_path, dtype)
        if out.is_dir():
            raise ValueError(f"{out} is a folder; give the name of a file")
        if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
            raise ValueError(f"{out} can't be written: {out.parent} is not a folder that can be written to")
        results = evaluate_case(found, case, device)
        write_results(out, results)
    except (ValueError, ImportError, contract.Unsupported) as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"{out} can't be written: {error.strerror}") from None


def run(command: click.Command) -> None:
    """Run a command; what is wrong with its arguments is one line on stderr and exit code 2."""
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    run(cli)

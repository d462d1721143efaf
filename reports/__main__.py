"""python -m reports build: tables, figures and the page, from the raw files of a run and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from impls.__main__ import run as run_command
from impls.files import write_text
from reports import frame, plot, site, table
from reports.summary import summarise


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tables from measured runs."""


@cli.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
def build(folders: tuple[Path, ...]) -> int:
    """Print each run's table; write its table.md, figures and index.html. Exit code 1 where a run could not be read."""
    code = 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=170)
    for folder in folders:
        try:
            run = frame.read_run(folder)
        except frame.Unreadable as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
            continue
        summary = summarise(run)
        write_text(folder / "table.md", table.markdown(run, summary))
        site.save(run, summary, plot.save(run, summary))
        table.show(run, summary, console)
    return code


if __name__ == "__main__":
    run_command(cli)

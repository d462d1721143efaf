"""python -m reports build: tables, figures and the page, from the raw files of runs and nothing else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click
from rich.console import Console

from impls.__main__ import run as run_command
from impls.files import write_text, write_whole
from reports import frame, over_runs, paste, plot, site, table
from reports.frame import Run
from reports.site import Reported
from reports.summary import summarise

RAW = ("results.parquet", "environment.json")
TOGETHER = Path("runs") / "report"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tables, figures and the page of measured runs."""


@cli.command()
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Where to.  [default: one run's own folder; {TOGETHER} for several]",
)
def build(paths: tuple[Path, ...], out: Path | None) -> int:
    """Rebuild tables, figures and index.html. Also takes .parquet and pytest-benchmark's .json files.

    Exit code 1 where something could not be read; all else is reported all the same.
    """
    runs, unreadable = frame.read_runs(paths)
    for error in unreadable:
        print(f"error: {error}", file=sys.stderr)
    alone = out is None and len(paths) == 1 and paths[0].is_dir()
    target = out or (paths[0] if alone else TOGETHER)
    console = Console()
    if not console.is_terminal:
        console = Console(width=190)
    reported = [report(run, target if alone else target / site.run_name(run), target) for run in newest_first(runs)]
    if len(reported) == 1:
        table.show(reported[0].run, reported[0].summary, console)
    if reported:
        site.save(target, reported, over_runs.over_runs(reported))
        if not alone:
            print(f"the page is {target / 'index.html'}")
    return 1 if unreadable else 0


def newest_first(runs: list[Run]) -> list[Run]:
    """Runs by their ids, which start with the time."""
    return sorted(runs, key=lambda run: str(run.options["run_id"]), reverse=True)


def report(run: Run, folder: Path, page: Path) -> Reported:
    """Write one run's tables and figures into a folder, beside copies of its raw files where it is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RAW:
        source = run.folder / name
        if source.is_file() and source.resolve() != (folder / name).resolve():
            write_whole(folder / name, lambda temporary, source=source: shutil.copyfile(source, temporary))  # type: ignore[misc]
    summary = summarise(run)
    sections = list(table.sections(summary, run.options["baseline"]))
    write_text(folder / "table.md", table.markdown(run, summary))
    write_text(folder / "table.html", paste.html_document(run, sections))
    write_text(folder / "table.tex", paste.latex_document(run, sections))
    pictures = plot.save(run, summary, folder / "figures")
    raw = "" if folder == page else f"{folder.relative_to(page).as_posix()}/"
    return Reported(run, summary, pictures, raw)


if __name__ == "__main__":
    run_command(cli)

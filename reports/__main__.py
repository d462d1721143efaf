"""python -m reports build: tables, figures and the page, from the raw files of runs and nothing else."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import click

from benchmarks.terminal import output
from impls.__main__ import run as run_command
from impls.core.files import write_text, write_whole
from reports import across_runs, charts, export, frames, headline, site, tables
from reports.frames import Run
from reports.site import Reported
from reports.summary import summarise

RAW = {
    "results.parquet": "every turn (Parquet)",
    "results.json": "pytest-benchmark's (JSON)",
    "environment.json": "machine and versions (JSON)",
}
COPIED = ("results.parquet", "environment.json")
TOGETHER = Path("runs") / "report"
RESERVED = ("index.html", "figures")


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
    runs, unreadable = frames.read_runs(paths)
    for error in unreadable:
        print(f"error: {error}", file=sys.stderr)
    alone = len(paths) == 1 and paths[0].is_dir() and (out is None or out.resolve() == paths[0].resolve())
    target = paths[0] if alone else out or TOGETHER
    console = output(190)
    runs = newest_first(runs)
    try:
        reported = [
            report(run, name, target if alone else target / name, target)
            for run, name in zip(runs, names(runs), strict=True)
        ]
        if reported:
            site.save(target, reported, across_runs.over_runs(reported))
    except OSError as error:
        raise click.ClickException(f"{target} can't be written to: {error.strerror or error}") from None
    if len(reported) == 1:
        run, summary = reported[0].run, reported[0].summary
        tables.show(run, summary, console)
        console.print(headline.headline(run, summary), style="bold", markup=False, highlight=False)
    if reported and not alone:
        print(f"the page is {target / 'index.html'}")
    return 1 if unreadable else 0


def newest_first(runs: list[Run]) -> list[Run]:
    """Runs by their ids, which start with the time; those whose time is not known come last."""
    return sorted(runs, key=lambda run: (run_id(run)[:1].isdigit(), run_id(run)), reverse=True)


def run_id(run: Run) -> str:
    """Such as `20261124T190533-b1085af4`."""
    return str(run.options["run_id"])


def names(runs: list[Run]) -> list[str]:
    """A name for each run, after its folder or file, of signs that are safe in a path; no two are the same."""
    found: list[str] = []
    for run in runs:
        path = run.folder.resolve()
        name = safe(path.name if path.is_dir() else path.stem) or "run"
        if name in found or name in RESERVED:
            name = f"{name}-{safe(run_id(run))}"
        found.append(name)
    return found


def safe(name: str) -> str:
    """Letters, digits, points, hyphens and lines alone."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")


def report(run: Run, name: str, folder: Path, page: Path) -> Reported:
    """Write one run's tables and figures into a folder, beside copies of its raw files where it is another's.

    Raises ClickException where that folder holds another run, which is not to be lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy_raw(run, folder)
    summary = summarise(run)
    sections = list(tables.sections(summary, run.options["baseline"]))
    write_text(folder / "table.md", tables.markdown(run, summary))
    write_text(folder / "table.html", export.html_document(run, sections))
    write_text(folder / "table.tex", export.latex_document(run, sections))
    pictures = charts.save(run, summary, folder / "figures")
    raw = "" if folder == page else f"{folder.relative_to(page).as_posix()}/"
    files = [*site.TABLES, *((file, said) for file, said in raw_files(run).items() if (folder / file).is_file())]
    return Reported(run, summary, pictures, name, raw, files)


def raw_files(run: Run) -> dict[str, str]:
    """The names of a run's raw files, each with what it is; of a run that is one file, that file's."""
    return {run.folder.name: "raw data"} if run.folder.is_file() else RAW


def copy_raw(run: Run, folder: Path) -> None:
    """Copy a run's raw files, where they are not there already."""
    sources = [run.folder] if run.folder.is_file() else [run.folder / file for file in COPIED]
    if run.folder.resolve() == folder.resolve():
        return
    there = folder / "environment.json"
    if there.exists() and f'"{run_id(run)}"' not in there.read_text(encoding="utf-8"):
        raise click.ClickException(f"{folder} holds another run; give another --out")
    for source in sources:
        if source.is_file():
            write_whole(folder / source.name, lambda temporary, source=source: shutil.copyfile(source, temporary))  # type: ignore[misc]


if __name__ == "__main__":
    run_command(cli)

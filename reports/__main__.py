"""python -m reports build: tables, charts and the page, from the raw files of runs and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from impls.core import command_line

if __name__ == "__main__":
    os.environ["TZ"] = "UTC"  # no report depends on it; Babel, which great-tables imports, fails where it is odd

with command_line.starting():
    import click

    from benchmarks.terminal import output
    from impls.core.files import write_text, write_whole
    from reports import charts, export, frames, headline, markdown, publication, publishing, roofline, site, tables
    from reports import terminal as screen
    from reports.across_runs import across_runs
    from reports.frames import Run
    from reports.metadata import checked, read_json
    from reports.recommendation import recommendations
    from reports.reported import Reported
    from reports.summary import summarise

RAW = {
    "results.parquet": "every turn (Parquet)",
    "results.json": "pytest-benchmark's (JSON)",
    "environment.json": "machine and versions (JSON)",
}
COPIED = ("results.parquet", "environment.json")
TOGETHER = Path("runs") / "report"
TITLE = b"<title>Which LSTM is fastest?</title>"
"""What is near the start of every page of this suite."""
RESERVED = ("index.html", "figures")
PUBLISHED = Path(__file__).with_name("published")
RUN_FILE = "results.parquet"
"""The file that every folder of a run has."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Tables, charts and the page of measured runs."""


@cli.command()
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"The folder to write to.  [default: the run's own folder; {TOGETHER} for several runs]",
)
@click.option(
    "--show",
    type=click.Choice(["answer", "all"]),
    default="answer",
    show_default=True,
    help="Of a single run, the tables to print: those that the headline is about, or all.",
)
@click.option("--limits", is_flag=True, help="Exit with 1 where a row is faster than the floor or the peak allows.")
def build(paths: tuple[Path, ...], out: Path | None, limits: bool, show: str = "answer") -> int:
    """Rebuild tables, charts and index.html. Also takes .parquet and pytest-benchmark's .json files.

    The exit code is 1 where a run could not be read; the others are still reported.
    """
    for path in filter(holds_a_report, paths):
        command_line.say(f"skipped: {path} holds a report, not a run", err=True)
    runs, unreadable = frames.read_runs(path for path in paths if not holds_a_report(path))
    if not runs and not unreadable:
        unreadable = [frames.Unreadable("there is no run to report")]
    for error in unreadable:
        command_line.say(f"error: {error}", err=True)
    target = out or TOGETHER
    console = output(190)
    runs = in_order(runs)
    try:
        alone = len(paths) == 1 and paths[0].is_dir() and (out is None or same(out, paths[0]))
        target = paths[0] if alone else target
        if runs and holds_another_page(target):
            raise click.ClickException(f"{target / 'index.html'} is no page of this suite; give another --out")
        reported = [
            report(run, name, target if alone else target / name, target)
            for run, name in zip(runs, names(runs), strict=True)
        ]
        if reported:
            site.save(target, reported, across_runs(reported))
    except OSError as error:
        raise click.ClickException(f"{target} can't be written to: {error.strerror or error}") from None
    if len(reported) == 1:
        run, summary = reported[0].run, reported[0].summary
        screen.show(run, summary, console, show == "all")
        for said in (headline.headline(run, summary), *(each.sentence for each in recommendations(run, summary))):
            console.print(said, style="bold", markup=False, highlight=False)
    if reported and not alone:
        command_line.say(f"the page is {target / 'index.html'}")
    faults = [line for each in reported if limits and (line := roofline.beyond(each.summary))]
    for line in faults:
        command_line.say(f"error: {line}", err=True)
    return 1 if unreadable or faults else 0


@cli.command("site")
@click.option(
    "--published",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    default=PUBLISHED,
    help="The folder of the runs.  [default: reports/published]",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", default=Path("site"), show_default=True
)
def build_site(published: Path, out: Path) -> int:
    """Build the site of the published runs: static files that any host can serve."""
    found = sorted(path for path in published.iterdir() if (path / RUN_FILE).is_file())
    runs, unreadable = frames.read_runs(found)
    for error in unreadable:
        command_line.say(f"error: {error}", err=True)
    if not runs:
        raise click.ClickException(f"{published} holds no run")
    if holds_another_page(out):
        raise click.ClickException(f"{out / 'index.html'} is no page of this suite; give another --out")
    runs = in_order(runs)
    try:
        reported = [
            report(run, name, out / publication.RUNS / name, out) for run, name in zip(runs, names(runs), strict=True)
        ]
        publication.build(out, reported)
    except OSError as error:
        raise click.ClickException(f"{out} can't be written to: {error.strerror or error}") from None
    command_line.say(f"the site is {out / 'index.html'}")
    return 1 if unreadable else 0


@cli.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=PUBLISHED,
    help="The folder of published runs.  [default: reports/published]",
)
def publish(path: Path, to: Path) -> int:
    """Check a run, and copy it to the published ones. The exit code is 1 where it can't be published."""
    try:
        run = frames.read_run(path)
    except frames.Unreadable as error:
        raise click.ClickException(str(error)) from None
    summary = summarise(run)
    found = list(publishing.faults(run, summary))
    for fault in found:
        command_line.say(f"not published: {fault}", err=True)
    if not found:
        place = publishing.publish(run, summary, to)
        command_line.say(f"published: {place}. Commit it; `nox -s site` shows it.")
    return 1 if found else 0


def holds_a_report(path: Path) -> bool:
    """Return whether a folder is what this command made of several runs: a page without raw files of its own."""
    try:
        return (path / "index.html").is_file() and not any((path / name).exists() for name in RAW)
    except OSError:  # such as a name that is too long: reading it says so
        return False


def holds_another_page(folder: Path) -> bool:
    """Whether a folder has an index.html that this suite did not write."""
    page = folder / "index.html"
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return TITLE not in file.read(2**13)


def in_order(runs: list[Run]) -> list[Run]:
    """Return runs in the order of the page: first the one of most benchmarks, then the others, the newest first.

    So a full run heads the page, and never a newer quick one. Ids start with the time; one without a time comes last.
    """
    newest = sorted(runs, key=lambda run: (run.run_id[:1].isdigit(), run.run_id), reverse=True)
    return sorted(newest, key=lambda run: run is not max(newest, key=benchmarks))


def benchmarks(run: Run) -> int:
    """Return how many benchmarks a run has."""
    return len(run.records.drop_duplicates(frames.BENCHMARK))


def names(runs: list[Run]) -> list[str]:
    """Return a name for each run, made of its folder's or file's name; no two are the same."""
    taken: list[str] = []
    for run in runs:
        path = Path(os.path.realpath(run.folder))
        name = safe(path.name if path.is_dir() else path.stem) or "run"
        if name in taken or name in RESERVED:
            name = f"{name}-{safe(run.run_id)[:100]}"
        taken.append(name)
    return taken


def same(one: Path, other: Path) -> bool:
    """Whether two paths are the same after symbolic links, also where these go in a circle."""
    return os.path.realpath(one) == os.path.realpath(other)


def safe(name: str) -> str:
    """Return a name that is safe in a path: only letters, digits, points, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")


def report(run: Run, name: str, folder: Path, page: Path) -> Reported:
    """Write one run's tables and charts into a folder, with copies of its raw files if the folder is not the run's own.

    Raises:
        click.ClickException: the folder holds another run, which must not be lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy_raw(run, folder)
    summary = summarise(run)
    sections = list(tables.sections(summary, run.baseline))
    write_text(folder / "summary.csv", export.csv(summary))
    write_text(folder / "table.md", markdown.document(run, summary))
    write_text(folder / "table.html", export.html_document(run, sections))
    write_text(folder / "table.tex", export.latex_document(run, sections))
    pictures = charts.save(run, summary, folder / "figures")
    raw = "" if folder == page else f"{folder.relative_to(page).as_posix()}/"
    files = [*site.TABLES, *((file, what) for file, what in raw_files(run).items() if (folder / file).is_file())]
    return Reported(run, summary, pictures, name, raw, files)


def raw_files(run: Run) -> dict[str, str]:
    """Return the names of a run's raw files, each with a few words on what it is."""
    return {run.folder.name: "raw data"} if run.folder.is_file() else RAW


def is_of(run: Run, environment: Path) -> bool:
    """Return whether an environment.json is that of a run."""
    try:
        return checked(read_json(environment), str(environment)).run.run_id == run.run_id
    except frames.Unreadable:
        return False


def copy_raw(run: Run, folder: Path) -> None:
    """Copy a run's raw files into a folder, unless it is the run's own."""
    sources = [run.folder] if run.folder.is_file() else [run.folder / file for file in COPIED]
    if same(run.folder, folder):
        return
    present = folder / "environment.json"
    ours = is_of(run, present) if present.exists() else not any((folder / name).exists() for name in COPIED)
    if not ours:
        raise click.ClickException(f"{folder} holds another run; give another --out")
    for source in sources:
        if source.is_file():
            write_whole(folder / source.name, lambda temporary, source=source: shutil.copyfile(source, temporary))  # type: ignore[misc]


if __name__ == "__main__":
    command_line.run(cli)

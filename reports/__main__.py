"""python -m reports report: tables, charts and the page, from the raw files of runs and nothing else."""

import sys
from collections.abc import Sequence
from pathlib import Path

from impls.core import command_line

try:
    with command_line.starting():
        import click
        import pandas as pd

        from benchmarks import tables
        from benchmarks.tables import output
        from impls.core.files import write_text
        from reports import fleet as fleets
        from reports import frames, run_folder, terminal
        from reports import tables as of_a_run
        from reports.history import PUBLISHED
        from reports.publishing import publication
        from reports.publishing.command import check_claims, publish
        from reports.site import pages as site
except ModuleNotFoundError as error:
    if __name__ != "__main__":
        raise
    command_line.say(f"error: a report needs {error.name}, which is not installed here", err=True)
    sys.exit(command_line.NOT_INSTALLED)

TOGETHER = Path("runs") / "report"


@click.group(context_settings=command_line.HELP)
@command_line.version_option
def cli() -> None:
    """Tables, charts and the page of measured runs."""


@cli.command(
    "report", epilog=command_line.examples("reports report runs/ONE runs/OTHER --out both")
)
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=Path)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"The folder to write to.  [default: the run's own folder; {TOGETHER} for several runs]",
)
def report(paths: tuple[Path, ...], out: Path | None) -> int:
    """Rebuild tables, charts and the page. Also takes .parquet, and the .json of `pytest benchmarks`.

    The exit code is 1 where a run could not be read; the others are still reported.
    """
    runs = []
    for path in paths:
        if run_folder.holds_a_report(path):
            command_line.say(f"skipped: {path} holds a report, not a run", err=True)
        else:
            runs.append(path)
    first = paths[0]
    in_place = len(paths) == 1 and first.is_dir() and (not out or out.resolve() == first.resolve())
    target = first if in_place else out or TOGETHER
    reported, unreadable = run_folder.reports(runs, None if in_place else target, target)
    _say_unreadable(unreadable)
    if not reported and not unreadable:
        command_line.say("error: there is no run to report", err=True)
        return 1
    if reported:
        site.save(target, reported)
    page = command_line.near(target / "index.html")
    if len(reported) == 1:
        terminal.show(reported[0], output(190), page)
    elif reported:
        command_line.say(f"the page is {page}")
    return 1 if unreadable else 0


def _say_unreadable(errors: Sequence[frames.Unreadable]) -> None:
    for error in errors:
        command_line.say(f"error: {error}", err=True)


@cli.command("site")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path("site"),
    show_default=True,
)
def build_site(out: Path) -> int:
    """Build the site of the published runs."""
    runs = frames.folders(PUBLISHED)
    reported, unreadable = run_folder.reports(
        runs, out / publication.RUNS, out, publication.OF_A_RUN
    )
    _say_unreadable(unreadable)
    if not reported:
        raise click.ClickException(f"{PUBLISHED} holds no run")
    publication.build(out, reported)
    command_line.say(f"the site is {out / 'index.html'}")
    return 1 if unreadable else 0


@cli.command("fleet")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def report_fleet(folder: Path) -> int:
    """Make fleet.md of a fleet: the ratios over all its nodes.

    The exit code is 1 where a node has no rows, an implementation has failed on a node, or no ratio is left.
    """
    try:
        together = fleets.read(folder)
    except ModuleNotFoundError as error:
        command_line.say(
            f"error: a fleet needs {error.name}: install the group `fleet` of pyproject.toml",
            err=True,
        )
        return command_line.NOT_INSTALLED
    write_text(folder / "fleet.md", fleets.document(together))
    write_text(folder / "fleet.csv", of_a_run.csv(pd.DataFrame(together.rows)))
    console = output(190)
    if together.rows:
        console.print(tables.terminal(fleets.columns(together), together.rows))
    for line in fleets.sentences(together):
        console.say(line, "bold")
    command_line.say(f"the table is {folder / 'fleet.md'}")
    return 0 if together.whole else 1


cli.add_command(publish)
cli.add_command(check_claims)

if __name__ == "__main__":
    command_line.run(cli)

"""python -m reports report: tables, charts and the page, from the raw files of runs and nothing else."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from impls.core import command_line

try:
    with command_line.starting():
        import click
        import pandas as pd

        from benchmarks import tables
        from benchmarks.tables import output
        from benchmarks.words import count, listed
        from impls.core.files import write_text
        from reports import fleet as fleets
        from reports import frames, run_folder, terminal
        from reports import tables as of_a_run
        from reports.estimates import PUBLISHED
        from reports.publishing import claims, publication, texts
        from reports.site import pages as site
except ModuleNotFoundError as error:
    if __name__ != "__main__":
        raise
    command_line.say(f"error: a report needs {error.name}, which is not installed here", err=True)
    sys.exit(command_line.NOT_INSTALLED)

TOGETHER = Path("runs") / "report"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=command_line.show_version
)
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
    runs = [path for path in paths if not run_folder.holds_a_report(path)]
    for path in paths:
        if path not in runs:
            command_line.say(f"skipped: {path} holds a report, not a run", err=True)
    alone = (
        len(paths) == 1
        and paths[0].is_dir()
        and (out is None or out.resolve() == paths[0].resolve())
    )
    target = paths[0] if alone else out or TOGETHER
    reported, unreadable = run_folder.reports(runs, None if alone else target, target)
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


@cli.command()
@click.argument(
    "paths",
    metavar="[RUN]...",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
def publish(paths: tuple[Path, ...]) -> int:
    """File runs under reports/published, and write the texts anew.

    Those of the same code, versions and benchmarks on the same kind of machine are joined as rounds of one run. They
    take the place of those that they replace. Without a run, only the texts. The exit code is 1 where a run can't be
    published, or where a sentence of the texts no longer holds.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            runs = [frames.read_run(path) for path in publication.gathered(paths, Path(folder))]
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        refused = sum([not _published(run) for run in runs])
    written, claimed = texts.write(PUBLISHED)
    command_line.say(f"written anew: {listed(['the tables', *written])}")
    turned = [(claim, reasons) for claim, reasons in claimed if reasons]
    for claim, reasons in turned:
        command_line.say(f"no longer true: {claim}: {'; '.join(reasons)}", err=True)
    return 1 if refused or turned else 0


@cli.command("claims")
def check_claims() -> int:
    """List the sentences of README and docs that lean on figures (docs/claims.toml), and whether they hold.

    The exit code is 1 where one does not.
    """
    claimed = list(claims.check(texts.published()))
    for claim, reasons in claimed:
        command_line.say(f"{claim}: {'; '.join(reasons) or 'holds'}")
    return 1 if any(reasons for _, reasons in claimed) else 0


def _published(run: frames.Run) -> bool:
    """Publish a run that is good enough, and return whether it is; say which it is not, and why."""
    faults = list(publication.faults(run))
    for fault in faults:
        command_line.say(f"not published: {run.folder.name}: {fault}", err=True)
    if not faults:
        place = publication.publish(run, PUBLISHED)
        rounds = f", {count(len(run.rounds), 'round')}" if run.metadata.rounds else ""
        command_line.say(f"published: {place}{rounds}. Commit it; `nox -s site` shows it.")
    return not faults


@cli.command("fleet")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def report_fleet(folder: Path) -> int:
    """Make fleet.md of a fleet: the ratios over all its nodes.

    The exit code is 1 where a node has no rows, an implementation has failed on a node, or no ratio is left.
    """
    try:
        said = fleets.read(folder)
    except ModuleNotFoundError as error:
        command_line.say(
            f"error: a fleet needs {error.name}: install the group `fleet` of pyproject.toml",
            err=True,
        )
        return command_line.NOT_INSTALLED
    write_text(folder / "fleet.md", fleets.document(said))
    write_text(folder / "fleet.csv", of_a_run.csv(pd.DataFrame(said.rows)))
    console = output(190)
    if said.rows:
        console.print(tables.terminal(fleets.columns(said), said.rows))
    for line in fleets.sentences(said):
        console.say(line, "bold")
    command_line.say(f"the table is {folder / 'fleet.md'}")
    return 0 if said.whole else 1


if __name__ == "__main__":
    command_line.run(cli)

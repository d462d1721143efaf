"""python -m reports publish | claims: file runs, write the texts anew, and see whether their sentences still hold."""

import tempfile
from pathlib import Path

import click

from benchmarks.words import count, listed
from impls.core import command_line
from reports import frames
from reports.history import PUBLISHED
from reports.publishing import claims, publication, texts


@click.command()
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
        with command_line.usage_errors():
            runs = [frames.read_run(path) for path in publication.gathered(paths, Path(folder))]
        code = 0
        for run in runs:
            faults = list(publication.faults(run))
            for fault in faults:
                command_line.say(f"not published: {run.folder.name}: {fault}", err=True)
                code = 1
            if not faults:
                place = publication.publish(run, PUBLISHED)
                rounds = f", {count(len(run.rounds), 'round')}" if run.metadata.rounds else ""
                command_line.say(f"published: {place}{rounds}. Commit it; `nox -s site` shows it.")
    with command_line.usage_errors():
        written, claimed = texts.write(PUBLISHED)
    command_line.say(f"written anew: {listed(['the tables', *written])}")
    for claim, reasons in claimed:
        if reasons:
            command_line.say(f"no longer true: {claim}: {'; '.join(reasons)}", err=True)
            code = 1
    return code


@click.command("claims")
def check_claims() -> int:
    """List the sentences of README and docs that lean on figures (docs/claims.toml), and whether they hold.

    The exit code is 1 where one does not.
    """
    code = 0
    with command_line.usage_errors():
        checked = list(claims.check(texts.published()))
    for claim, reasons in checked:
        command_line.say(f"{claim}: {'; '.join(reasons) or 'holds'}")
        if reasons:
            code = 1
    return code

"""python -m reports publish | claims: file runs, write the texts anew, and see whether their sentences still hold."""

import tempfile
from pathlib import Path

import click
import msgspec

from benchmarks import cells
from benchmarks.bench.rounds import SavedRun
from benchmarks.words import count, listed
from impls.core import command_line
from reports import frames, past, ways
from reports.frames import Run, machine_label
from reports.history import PUBLISHED
from reports.publishing import claims, joining, publication, texts

MOST_NAMED = 5
"""Of rows that have left the intervals of their earlier rounds."""


@click.command()
@click.argument(
    "paths",
    metavar="[RUN|FILE.json]...",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True),
)
@click.option(
    "--by",
    default="",
    metavar="NAME",
    help="Whose machine compared a FILE.json, where it is not ours.",
)
def publish(paths: tuple[Path, ...], by: str) -> int:
    """File runs, and what `agree --options --out FILE.json` wrote, under reports/published, and write the texts anew.

    Those of the same code, versions and benchmarks on the same kind of machine, with such a peak, are joined as rounds
    of one run, also with what is published. They take the place of those that they replace: the raw data of these go,
    but their rows stay on record, and on the pages history/ of the site. Without a run, only the texts.

    Each row is named whose ratio has left the intervals of its earlier rounds. The exit code is 1 where a run can't be
    published, or where a sentence of the texts no longer holds.
    """
    code = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with command_line.usage_errors():
            for path in paths:
                if path.is_file() and not publish_agreement(path, by):
                    code = 1
            folders = [path for path in paths if path.is_dir()]
            runs = [frames.read_run(path) for path in joining.gathered(folders, folder)]
            for run in runs:
                if not publish_run(run, folder):
                    code = 1
    with command_line.usage_errors():
        written, claimed = texts.write(PUBLISHED)
    command_line.say(f"written anew: {listed(['the tables', *written])}")
    for run in runs:
        say_moved(run)
    for claim, reasons in claimed:
        if reasons:
            command_line.say(f"no longer true: {claim}: {'; '.join(reasons)}", err=True)
            code = 1
    return code


def publish_agreement(path: Path, by: str) -> bool:
    """Publish what `agree --options` has written; say so, and return False where that can't be.

    A ValueError says in one line what can't be read.
    """
    agreement = cells.read(path)
    faults = list(ways.faults(agreement))
    for fault in faults:
        command_line.say(f"not published: {path}: {fault}", err=True)
    if faults:
        return False
    place = ways.publish(msgspec.structs.replace(agreement, by=by))
    command_line.say(f"published: {place}. Commit it; `nox -s site` shows it.")
    return True


def publish_run(run: Run, folder: Path) -> bool:
    """Publish a run, joined in `folder` with the published rounds of it; say so, and return False where that can't be.

    A ValueError says in one line what can't be read.
    """
    name = run.folder.name
    saved = SavedRun.read(run.folder)
    earlier, why_none = joining.published_rounds(saved, run, PUBLISHED)
    for other in earlier:
        if saved.rounds <= other.rounds:
            command_line.say(f"published already: {name}, in {other.folder}")
            return True
    near = [joining.too_near(saved, other) for other in earlier]
    faults = list(filter(None, [*publication.faults(run, is_further=bool(earlier)), *near]))
    for fault in faults:
        command_line.say(f"not published: {name}: {fault}", err=True)
    if faults:
        return False
    whole = frames.read_run(joining.join([saved, *earlier], folder))
    place = publication.publish(whole, PUBLISHED)
    rounds = f", {count(len(whole.rounds), 'round')}" if whole.metadata.rounds else ""
    joined = f" with {listed([other.folder.name for other in earlier])}" if earlier else ""
    command_line.say(f"published: {place}{rounds}{joined}. Commit it; `nox -s site` shows it.")
    if why_none and not earlier:
        command_line.say(why_none)
    return True


def say_moved(run: Run) -> None:
    """Say which rows have left the intervals of their earlier rounds with the rounds of a run."""
    moved = past.moved(machine_label(run.metadata))
    if moved.empty:
        return
    moved = moved[moved["last"].isin(run.rounds)]
    for row in moved.head(MOST_NAMED).itertuples():
        command_line.say(f"left its earlier intervals: {past.sentence(row)}")
    if len(moved) > MOST_NAMED:
        command_line.say(f"and {len(moved) - MOST_NAMED} more: see the pages history/ of the site")


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

"""The folder of a run's report: its tables and charts, and copies of its raw files."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from impls.core.files import write_text, write_whole
from reports import code_age, frames, parts, tables
from reports.charts.drawing import Drawing, file_name, write
from reports.frames import Run, Unreadable
from reports.report import Answer, Report
from reports.site import pages as site
from reports.summary import summarise

RAW = {
    "results.parquet": "every turn (Parquet)",
    "results.json": "pytest-benchmark's (JSON)",
    "environment.json": "machine and versions (JSON)",
}
TITLE = b"<title>Which LSTM is fastest?"
"""What every index.html of this suite has."""
COPIED = [name for name in RAW if name != "results.json"]


def reports(
    paths: Iterable[Path], folder: Path | None, page: Path, links: site.Links = ()
) -> tuple[list[Report], list[Unreadable]]:
    """Write several runs, each into a folder of its name.

    Args:
        paths: of the runs, as for frames.read_run.
        folder: where their folders are made; None for a single run whose folder is the page's.
        page: the folder of the page that will show them.
        links: to the pages of the site that this is a part of; each run then has a page of its own in its folder.

    Returns:
        The runs in the order of a page, and of each other path why it can't be read.

    Raises:
        click.ClickException: the page's folder holds something else than a report, which must not be lost.
    """
    read, unreadable = frames.read_runs(paths)
    runs = code_age.in_order(read)
    is_free = holds_a_report(page) or not page.is_dir() or not any(page.iterdir())
    if runs and folder and not is_free:
        raise click.ClickException(f"{page} holds something else than a report; give another --out")
    written = [
        _write(run, name, folder / name if folder else page, page, links)
        for run, name in zip(runs, names(runs), strict=True)
    ]
    return written, unreadable


def _write(run: Run, name: str, folder: Path, page: Path, links: site.Links) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    copy_raw(run, folder)
    report = complete(run, name)
    write_text(folder / "summary.csv", tables.csv(report.summary))
    write_text(folder / "table.md", tables.markdown(report))
    write_text(folder / "table.tex", tables.latex(report))
    shown: list[Drawing | Answer] = []
    for each in report.shown:
        if isinstance(each, Drawing):
            shown.append(write(each, folder / "figures"))
        else:
            shown.append(each)
    raw_files = RAW
    if run.folder.is_file():
        raw_files = {run.folder.name: "raw data"}
    present = [(file, what) for file, what in raw_files.items() if (folder / file).is_file()]
    report = replace(report, shown=shown, raw_files=present)
    if links:
        site.save(folder, [report], links)
    if folder == page:
        return report
    return replace(report, raw=f"{folder.relative_to(page).as_posix()}/")


def complete(run: Run, name: str = "") -> Report:
    """Return a run with its summary and with what the parts make of it, before any of it is drawn."""
    report = Report(run, summarise(run), name)
    return replace(report, shown=list(parts.made(report)))


def copy_raw(run: Run, folder: Path) -> None:
    """Copy a run's raw files into a folder, unless it is the run's own."""
    if run.folder.resolve() == folder.resolve():
        return
    sources = [run.folder / file for file in COPIED]
    if run.folder.is_file():
        sources = [run.folder]
    for source in sources:
        write_whole(folder / source.name, partial(shutil.copyfile, source))


def names(runs: Sequence[Run]) -> list[str]:
    """Return a name for each run, made of its folder's or file's name; no two are the same."""
    taken = ["figures"]
    for run in runs:
        path = run.folder.resolve()
        name = file_name(path.name if path.is_dir() else path.stem) or "run"
        if name in taken:
            name = file_name(name, run.run_id)
        taken.append(name)
    return taken[1:]


def holds_a_report(path: Path) -> bool:
    """Return whether a folder is what was made of several runs: a page without raw files of its own."""
    page = path / "index.html"
    if not page.is_file() or any((path / name).exists() for name in RAW):
        return False
    return TITLE in page.read_bytes()

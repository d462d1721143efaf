"""What is published: whether a run is good enough, its files, and the site of all of them."""

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from benchmarks import ROOT
from benchmarks.cases import PRESETS, Preset
from benchmarks.words import count
from impls.core import registry
from impls.core.files import write_text
from reports import code_age, estimates, frames, tables
from reports.charts.drawing import file_name
from reports.frames import ARM, Run, machine_label
from reports.preamble import torch_and_jax
from reports.publishing import rounds
from reports.report import Report
from reports.run_folder import copy_raw
from reports.site import pages as site
from reports.site import past
from reports.site.documents import documents, programs

RUNS = "runs"
"""The folder of the site with a folder for each run, whose addresses never change."""
LINKS = (
    ("ways.html", "Can I use it?"),
    ("docs/method.html", "Methods"),
    ("docs/results.html#what-people-asked-in-issue-trackers", "Asked in issue trackers"),
    ("docs/reference.html#use-one-in-your-program", "Use one in a program"),
    ("docs/CONTRIBUTING.html#add-an-implementation-in-one-file", "Add yours"),
    ("docs/gate.html", "The gate"),
    ("summary.csv", "summary.csv"),
)
"""What every page of the site links to, beside the page of runs."""
OF_A_RUN = tuple((f"../../{href}", title) for href, title in (("index.html", "All runs"), *LINKS))
"""What the page of a run links to."""


def build(out: Path, reported: Sequence[Report]) -> None:
    """Write the site's pages and the files for programs; the runs' own are in RUNS/NAME already."""
    history = past.pages()
    site.save(out, reported, LINKS, past.addresses(history))
    for name, parts in history.items():
        path = out / past.address(name)
        path.parent.mkdir(exist_ok=True)
        write_text(path, site.past(name, parts, _links("../")))
    write_text(out / "ways.html", site.of_ways(_links("")))
    for program in programs():
        place = out / program.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(program, place)
    for document in documents():
        path = out / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        links = _links("../" * document.path.count("/"))
        write_text(path, site.document(document, links))
    summaries = [
        each.summary.assign(
            run_id=each.run.run_id,
            machine=machine_label(each.run.metadata),
            commit=each.run.metadata.commit.id,
        )
        for each in reported
    ]
    write_text(out / "summary.csv", tables.csv(pd.concat(summaries, ignore_index=True)))


def _links(up: str) -> list[tuple[str, str]]:
    """Return what a page links to from a folder of the site; `up` leads from there to the site."""
    return [(up + href, title) for href, title in (*site.PAGES.items(), *LINKS)]


LEAST_REPLICATES = 4
"""The fewest replicates of fresh processes with which an interval means something."""
MOST_OF_RATIOS = 0.1
MOST_OF_TIMES = estimates.UNSTEADY
"""The most that the replicates of a ratio, and of a time, may differ by: the median of the standard deviations."""


def faults(run: Run, *, is_further: bool = False) -> Iterator[str]:
    """Yield each reason why a run can't be published; none means that it can.

    Where it is a further round of a published run, that run has enough replicates.
    """
    metadata = run.metadata
    presets = [name for name in PRESETS if name != "quick"]
    measured = _keys(run.records, ["problem", "workload", "mode"])
    if not any(measured == _benchmarks(PRESETS[name]) for name in presets):
        yield f"its benchmarks are those of no preset that is published; these are {', '.join(presets)}"
    machine = metadata.machine
    if machine.family is None or machine.model is None or not machine.instructions:
        yield "its processor is not known by family, model and vector instructions"
    if not metadata.commit.id:
        yield "its commit is not known"
    elif metadata.commit.dirty:
        yield "files differed from its commit: commit them, and measure again"
    replicates = sum(run.rounds.values())
    if replicates < LEAST_REPLICATES and not is_further:
        yield f"it has {count(replicates, 'replicate')}; {LEAST_REPLICATES} are needed"
    noise = estimates.noise(run)
    if not math.isfinite(noise.times):
        yield "its noise is not known"
    limits = [("ratios", noise.ratios, MOST_OF_RATIOS), ("times", noise.times, MOST_OF_TIMES)]
    for what, deviation, most in limits:
        if deviation > most:
            differ = f"{what} differ by {100 * deviation:.0f} % between replicates"
            yield f"the machine was busy: {differ}; {100 * most:.0f} % is the most"
    records = run.records.drop_duplicates([*ARM, "status"])
    for (status, name), rows in run.failures(records).groupby(
        ["status", "implementation"], sort=False
    ):
        yield f"{name} has the status {status} in {count(len(rows), 'row')}: {rows['reason'].iloc[0]}"


def _benchmarks(preset: Preset) -> set[tuple[str, ...]]:
    """Return the problem, workload and mode of what a preset measures."""
    return {(problem, *pair) for problem, pair in product(preset.problems, preset.pairs)}


def _keys(records: pd.DataFrame, columns: list[str]) -> set[tuple[str, ...]]:
    """Return the values of some columns, each combination once."""
    return set(records[columns].itertuples(index=False, name=None))


def replaced(run: Run, folder: Path) -> Iterator[Run]:
    """Yield the older published runs of whose rows, at implementations that still exist, a run has all.

    It must have as many rounds, or be of other releases.
    """
    for path in frames.folders(folder):
        old = frames.read_run(path)
        same_machine = machine_label(old.metadata) == machine_label(run.metadata)
        other_releases = torch_and_jax(old) != torch_and_jax(run)
        as_steady = other_releases or len(old.rounds) <= len(run.rounds)
        if same_machine and old.run_id < run.run_id and as_steady:
            files = code_age.file_of(old.records["implementation"])
            existing = old.records[files.isin(registry.catalogue())]
            if _keys(existing, ARM) <= _keys(run.records, ARM):
                yield old


def publish(run: Run, folder: Path) -> Path:
    """Copy a run's raw files to the published runs, then remove those that it replaces, and return the place.

    The rounds of what is removed stay on record. The name is that of the run's folder; where another run has it, as in
    a fleet, the run's id is added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    older = list(replaced(run, folder))
    rounds.record(older, folder)
    to_remove = [old.folder for old in older]
    name = run.folder.resolve().name
    place = folder / name
    if place.exists() and place not in to_remove and frames.read_run(place).run_id != run.run_id:
        place = folder / file_name(name, run.run_id)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        copy = Path(temporary, "new")
        copy.mkdir()
        copy_raw(run, copy)
        frames.read_run(copy)
        if place.exists():
            place.rename(Path(temporary, "old"))
        copy.rename(place)
    for old in to_remove:
        if old != place:
            shutil.rmtree(old)
    return place

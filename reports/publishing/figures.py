"""The figures of the published runs, a row for each: the tables of README and docs show them, claims are about them."""

import functools
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from benchmarks import ROOT
from benchmarks.words import duration, span, time_with_interval
from reports import code_age, frames, machines, selection, tables
from reports.machines import Machine
from reports.parts import cliffs, releases
from reports.publishing import cells
from reports.report import Report, pair_ratios

STEP = "train_step"
CALL = "forward"
TABLES = ROOT / "docs" / "tables.toml"
KEY = ["column", "problem", "mode", "implementation"]
DEFAULTS = {"mode": STEP, "implementation": frames.USUAL_BASELINE}
"""What a row of TABLES may leave out."""


RowsOf = Callable[[Machine], pd.DataFrame]


@functools.cache  # three columns are of these
def _sequences(machine: Machine) -> pd.DataFrame:
    """Return the rows that are compared with the baseline; no releases."""
    rows = selection.sequences(machine.runs)
    return rows[rows["ratio"].notna() & rows["implementation"].isin(code_age.digests())]


def _whole_steps(report: Report) -> pd.DataFrame:
    """Return the rows of training steps with a loss and an optimizer."""
    return report.rows.query("workload == 'train' and status == 'ok'")


def _keras_on_torch(report: Report) -> pd.DataFrame:
    """Return the ratios of Keras on PyTorch to Keras on TensorFlow."""
    rows = report.sound.query("implementation == 'keras_torch'")[[*frames.ARM, "older"]]
    return pair_ratios(report, rows.assign(other="keras_tensorflow"), "other")


def _of_runs(rows_of_report: Callable[[Report], pd.DataFrame]) -> RowsOf:
    return lambda machine: selection.one_each(machine.runs, rows_of_report)


WHOLE_STEPS = _of_runs(_whole_steps)
OPTIONS = _of_runs(cliffs.costs)
RELEASES = _of_runs(functools.partial(releases.compared, base="first"))
KERAS = _of_runs(_keras_on_torch)


def _time(row: Any) -> str:
    return time_with_interval(row.seconds, row.seconds_low, row.seconds_high)


def _first_call(row: Any) -> str:
    return duration(row.first_call_seconds)


class Column(NamedTuple):
    """Where a figure is: in which rows and under which name; how a table shows it; its verdict or operator."""

    rows: RowsOf
    name: str
    text: Callable[[Any], str]
    word: str = ""


COLUMNS = {
    "ratio": Column(_sequences, "ratio", cells.ratio, "verdict"),
    "time": Column(_sequences, "seconds", _time),
    "first call": Column(_sequences, "first_call_seconds", _first_call),
    "ratio of whole steps": Column(WHOLE_STEPS, "ratio", cells.ratio, "verdict"),
    "time of whole steps": Column(WHOLE_STEPS, "seconds", _time),
    "with ÷ without": Column(OPTIONS, "cost", tables.ratio("cost")),
    "with ÷ nn.LSTM without": Column(OPTIONS, "over", tables.ratio("over")),
    "operator": Column(OPTIONS, "operator", tables.word("operator"), "operator"),
    "release ÷ oldest": Column(RELEASES, "ratio", cells.ratio, "verdict"),
    "on PyTorch ÷ on TensorFlow": Column(KERAS, "ratio", tables.ratio()),
}
"""What a figure can be. An option is compared with the same problem without it."""


@dataclass(frozen=True)
class Published:
    """The published runs, in the order of a page."""

    reports: Sequence[Report]

    @functools.cached_property
    def machines(self) -> list[Machine]:
        """The machines, with the runs of each that texts show."""
        return machines.by_machine(self.reports)

    @functools.cached_property
    def figures(self) -> pd.DataFrame:
        """The figures: KEY, machine, value, low, high, word and text, beside all columns of their rows.

        Without an interval, low and high are the value.
        """
        every = []
        for machine in self.machines:
            for column, (rows_of, name, text, word) in COLUMNS.items():
                rows = rows_of(machine)
                value = pd.to_numeric(rows[name], errors="coerce")
                new = {
                    "machine": machine.label,
                    "column": column,
                    "value": value,
                    "low": rows.get(f"{name}_low", value),
                    "high": rows.get(f"{name}_high", value),
                    "word": rows.get(word, ""),
                    "text": [text(row) + code_age.age(row) for row in rows.itertuples(index=False)],
                }
                every.append(rows.assign(**new))
        return pd.concat(every, ignore_index=True)


def by_machine(published: Published, rows: pd.DataFrame) -> Iterator[tuple[Machine, pd.DataFrame]]:
    """Yield the machines that have some of the figures, with these."""
    for machine in published.machines:
        of_machine = rows[rows["machine"] == machine.label]
        if len(of_machine):
            yield machine, of_machine


def grid(rows: pd.DataFrame, index: str, columns: str) -> pd.DataFrame:
    """Return the texts of figures as a table, in the order of the rows."""
    table = rows.pivot_table("text", index, columns, aggfunc="first", sort=False)
    return table.rename_axis(columns=None)


def table_text(table: pd.DataFrame) -> str:
    """Return a table, with its index, in GitHub's Markdown; what was not measured is a dash."""
    rows = table.astype(object).fillna("–").reset_index()
    return str(rows.to_markdown(index=False, tablefmt="github", disable_numparse=True))


@functools.cache
def specified() -> dict[str, list[dict[str, Any]]]:
    """Return what docs/tables.toml says of the tables of each block."""
    return tomllib.loads(TABLES.read_text(encoding="utf-8"))


def places_of(table: dict[str, Any]) -> pd.DataFrame:
    """Return a row for each figure that a table shows: what the figure is, and where it stands."""
    places = []
    for row, place in table["rows"].items():
        for column, more in table.get("columns", {"": {}}).items():
            places.append(DEFAULTS | place | more | {table["head"]: row, "below": column})
    return pd.DataFrame(places)


def not_measured(figures: pd.DataFrame) -> Iterator[str]:
    """Yield each figure of docs/tables.toml that no machine has: a name may be wrong."""
    for name, tables_of_block in specified().items():
        for table in tables_of_block:
            rows = places_of(table).merge(figures, on=KEY, how="left")
            for place in rows[rows["machine"].isna()].to_dict("records"):
                yield f"{name}: {', '.join(place[key] for key in KEY)}"


def side_by_side(name: str, figures: pd.DataFrame) -> str:
    """Return the tables of a block, with the machines that have a figure side by side.

    A machine has a column, with the days; or one for each of those that docs/tables.toml names.
    """
    blocks = []
    for table in specified()[name]:
        rows = places_of(table).merge(figures, on=KEY)
        if rows.empty:
            continue
        days = rows.groupby("machine")["day"].unique().map(sorted).map(span)
        below = rows["below"].where(rows["below"] != "", rows["machine"].map(days))
        rows["head"] = rows["machine"] + ", " + below
        heads: list[str] = []
        for machine in figures["machine"].unique():
            heads += list(rows.loc[rows["machine"] == machine, "head"].unique())
        blocks.append(table_text(grid(rows, table["head"], "head")[heads]))
    return "\n\n".join(blocks)

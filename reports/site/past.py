"""The pages history/NAME.html: how the rows of an implementation went over their rounds on record."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import pandas as pd

from benchmarks.options import start_of
from benchmarks.words import interval, unit_of
from reports import history, past
from reports.charts import past as charts
from reports.charts.drawing import file_name
from reports.code_age import OLDER, file_of
from reports.frames import ARM, USUAL_BASELINE
from reports.machines import short

FOLDER = "history"
ENDS = ["value", "low", "high"]
FEWEST = 2
"""The rounds of a row that has a chart, at least."""


@dataclass(frozen=True)
class Chart:
    """The rows of an implementation at a problem, round by round.

    Attributes:
        id: its anchor.
        title: the implementation and the problem.
        svg: a panel for each row.
        releases: what the marks stand for.
        header, table: its numbers, a row for each round.
        arms: the rows' ARMs.
    """

    id: str
    title: str
    svg: str
    releases: list[str]
    header: list[str]
    table: list[list[str]]
    arms: list[tuple[str, ...]]


@dataclass(frozen=True)
class Part:
    """The charts of an implementation's file on a kind of machine, and which of its rows have moved.

    `is_known`: whether it is known how far rounds differ there.
    """

    machine: str
    name: str
    is_known: bool
    moved: list[str]
    charts: list[Chart]


def pages() -> dict[str, list[Part]]:
    """Return the parts of each page, by the name of an implementation's file."""
    found: dict[str, list[Part]] = {}
    for label in past.machines():
        ratios = _shown(label, "ratio")
        times = _shown(label, "time")
        rows = pd.concat([ratios, times]).drop_duplicates(["round", *ARM])
        rows = rows[rows.groupby(ARM)["round"].transform("size") >= FEWEST]
        is_known = not history.lasting_on(label, rows, "ratio").empty
        moved = past.moved(label)
        of_moved = file_of(moved["implementation"])
        for file, of_file in rows.groupby(file_of(rows["implementation"])):
            part = Part(
                label,
                short(label.split(", model ")[0]),
                is_known,
                [past.sentence(row) for row in moved[of_moved == file].itertuples()],
                list(_charts(label, of_file)),
            )
            found.setdefault(str(file), []).append(part)
    return found


def _shown(label: str, what: str) -> pd.DataFrame:
    """Return the rounds of a machine as _chart takes them, with their ratios or times."""
    rows = past.rounds(label, what)
    if rows.empty:
        return rows
    drawn = past.with_intervals(rows, history.lasting_on(label, rows, what))
    unit = pd.Series(f"× {USUAL_BASELINE}", drawn.index)
    if what == "time":
        units = drawn.groupby(ARM)["value"].transform("median").map(unit_of)
        unit = units.str[1]
        drawn[ENDS] = drawn[ENDS].div(units.str[0], axis=0)
    drawn["text"] = [interval(*ends) for ends in drawn[ENDS].to_numpy()]
    drawn["began"] = [f"{start_of(each):%Y-%m-%d %H:%M}" for each in drawn["round"]]
    drawn["peak"] = [_gigaflops(speed) for speed in drawn["speed"]]
    return drawn.assign(
        panel=drawn["workload"] + ", " + drawn["mode"] + ", " + unit,
        label=_labels(drawn, unit),
        is_ratio=what == "ratio",
    )


def _gigaflops(speed: float) -> str:
    return "–" if pd.isna(speed) else f"{speed / 1e9:.0f}"


def _labels(drawn: pd.DataFrame, unit: pd.Series) -> pd.Series:
    """Return what the marks say."""
    code = drawn["older"].map({True: f", {OLDER}", False: ""})
    peak = (", peak " + drawn["peak"] + " GFLOP/s").where(drawn["speed"].notna(), "")
    return (
        drawn["began"] + ": " + drawn["text"] + " " + unit + "; " + drawn["release"] + code + peak
    )


def _charts(label: str, rows: pd.DataFrame) -> Iterator[Chart]:
    for key, of_chart in rows.groupby(["implementation", "problem", "device"]):
        name, problem, device = map(str, key)
        title = f"{name}, {problem}"
        if device != "cpu":
            title += f" on {device}"
        yield _chart(title, label, of_chart.sort_values("round", kind="stable"))


def _chart(title: str, label: str, rows: pd.DataFrame) -> Chart:
    """Return the chart of an implementation's rows at a problem."""
    releases = list(rows["release"].unique())
    marks = dict(zip(releases, cycle(charts.LOOKS), strict=False))
    rows = rows.assign(mark=rows["release"].map(marks))
    panels = [(str(name), of_row) for name, of_row in rows.groupby("panel", sort=False)]
    names = "; ".join(name for name, _ in panels)
    of_rounds = rows.pivot_table("text", "round", "panel", "first", sort=False).fillna("")
    about = rows.drop_duplicates("round").set_index("round")
    about["code"] = about["older"].map({True: OLDER, False: "today's"})
    about["commit"] = about["commit"].str[:12]
    columns = {
        "began": "round, UTC",
        "mark": "mark",
        "code": "code",
        "peak": "peak, GFLOP/s",
        "commit": "commit",
    }
    table = about[[*columns]].rename(columns=columns).join(of_rounds)
    words = past.differing(releases) if len(releases) > 1 else releases
    return Chart(
        id=file_name(title, label),
        title=title,
        svg=charts.svg(f"{title}, round by round, with 95 % intervals: {names}.", panels),
        releases=[f"{mark} {each}" for mark, each in zip(marks.values(), words, strict=True)],
        header=list(table.columns),
        table=table.to_numpy().tolist(),
        arms=list(rows[ARM].drop_duplicates().itertuples(index=False, name=None)),
    )


def addresses(found: dict[str, list[Part]]) -> dict[tuple[str, ...], str]:
    """Return the address of each row's chart, by the machine's label and the row's ARM."""
    places = {}
    for file, parts in found.items():
        for part in parts:
            for chart in part.charts:
                for arm in chart.arms:
                    places[part.machine, *arm] = f"{address(file)}#{chart.id}"
    return places


def address(file: str) -> str:
    """Return the address of the page of an implementation's file."""
    return f"{FOLDER}/{file_name(file)}.html"

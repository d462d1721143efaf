"""Which LSTM to use: at each problem in a sentence, and on a machine in one sentence with its exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks import processors
from benchmarks.words import count, duration, listed
from impls.core.problem import Problem
from reports.frames import Run
from reports.report import PURPOSES, WORKLOAD, Report
from reports.tracks import DEFAULT
from reports.verdict import BASELINE, FASTER, UNCLEAR

WANTED = (("workload", WORKLOAD), ("mode", "train_step"), ("device", None))
"""What a run is about first; where the run has no time for it, the first that it has one for."""


def subject(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the workload, mode and device that are about that; none where nothing has a time."""
    asked = summary
    for column, wanted in WANTED:
        sound = asked[asked["status"] == "ok"]
        if sound.empty:
            return sound
        asked = asked[
            asked[column] == (wanted if wanted in set(sound[column]) else sound[column].iloc[0])
        ]
    return asked


SMALL = 4
"""The largest batch that is called small."""


@dataclass(frozen=True)
class Recommendation:
    """What to use at a problem, for the purpose that a mode stands for: the best of those that are `timed`."""

    report: Report
    problem: str
    mode: str
    device: str
    sentence: str
    timed: pd.DataFrame


def recommendations(report: Report, about: pd.DataFrame | None = None) -> Iterator[Recommendation]:
    """Yield a Recommendation for each problem and purpose that the run has a time for, in the run's order.

    `about` are rows with a time; where they are not given, those that answers are about.
    """
    timed = report.sound if about is None else about
    order = {
        name: k
        for k, name in enumerate(dict.fromkeys((*timed["problem"], *PURPOSES, *timed["mode"])))
    }
    groups = timed.groupby(["problem", "mode", "device"])
    of_key = {tuple(map(str, key)): rows for key, rows in groups}
    for (problem, mode, device), rows in sorted(
        of_key.items(), key=lambda item: (order[item[0][0]], order[item[0][1]])
    ):
        where = f"{PURPOSES.get(mode, mode)} at {problem} on {_machine(report.run, device)}"
        yield Recommendation(
            report,
            problem,
            mode,
            device,
            f"{where}: {_advice(rows, report.baseline)}{_in_jax(rows)}",
            rows,
        )


def _machine(run: Run, device: str) -> str:
    """Return such as `2 cores (AMD EPYC, family 26 (Zen 5), AVX-512)`."""
    machine = run.metadata.machine
    if device == "cuda":
        return machine.gpu_with_driver or device
    cores = run.metadata.run.threads or machine.cores
    words = processors.words(machine)
    return f"{count(cores, 'core')} ({words})" if cores else words


def _advice(rows: pd.DataFrame, baseline: str) -> str:
    """Return the advice for one benchmark; what is called faster has survived Holm's correction over the run."""
    if not (rows["verdict"] == BASELINE).any():
        least = rows.sort_values("seconds").iloc[0]
        return f"{least['implementation']} takes the least time, {duration(least['seconds'])}."
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    best = clearly_fastest(rows)
    if best is None:
        others = (
            "Nothing that was measured is clearly faster"
            if len(rows) > 1
            else "Nothing else was measured"
        )
        return f"use {baseline}. {others}."
    close = (
        (rows["track"] == best["track"])
        & (rows["fastest"] == UNCLEAR)
        & (rows["ratio_low"] <= best["ratio_high"])
    )
    near = sorted(
        {*rows.loc[close, "implementation"].astype(str)} - {str(best["implementation"]), baseline}
    )
    said = [f"{_takes(best, baseline)}.{f' {listed(near)} may be as fast.' if near else ''}"]
    if best["track"] != DEFAULT:
        plain = faster[faster["track"] == DEFAULT]
        said.append(
            f"Of what the frameworks' documentation tells you to write, {_takes(plain.iloc[0], baseline)}."
            if len(plain)
            else f"Without custom code, use {baseline}."
        )
    return " ".join(said)


def _in_jax(rows: pd.DataFrame) -> str:
    """Return such as ` In JAX: tuned jax_ffi 0.63 (faster), plain jax_scan 3.19 (slower).`, for who can't leave it."""
    of_jax = rows[rows["versions"].astype(str).str.contains("jax ") & rows["ratio"].notna()]
    best = of_jax.sort_values("ratio").drop_duplicates("track")[
        ["track", "implementation", "ratio", "verdict"]
    ]
    said = [
        f"{'plain' if track == DEFAULT else track} {name} {ratio:.2f} ({verdict})"
        for track, name, ratio, verdict in best.itertuples(index=False, name=None)
    ]
    return f" In JAX: {', '.join(said)}." if said else ""


def clearly_fastest(rows: pd.DataFrame) -> pd.Series | None:
    """Return the row of least ratio of those that are clearly faster than the baseline; None where there is none.

    Of jax_scan_vjp_sharded and jax_scan_vjp, where they can't be told apart, it is the one with less: jax_scan_vjp.
    """
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    if faster.empty:
        return None
    best = faster.iloc[0]
    near = faster[(faster["track"] == best["track"]) & (faster["fastest"] == UNCLEAR)]
    near = near[near["implementation"].astype(str).map(str(best["implementation"]).startswith)]
    return (
        near.iloc[int(near["implementation"].astype(str).str.len().argmin())] if len(near) else best
    )


def _takes(row: pd.Series, baseline: str) -> str:
    """Return such as `jax_scan takes 0.90 × torch_lstm's time (0.88–0.93)`."""
    shown = [f"{row[name]:.2f}" for name in ("ratio", "ratio_low", "ratio_high")]
    return f"{row['implementation']} takes {shown[0]} × {baseline}'s time ({shown[1]}–{shown[2]})"


def answer(advised: Sequence[Recommendation]) -> tuple[str, list[str]]:
    """Return a sentence, and a line for each purpose and kind of problem at which something is clearly faster."""
    known = pd.DataFrame(
        _known(advised), columns=["before", "batch", "after", "baseline", "name", "ratio"]
    )
    if known.empty:
        return "Nothing was compared with a baseline.", []
    baseline, faster = known["baseline"].iloc[0], known["name"].notna()
    if not faster.any():
        return f"Use {baseline}. Nothing that was measured is clearly faster.", []
    lines = []
    for (before, _, after), rows in known.groupby(
        ["before", known["batch"] <= SMALL, "after"], sort=False
    ):
        if rows["name"].notna().any():
            batches = " to ".join(
                map(str, dict.fromkeys((rows["batch"].min(), rows["batch"].max())))
            )
            lines.append(
                f"{before}{f', batch {batches}' if batches != '0' else ''}{after}: {_faster(rows)}"
            )
    if faster.mean() <= 0.5:
        shapes = count(len({each.problem for each in advised}), "shape")
        return (
            f"Use {baseline}. At {shapes}, only these are clearly faster, where {baseline}'s time is 1:",
            lines,
        )
    return (
        f"It depends on the shape. These are clearly faster than {baseline}, whose time is 1:",
        lines,
    )


def _known(
    advised: Sequence[Recommendation],
) -> Iterator[tuple[str, int, str, str, str | None, float]]:
    for each in advised:
        if each.timed["ratio"].notna().any():
            best = clearly_fastest(each.timed)
            found = (
                (None, 1.0) if best is None else (str(best["implementation"]), float(best["ratio"]))
            )
            yield (*_kind(each), each.report.baseline, *found)


def _kind(each: Recommendation) -> tuple[str, int, str]:
    """Return the words before the batch in a line about a problem, the batch or 0, and the words after it."""
    before = PURPOSES.get(each.mode, each.mode) + (
        "" if each.device == "cpu" else f" on {each.device}"
    )
    try:
        problem = Problem.parse(each.problem)
    except ValueError:
        return before, 0, ""
    after = ["rows of different lengths"] * bool(problem.lengths) + [problem.dtype] * (
        problem.dtype != "float32"
    )
    return before, problem.batch, "".join(f", {words}" for words in after)


def _faster(rows: pd.DataFrame) -> str:
    """Return such as `torch_cpp 0.54 to 0.82 at 3 of 4 shapes`."""
    said = []
    for name, mine in rows.groupby("name", sort=False):
        ends = dict.fromkeys(f"{end:.2f}" for end in (mine["ratio"].min(), mine["ratio"].max()))
        said.append((-len(mine), f"{name} {' to '.join(ends)}"))
    named = listed([words for _, words in sorted(said)[:3]], "or")
    return f"{named}, at {rows['name'].count()} of {count(len(rows), 'shape')}"

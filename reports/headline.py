"""Which LSTM to use at each problem, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks import processors
from benchmarks.words import count, listed
from reports import formatting
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
        asked = asked[asked[column] == (wanted if wanted in set(sound[column]) else sound[column].iloc[0])]
    return asked


@dataclass(frozen=True)
class Recommendation:
    """What to use at a problem, for the purpose that a mode stands for: the best of `compared` implementations."""

    report: Report
    problem: str
    mode: str
    device: str
    sentence: str
    timed: pd.DataFrame

    @property
    def compared(self) -> int:
        """How many implementations have a time."""
        return len(self.timed)


def recommendations(report: Report) -> Iterator[Recommendation]:
    """Yield a Recommendation for each problem and purpose that the run has a time for, in the run's order."""
    order = {name: k for k, name in enumerate((*dict.fromkeys(report.sound["problem"].astype(str)), *PURPOSES))}
    groups = report.sound.groupby(["problem", "mode", "device"], observed=True)
    of_key = {tuple(map(str, key)): rows for key, rows in groups}
    for (problem, mode, device), rows in sorted(
        of_key.items(), key=lambda item: (order[item[0][0]], order[item[0][1]])
    ):
        where = f"{PURPOSES[mode]} at {problem} on {_machine(report.run, device)}"
        yield Recommendation(report, problem, mode, device, f"{where}: {_advice(rows, report.baseline)}", rows)


def _machine(run: Run, device: str) -> str:
    """Return such as `2 cores (AMD EPYC, family 26 (Zen 5), AVX-512)`."""
    machine = run.metadata.machine
    if device == "cuda":
        return machine.gpu or device
    cores = run.metadata.run.threads or machine.cores
    words = processors.words(machine)
    return f"{count(cores, 'core')} ({words})" if cores else words


def _advice(rows: pd.DataFrame, baseline: str) -> str:
    """Return the advice for one benchmark; what is called faster has survived Holm's correction over the run."""
    if not (rows["verdict"] == BASELINE).any():
        least = rows.sort_values("seconds").iloc[0]
        return f"{least['implementation']} takes the least time, {formatting.duration(least['seconds'])}."
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    best = clearly_fastest(rows)
    if best is None:
        unclear = sorted(rows.loc[rows["verdict"] == UNCLEAR, "implementation"].astype(str))
        return f"use {baseline}. Nothing that was measured is clearly faster.{_next(rows, baseline, unclear)}"
    close = rows[(rows["track"] == best["track"]) & (rows["fastest"] == UNCLEAR)]["implementation"].astype(str)
    near = sorted(set(close) - {str(best["implementation"]), baseline})
    said = [f"{_takes(best, baseline)}.{f' {listed(near)} may be as fast.' if near else ''}"]
    if best["track"] != DEFAULT:
        plain = faster[faster["track"] == DEFAULT]
        said.append(
            f"Of what the frameworks' documentation tells you to write, {_takes(plain.iloc[0], baseline)}."
            if len(plain)
            else f"Without custom code, use {baseline}."
        )
    return " ".join(said)


def clearly_fastest(rows: pd.DataFrame) -> pd.Series | None:
    """Return the row of least ratio of those that are clearly faster than the baseline; None where there is none.

    Of those that can't be told from it in its track, the one with the shortest name: what is simpler is written first.
    """
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    if faster.empty:
        return None
    best = faster.iloc[0]
    near = faster[(faster["track"] == best["track"]) & (faster["fastest"] == UNCLEAR)]
    near = near if best["fastest"] == UNCLEAR else faster[:1]
    return near.iloc[int(near["implementation"].astype(str).str.len().argmin())]


def _next(rows: pd.DataFrame, baseline: str, unclear: Sequence[str]) -> str:
    """Return which implementations come next: those that may be as fast, or else the quickest of those that are not."""
    if unclear:
        ratios = dict(zip(rows["implementation"].astype(str), rows["ratio"], strict=True))
        return f" Not certain: {listed([f'{name} {ratios[name]:.2f} ×' for name in unclear])}."
    slower = rows[rows["ratio"].notna() & (rows["verdict"] != BASELINE)].sort_values("ratio")
    return f" The next is slower: {_takes(slower.iloc[0], baseline)}." if len(slower) else ""


def _takes(row: pd.Series, baseline: str) -> str:
    """Return such as `jax_scan takes 0.90 × torch_lstm's time (0.88–0.93)`."""
    shown = [f"{row[name]:.2f}" for name in ("ratio", "ratio_low", "ratio_high")]
    return f"{row['implementation']} takes {shown[0]} × {baseline}'s time ({shown[1]}–{shown[2]})"

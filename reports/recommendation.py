"""Which LSTM to use: a sentence for each problem, one for training and one for inference. It crosses the tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks import processors
from benchmarks.words import listed
from reports import formatting
from reports.frames import Run
from reports.tracks import DEFAULT
from reports.verdict import BASELINE, FASTER, UNCLEAR

PURPOSES = {"train_step": "Training", "forward": "Inference"}
WORKLOAD = "sequence"


@dataclass(frozen=True)
class Recommendation:
    """What to use at a problem, for the purpose that a mode stands for: the best of `compared` implementations."""

    problem: str
    mode: str
    device: str
    sentence: str
    compared: int


def recommendations(run: Run, summary: pd.DataFrame) -> Iterator[Recommendation]:
    """Yield a Recommendation for each problem and purpose that the run has a time for, in the run's order."""
    asked = summary[(summary["workload"] == WORKLOAD) & summary["mode"].isin(PURPOSES)]
    sound = asked[asked["status"] == "ok"]
    order = {name: k for k, name in enumerate((*dict.fromkeys(sound["problem"].astype(str)), *PURPOSES))}
    groups = {tuple(map(str, key)): rows for key, rows in sound.groupby(["problem", "mode", "device"], observed=True)}
    for key in sorted(groups, key=lambda key: (order[key[0]], order[key[1]])):
        (problem, mode, device), rows = key, groups[key]
        where = f"{PURPOSES[mode]} at {problem} on {_machine(run, device)}"
        yield Recommendation(problem, mode, device, f"{where}: {_advice(rows, run.baseline)}", len(rows))


def _machine(run: Run, device: str) -> str:
    """Return such as `2 cores of an AMD EPYC, family 26 (Zen 5), AVX-512`."""
    machine = run.metadata.machine
    if device == "cuda":
        return machine.gpu or device
    cores = run.metadata.run.threads or machine.cores
    words = processors.words(machine)
    return f"{cores} core{'' if cores == 1 else 's'} ({words})" if cores else words


def _advice(rows: pd.DataFrame, baseline: str) -> str:
    """Return the advice for one benchmark; what is called faster has survived Holm's correction over the run."""
    if not (rows["verdict"] == BASELINE).any():
        best = rows.sort_values("seconds").iloc[0]
        return f"{best['implementation']} takes the least time, {formatting.duration(best['seconds'])}."
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    if faster.empty:
        unclear = sorted(rows.loc[rows["verdict"] == UNCLEAR, "implementation"].astype(str))
        return f"use {baseline}. Nothing that was measured is clearly faster.{_next(rows, baseline, unclear)}"
    best = faster.iloc[0]
    close = rows[(rows["track"] == best["track"]) & (rows["fastest"] == UNCLEAR)]["implementation"].astype(str)
    near = sorted(set(close) - {str(best["implementation"]), baseline})
    said = [f"{_takes(best, baseline)}.{f' {listed(near)} may be as fast.' if near else ''}"]
    if faster.iloc[0]["track"] != DEFAULT:
        plain = faster[faster["track"] == DEFAULT]
        said.append(
            f"Of what the frameworks' documentation tells you to write, {_takes(plain.iloc[0], baseline)}."
            if len(plain)
            else f"Without custom code, use {baseline}."
        )
    return " ".join(said)


def _next(rows: pd.DataFrame, baseline: str, unclear: Sequence[str]) -> str:
    """Return which implementations come next: those that may be as fast, or else the quickest of those that are not."""
    if unclear:
        return f" {listed(unclear)} may be as fast: the difference is not certain."
    slower = rows[rows["ratio"].notna() & (rows["verdict"] != BASELINE)].sort_values("ratio")
    return f" The next is slower: {_takes(slower.iloc[0], baseline)}." if len(slower) else ""


def _takes(row: pd.Series, baseline: str) -> str:
    """Return such as `jax_scan takes 0.90 × torch_lstm's time (0.88–0.93)`."""
    shown = [f"{row[name]:.2f}" for name in ("ratio", "ratio_low", "ratio_high")]
    return f"{row['implementation']} takes {shown[0]} × {baseline}'s time ({shown[1]}–{shown[2]})"

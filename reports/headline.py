"""Which LSTM to use: at each problem in a sentence, and on a machine in one sentence with its exceptions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.words import count, duration, listed, span
from impls.core.problem import Problem
from reports.advice import LIBRARIES
from reports.packages import packages_of
from reports.report import PURPOSES, Report
from reports.tracks import DEFAULT, word
from reports.verdict import BASELINE, FASTER, SLOWER, UNCLEAR

SMALL = 4
"""The largest batch that is called small."""


@dataclass(frozen=True)
class Recommendation:
    """What to use at a problem, for the purpose that a mode stands for.

    Attributes:
        baseline: the implementation that ratios are taken to.
        advice: what to use there in a sentence, then further sentences.
        timed: the rows with a time.
        best: the row of what is clearly faster than the baseline; None where nothing is.
    """

    baseline: str
    problem: str
    mode: str
    device: str
    advice: list[str]
    timed: pd.DataFrame
    best: pd.Series | None

    @property
    def purpose(self) -> str:
        """Such as `Training`, or `Training on cuda`."""
        purpose = PURPOSES.get(self.mode, self.mode)
        return purpose if self.device == "cpu" else f"{purpose} on {self.device}"

    @property
    def where(self) -> str:
        """Such as `Training at t64-b1-i128-h128`."""
        return f"{self.purpose} at {self.problem}"


def recommendations(report: Report, timed: pd.DataFrame) -> Iterator[Recommendation]:
    """Yield a Recommendation for each problem and purpose that rows have a time for: problems in the rows' order."""
    baseline = report.baseline
    # training comes first
    ordered = timed.sort_values("mode", key=lambda mode: mode != "train_step", kind="stable")
    for problem in timed["problem"].unique():
        at_problem = ordered[ordered["problem"] == problem]
        for (mode, device), rows in at_problem.groupby(["mode", "device"], sort=False):
            best = clearly_fastest(rows)
            advice = [*_advice(rows, best, baseline), *_in_libraries(rows, best)]
            yield Recommendation(baseline, problem, mode, device, advice, rows, best)


def _advice(rows: pd.DataFrame, best: pd.Series | None, baseline: str) -> list[str]:
    """Return the advice for one benchmark; what is called faster has survived Holm's correction over the run."""
    if BASELINE not in set(rows["verdict"]):
        least = rows.sort_values("seconds").iloc[0]
        return [f"{least['implementation']} takes the least time, {duration(least['seconds'])}."]
    if best is None:
        if len(rows) > 1:
            return [f"use {baseline}. Nothing that was measured is clearly faster."]
        return [f"use {baseline}. Nothing else was measured."]
    sentences = [f"{_takes(best, baseline)}."]
    same_track = rows["track"] == best["track"]
    overlapping = rows["ratio_low"] <= best["ratio_high"]
    close = rows[same_track & overlapping & (rows["fastest"] == UNCLEAR)]
    near = sorted({*close["implementation"]} - {best["implementation"], baseline})
    if near:
        sentences.append(f"{listed(near)} may be as fast.")
    if best["track"] != DEFAULT:
        plain = clearly_fastest(rows[rows["track"] == DEFAULT])
        if plain is None:
            sentences.append(f"Without custom code, use {baseline}.")
        else:
            takes = _takes(plain, baseline)
            sentences.append(f"Of what the frameworks' documentation tells you to write, {takes}.")
    return sentences


def _in_libraries(rows: pd.DataFrame, best: pd.Series | None) -> Iterator[str]:
    """Yield such as `In JAX: tuned jax_ffi 0.63 (faster), plain jax_scan 3.19 (slower).`, for who can't leave it.

    Nothing is said of PyTorch where the best is in it, nor of the baseline, nor of what is slower beside that.
    """
    packages = packages_of(rows)
    compared = rows[rows["ratio"].notna() & (rows["verdict"] != BASELINE)].sort_values("ratio")
    for package, library in LIBRARIES.items():
        uses = packages.map(lambda names, package=package: package in names)
        if package == "torch" and (best is None or uses[uses.index == best.name].any()):
            continue
        names = []
        row: Any
        for row in compared[uses[compared.index]].drop_duplicates("track").itertuples(index=False):
            if package == "torch" and row.verdict == SLOWER:
                continue  # there the baseline is the best
            track = word(row.track)
            names.append(f"{track} {row.implementation} {row.ratio:.2f} ({row.verdict})")
        if names:
            yield f"In {library}: {', '.join(names)}."


def clearly_fastest(rows: pd.DataFrame) -> pd.Series | None:
    """Return the row of least ratio of those that are clearly faster than the baseline; None where there is none.

    Of jax_scan_vjp_sharded and jax_scan_vjp, where they can't be told apart, it is the one with less: jax_scan_vjp.
    """
    faster = rows[rows["verdict"] == FASTER].sort_values("ratio")
    if faster.empty:
        return None
    best = faster.iloc[0]
    near = faster[(faster["track"] == best["track"]) & (faster["fastest"] == UNCLEAR)]
    for _, row in near.iterrows():
        if best["implementation"].startswith(row["implementation"]):
            best = row
    return best


def _takes(row: pd.Series, baseline: str) -> str:
    """Return such as `jax_scan takes 0.90 × torch_lstm's time (0.88–0.93)`."""
    interval = f"{row['ratio_low']:.2f}–{row['ratio_high']:.2f}"
    return f"{row['implementation']} takes {row['ratio']:.2f} × {baseline}'s time ({interval})"


def answer(advised: Sequence[Recommendation]) -> list[str]:
    """Return a sentence, then a line for each purpose and kind of problem at which something is clearly faster."""
    compared = [each for each in advised if each.timed["ratio"].notna().any()]
    if not compared:
        return ["Nothing was compared with a baseline."]
    baseline = compared[0].baseline
    faster = sum(each.best is not None for each in compared)
    if not faster:
        return [f"Use {baseline}. Nothing that was measured is clearly faster."]
    groups: dict[tuple[str, bool, str], list[tuple[int, pd.Series | None]]] = defaultdict(list)
    for each in compared:
        batch, variant = _batch_and_variant(each.problem)
        groups[each.purpose, batch <= SMALL, variant].append((batch, each.best))
    lines = []
    for (purpose, _, variant), group in groups.items():
        bests = [best for _, best in group if best is not None]
        batches = sorted(batch for batch, _ in group)
        small_to_large = f", batch {span([*map(str, batches)])}" if batches[-1] else ""
        if bests:
            line = f"{purpose}{small_to_large}{variant}: {fastest_of(bests)}"
            if len(group) > 1:
                line += f", at {len(bests)} of {len(group)} shapes"
            lines.append(line)
    trained = [each for each in compared if each.mode == "train_step"]
    if 2 * faster > len(compared) and trained and not any(map(_plain_is_faster, trained)):
        shapes = count(len({each.problem for each in compared}), "shape")
        start = (
            f"Start with {baseline}: at {shapes}, no plain code trains clearly faster."
            f" What is clearly faster, with its time ÷ {baseline}'s:"
        )
    elif 2 * faster > len(compared):
        start = (
            f"It depends on the shape. These are clearly faster than {baseline}, whose time is 1:"
        )
    else:
        shapes = count(len({each.problem for each in advised}), "shape")
        start = f"Use {baseline}. At {shapes}, only these are clearly faster, where {baseline}'s time is 1:"
    return [start, *lines]


def _plain_is_faster(advised: Recommendation) -> bool:
    plain = advised.timed[advised.timed["track"] == DEFAULT]
    return clearly_fastest(plain) is not None


def _batch_and_variant(problem: str) -> tuple[int, str]:
    """Return the batch of a problem, and how else it differs; 0 in a run whose problems have other ids."""
    try:
        shape = Problem.parse(problem)
    except ValueError:
        return 0, ""
    variant = ", rows of different lengths" if shape.lengths else ""
    if shape.dtype != "float32":
        variant += f", {shape.dtype}"
    return shape.batch, variant


def fastest_of(bests: Sequence[pd.Series]) -> str:
    """Return such as `torch_cpp 0.54 to 0.82`: of the fastest at some shapes, the three that are it most often."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for best in bests:
        ratios[best["implementation"]].append(best["ratio"])
    names = sorted(ratios, key=lambda name: (-len(ratios[name]), name))[:3]
    fastest = [
        f"{name} {span([f'{ratio:.2f}' for ratio in sorted(ratios[name])])}" for name in names
    ]
    return listed(fastest, "or")

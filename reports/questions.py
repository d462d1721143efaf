"""What people asked in issue trackers, answered from the published runs: a block of docs/results.md."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pandas as pd

from benchmarks.cases import COMPILED, FLOAT64, IMDB, LONG, QUICK, SMALL
from benchmarks.tables import markdown_table
from benchmarks.words import duration, listed, time_with_interval
from reports import composition, frames
from reports.parts import cliffs, releases
from reports.report import PURPOSES, Report
from reports.tables import ratio
from reports.today import age, is_today
from reports.verdict import FASTER, SLOWER, UNCLEAR

STEP, CALL = "train_step", "forward"


@dataclass(frozen=True)
class Found:
    """The published rows of one machine.

    rows: those with a time, of today's code first; loops: those of whole training steps; costs: those that have an
    option, as cliffs.costs has them;
    of_releases: the ratios of releases to the oldest, as releases.compared has them.
    """

    rows: pd.DataFrame
    loops: pd.DataFrame
    costs: pd.DataFrame
    of_releases: pd.DataFrame

    def at(self, problem: str, mode: str, name: str) -> Any:
        """Return a row; None where it was not measured."""
        return _first(self.rows, problem, mode, name)


def _first(rows: pd.DataFrame, problem: str, mode: str, name: str) -> Any:
    chosen = rows[(rows["problem"] == problem) & (rows["mode"] == mode) & (rows["implementation"] == name)]
    return next(chosen.itertuples(index=False), None)


def _loops(report: Report) -> pd.DataFrame:
    rows = report.summary[(report.summary["workload"] == "train") & (report.summary["status"] == "ok")]
    return rows.assign(older=~is_today(rows))


@functools.cache  # README and two blocks of the results ask
def found(machine: composition.Machine) -> Found:
    """Return what the runs of one machine have; the `day` of a row is that of its run."""
    rows, loops, costs, of_releases = (
        pd.concat(
            [of(each).assign(day=frames.began(each.run.run_id)) for each in machine.runs], ignore_index=True
        ).sort_values("older", kind="stable")
        for of in (attrgetter("sound"), _loops, cliffs.costs, functools.partial(releases.compared, base="first"))
    )
    return Found(rows, loops, costs.drop_duplicates([*frames.ARM, "option"]), of_releases)


def _ratio(row: Any) -> str:
    return ratio()(row) + (f" {UNCLEAR}" if row.verdict == UNCLEAR else "")


def _word(row: Any, name: str = "ratio", turned: bool = False) -> str:
    """Return whether a ratio confirms that something takes longer, or turned round, that it takes less time."""
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    low, high = (1 / high, 1 / low) if turned else (low, high)
    return "Yes" if low > 1 else "No" if high < 1 else "Unclear"


def _when(row: Any) -> str:
    return f"{row.day}{age(row)}"


def _seconds(row: Any) -> str:
    return time_with_interval(row.seconds, row.seconds_low, row.seconds_high)


def _took(rows: Sequence[Any]) -> str:
    return listed([f"`{row.implementation}` {_ratio(row)}" for row in rows])


def _steps(data: Found, problem: str, names: Sequence[str], turned: bool) -> tuple[str, list[Any]] | None:
    """Return what the ratio of the first of some implementations confirms, all over nn.LSTM's at one shape, and rows.

    `turned` asks whether it is faster.
    """
    rows = [row for name in names if (row := data.at(problem, STEP, name))]
    if not rows or rows[0].implementation != names[0]:
        return None
    said = f"At `{problem}`, the time of a training step ÷ `nn.LSTM`'s: {_took(rows)} ({_when(rows[0])})."
    return f"{_word(rows[0], turned=turned)}. {said}", rows


def imdb(data: Found) -> str | None:
    """TensorFlow and Keras at the shape of IMDB's reviews."""
    said = _steps(data, IMDB, ("keras_tensorflow", "keras_jax", "keras_torch", "jax_scan", "torch_cpp"), True)
    if said is None:
        return None
    stay = all(row.ratio_low > 1 for row in said[1] if row.implementation.startswith("keras"))
    text = f"{said[0]}{' Stay with PyTorch.' if stay else ''} This is the LSTM without the rest of the model."
    base, *others = (
        _first(data.loops, IMDB, STEP, name) for name in ("torch_lstm", "torch_cpp", "torch_cell", "jax_scan")
    )
    if base and (others := [row for row in others if row]):
        took = f"{_seconds(base)} a step; others ÷ that: {_took(others)}"
        text += f" With a linear layer, loss, clipping and Adam (`--preset imdb`), it took {took}."
    return text


def keras(data: Found) -> str | None:
    """Keras' three backends, as layers of Keras."""
    backends = ("keras_torch", "keras_jax", "keras_tensorflow")
    said = _steps(data, QUICK[0], backends, False)
    if said is None:
        return None
    apart = []
    for problem in (QUICK[0], IMDB):
        mine, _, theirs = (data.at(problem, STEP, name) for name in backends)
        if mine and theirs:
            apart.append(f"{mine.ratio / theirs.ratio:.2g} at `{problem}`")
    slowest = all(said[1][0].ratio_low > row.ratio_high for row in said[1][1:])
    advice = " On a CPU, use another backend (`KERAS_BACKEND=tensorflow`), or `nn.LSTM` itself." if slowest else ""
    return said[0] + (f" The time on PyTorch ÷ that on TensorFlow is {listed(apart)}." if apart else "") + advice


def packed(data: Found) -> str | None:
    """Rows of different lengths."""
    row, called = (_first(data.costs, f"{LONG}-var", mode, "torch_lstm") for mode in (STEP, CALL))
    if row is None or called is None:
        return None
    word = _word(row, "cost")
    said = (
        f"{word}. At `{row.problem}`, training took {ratio('cost')(row)} times as long as with full rows, inference"
        f" {ratio('cost')(called)} ({_when(row)}): the operator was {row.told}. The packed rows hold about half as many"
        " steps."
    )
    if (short := _first(data.costs, f"{QUICK[0]}-var", STEP, "torch_lstm")) and short.cost < row.cost:
        said += f" With fewer steps it costs less: {ratio('cost')(short)} in training at `{short.problem}`."
    if other := data.at(row.problem, STEP, "jax_scan"):
        said += f" There, the training step of `jax_scan`, which masks, took {_ratio(other)} of `nn.LSTM`'s time."
    if word == "Yes":
        said += (
            " So it is PyTorch, not your code. Do not pack: in one direction, pad the rows, and take h at each"
            " row's end. Or put rows of one length into a batch: that [costs little](#what-an-option-costs)."
        )
    return said


def compiling(data: Found) -> str | None:
    """The first call under torch.compile, by T and by layers."""
    rows = [data.at(problem, STEP, "torch_lstm_compiled") for problem in COMPILED]
    if any(row is None for row in rows):
        return None
    took = listed([f"{duration(row.first_call_seconds)} at `{row.problem}`" for row in rows])
    scanned = [data.at(problem, STEP, "jax_scan") for problem in COMPILED]
    scans = [row.first_call_seconds for row in scanned if row is not None]
    other = f" `jax_scan`, whose loop is not unrolled, took {_range(scans)} at each." if scans else ""
    *by_steps, two_layers = (row.first_call_seconds for row in rows)
    word = "Yes" if by_steps == sorted(by_steps) and two_layers > by_steps[1] else "Not always"
    first = "The first training step of `torch_lstm_compiled`, with an empty cache,"
    said = f"{word}. {first} took {took} (without intervals, {_when(rows[0])}): its loop is unrolled.{other}"
    ratios = [row.ratio for row in rows]
    if all(row.ratio_low > 1 for row in rows):
        said += (
            f" Then a step takes {min(ratios):.2f} to {max(ratios):.2f} × `nn.LSTM`'s time. So keep"
            " `torch._dynamo.config.allow_rnn` False, as it is by default: then `torch.compile` leaves `nn.LSTM` out."
        )
    return said


def _range(seconds: Sequence[float]) -> str:
    least, most = duration(min(seconds)), duration(max(seconds))
    return least if least == most else f"{least} to {most}"


def double(data: Found) -> str | None:
    """Float64 against float32, and against TensorFlow."""
    rows = [_first(data.costs, FLOAT64, mode, "torch_lstm") for mode in (STEP, CALL)]
    if any(row is None for row in rows):
        return None
    training, inference = rows
    others = [row for name in ("torch_cpp", "keras_jax", "keras_tensorflow") if (row := data.at(FLOAT64, STEP, name))]
    other = f" If you need float64, the time of a training step ÷ `nn.LSTM`'s: {_took(others)}." if others else ""
    if others and others[-1].implementation == "keras_tensorflow" and others[-1].verdict != FASTER:
        other += " So TensorFlow is not clearly faster."
    return (
        f"{_word(training, 'cost')}. At `{FLOAT64}`, float64 took {ratio('cost')(training)} times float32's time in"
        f" training and {ratio('cost')(inference)} in inference ({_when(training)}): the operator was {training.told}."
        f" Use float32 where you can.{other}"
    )


def small(data: Found) -> str | None:
    """Batch 1 with a small hidden size."""
    base, native, *others = (
        data.at(SMALL, CALL, name) for name in ("torch_lstm", "torch_lstm_native", "torch_cpp", "keras_jax", "jax_scan")
    )
    others = [row for row in others if row]
    if base is None or not others:
        return None
    without = f" Without oneDNN, PyTorch took {_ratio(native)} times as long." if native else ""
    return (
        f"{_word(others[0], turned=True)}. At `{SMALL}`, `nn.LSTM` took {_seconds(base)} for an inference"
        f" ({_when(base)}). The time of others ÷ that: {_took(others)}.{without} `torch_cpp` can be"
        " [used in a program](reference.md#use-one-in-your-program)."
    )


def loops(data: Found) -> str | None:
    """JAX's loops on a CPU, by release, over the oldest one."""
    rows = data.of_releases
    rows = rows[rows["implementation"].str.startswith("jax_scan@") & rows["problem"].isin(QUICK)]
    if rows.empty:
        return None
    rows = rows[rows["base_release"] == rows["base_release"].iloc[0]]  # of today's code, where there is some
    rows = rows.drop_duplicates(["release", "mode", "problem"]).sort_values("order", kind="stable")
    where = [(mode, problem) for mode in (STEP, CALL) for problem in QUICK]
    at = {
        str(release): {(str(row.mode), str(row.problem)): row for row in mine.itertuples(index=False)}
        for release, mine in rows.groupby("release", sort=False)
    }
    release, newest = list(at.items())[-1]
    base = next(iter(newest.values()))
    of: dict[str, list[str]] = {SLOWER: [], FASTER: [], UNCLEAR: []}
    for mode, problem in filter(newest.__contains__, where):
        of[newest[mode, problem].verdict].append(f"{PURPOSES[mode].lower()} at `{problem}`")
    said = "; ".join(f"{verdict} in {listed(names)}" for verdict, names in of.items() if names)
    slower = len(of[SLOWER])
    both = f"{release} {'against' if slower else 'than with'} {base.base_release}"
    word = "Yes." if slower == len(newest) else "In part." if slower else "No case is clearly slower with"
    head = [f"{PURPOSES[mode]}, `{problem}`" for mode, problem in where]
    cells = [[release, *(_ratio(mine[key]) if key in mine else "–" for key in where)] for release, mine in at.items()]
    return (
        f"{word} {both}: {said}. The table has the time of `jax_scan` ÷ that in {base.base_release}"
        f" ({_when(base)}): above 1 is slower. No other release was measured."
        f"\n\n{markdown_table(cells, ['release', *head])}"
    )


TORCH, JAX, KERAS, ONEDNN = (
    f"https://github.com/{name}/issues/"
    for name in ("pytorch/pytorch", "jax-ml/jax", "keras-team/keras", "uxlfoundation/oneDNN")
)


@dataclass(frozen=True)
class Question:
    """What people asked, in a word and whole, in which threads and what these say, its preset, and what answers it."""

    about: str
    title: str
    threads: Sequence[str]
    preset: str
    answer: Callable[[Found], str | None]
    claim: str = ""


QUESTIONS = (
    Question(
        "IMDB",
        "Is nn.LSTM slower on a CPU than TensorFlow and Keras, on IMDB?",
        (f"{TORCH}94457",), "questions", imdb,
        "PyTorch 739 s, Keras 201 s, TensorFlow 135 s, in 2023",
    ),
    Question(
        "packed rows",
        "Is nn.LSTM slow on packed rows?",
        (f"{TORCH}149194",), "questions", packed,
        "at 100 steps forward 15 and backward 4 times as long, at 1000 steps 96 and 28 times",
    ),
    Question(
        "compile time",
        "Does torch.compile take ever longer with more steps and layers?",
        tuple(f"{TORCH}{number}" for number in (97155, 185135, 158007, 140845)), "compile", compiling,
    ),
    Question(
        "double precision",
        "Is double precision slower?",
        (f"{TORCH}65597",), "questions", double,
        "PyTorch is far slower than TensorFlow; its model is `.double()`",
    ),
    Question(
        "oneDNN at batch 1",
        "Is nn.LSTM, which calls oneDNN, slow at batch 1 and hidden 32?",
        (f"{ONEDNN}837",), "questions", small,
    ),
    Question(
        "JAX releases",
        "Did JAX's loops get slower on a CPU after 0.4.31?",
        tuple(f"{JAX}{number}" for number in (26021, 36799, 40150)), "releases-jax", loops,
    ),
    Question(
        "Keras on PyTorch",
        "Is Keras slow on PyTorch, on a CPU?",
        (f"{KERAS}20902", f"{KERAS}22275"), "published-others", keras,
        "in the first, ten times TensorFlow's time, on a GPU",
    ),
)  # fmt: skip


def answered(reports: Sequence[Report]) -> list[tuple[Question, dict[str, str]]]:
    """Return the questions that the published runs answer, each with its answer on each machine, by the label."""
    of = {machine.label: found(machine) for machine in composition.machines(reports)}
    every = [(each, {label: each.answer(data) for label, data in of.items()}) for each in QUESTIONS]
    said = [(each, {label: words for label, words in answers.items() if words}) for each, answers in every]
    return [(each, words) for each, words in said if words]


def answers(reports: Sequence[Report]) -> str:
    """Return what was asked and answered, with the threads."""
    said = []
    for each, of_machine in answered(reports):
        words = "\n\n".join(f"**{label}:** {answer}" for label, answer in of_machine.items())
        links = ", ".join(f"[#{url.rpartition('/')[2]}]({url})" for url in each.threads)
        claim = f": {each.claim}" if each.claim else ""
        said.append(f"### {each.title}\n\n{words}\n\nAsked in {links}{claim}. `nox -s bench -- --preset {each.preset}`")
    return "\n\n".join(said)

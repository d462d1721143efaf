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
from benchmarks.words import duration, listed, span, time_with_interval
from reports import composition, frames
from reports.code_age import age, is_today
from reports.parts import cliffs, releases
from reports.report import PURPOSES, Report
from reports.tables import ratio
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
    chosen = rows[
        (rows["problem"] == problem) & (rows["mode"] == mode) & (rows["implementation"] == name)
    ]
    return next(chosen.itertuples(index=False), None)


def _loops(report: Report) -> pd.DataFrame:
    rows = report.summary[
        (report.summary["workload"] == "train") & (report.summary["status"] == "ok")
    ]
    return rows.assign(older=~is_today(rows))


@functools.cache  # README and two blocks of the results ask
def found(machine: composition.Machine) -> Found:
    """Return what the runs of one machine have; the `day` of a row is that of its run."""
    rows, loops, costs, of_releases = (
        pd.concat(
            [of(each).assign(day=frames.began(each.run.run_id)) for each in machine.runs],
            ignore_index=True,
        ).sort_values("older", kind="stable")
        for of in (
            attrgetter("sound"),
            _loops,
            cliffs.costs,
            functools.partial(releases.compared, base="first"),
        )
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


def _place(row: Any) -> str:
    return f"{PURPOSES[row.mode].lower()} at `{row.problem}`"


def _seconds(row: Any) -> str:
    return time_with_interval(row.seconds, row.seconds_low, row.seconds_high)


def _took(rows: Sequence[Any]) -> str:
    return listed([f"`{row.implementation}` {_ratio(row)}" for row in rows])


Sentences = Sequence[str]
"""An answer on one machine, sentence by sentence: what every machine's answer has is said once. The first is a word."""


def _steps(
    data: Found, problem: str, names: Sequence[str], turned: bool
) -> tuple[list[str], list[Any]] | None:
    """Return what the ratio of the first of some implementations confirms, all over nn.LSTM's at one shape, and rows.

    `turned` asks whether it is faster.
    """
    rows = [row for name in names if (row := data.at(problem, STEP, name))]
    if not rows or rows[0].implementation != names[0]:
        return None
    said = f"At `{problem}`, the time of a training step ÷ `nn.LSTM`'s: {_took(rows)} ({_when(rows[0])})."
    return [f"{_word(rows[0], turned=turned)}.", said], rows


def imdb(data: Found) -> Sentences | None:
    """TensorFlow and Keras at the shape of IMDB's reviews."""
    said = _steps(
        data, IMDB, ("keras_tensorflow", "keras_jax", "keras_torch", "jax_scan", "torch_cpp"), True
    )
    if said is None:
        return None
    stay = all(row.ratio_low > 1 for row in said[1] if row.implementation.startswith("keras"))
    text = [
        *said[0],
        *["Stay with PyTorch."] * stay,
        "Keras and TensorFlow were timed as an LSTM alone.",
    ]
    base, *others = (
        _first(data.loops, IMDB, STEP, name)
        for name in ("torch_lstm", "torch_cpp", "torch_cell", "jax_scan")
    )
    if base and (others := [row for row in others if row]):
        took = f"{_seconds(base)} a step ({_when(base)}); others ÷ that: {_took(others)}"
        text += [
            f"With a linear layer, loss, clipping and Adam (`--preset imdb`), `nn.LSTM` took {took}."
        ]
    return text


def keras(data: Found) -> Sentences | None:
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
    advice = ["On a CPU, use another backend, or `nn.LSTM` itself."] * slowest
    return [
        *said[0],
        *[f"The time on PyTorch ÷ that on TensorFlow is {listed(apart)}."] * bool(apart),
        *advice,
    ]


def packed(data: Found) -> Sentences | None:
    """Rows of different lengths."""
    row, called = (_first(data.costs, f"{LONG}-var", mode, "torch_lstm") for mode in (STEP, CALL))
    if row is None or called is None:
        return None
    word = _word(row, "cost")
    took = f"{ratio('cost')(row)} times as long as with full rows, inference {ratio('cost')(called)} ({_when(row)})"
    at = f"At `{row.problem}`, training took {took}: the operator was {row.told}."
    said = [f"{word}.", at]
    others = [
        other for name in ("torch_cpp", "jax_scan") if (other := data.at(row.problem, STEP, name))
    ]
    if others:
        said += [f"There, the time of a training step ÷ `nn.LSTM`'s: {_took(others)}."]
    if native := _first(data.costs, row.problem, STEP, "torch_cpp"):
        said += [f"Over its own full rows, `torch_cpp` took {ratio('cost')(native)}."]
    if short := _first(data.costs, f"{QUICK[0]}-var", STEP, "torch_lstm"):
        text = f"At `{short.problem}`, training took {ratio('cost')(short)} times as long as with full rows"
        if ours := _first(data.costs, short.problem, STEP, "torch_cpp"):
            text += f", and `native_lstm` (`torch_cpp`) {ratio('over')(ours)} of `nn.LSTM`'s time with full rows"
        said += [f"{text}."]
    if word == "Yes":
        said += [
            "[Replace `nn.LSTM`](reference.md#use-one-in-your-program) by `native_lstm.LSTM` (`torch_cpp`).",
            "Or do not pack: in one direction, pad the rows, and take h from `output` at each row's end.",
        ]
    return [*said, "The packed rows hold about half as many steps."]


def compiling(data: Found) -> Sentences | None:
    """The first call under torch.compile, by T and by layers."""
    rows = [data.at(problem, STEP, "torch_lstm_compiled") for problem in COMPILED]
    if any(row is None for row in rows):
        return None
    took = listed([f"{duration(row.first_call_seconds)} at `{row.problem}`" for row in rows])
    scans = sorted(
        row.first_call_seconds
        for problem in COMPILED
        if (row := data.at(problem, STEP, "jax_scan"))
    )
    *by_steps, two_layers = (row.first_call_seconds for row in rows)
    word = "Yes" if by_steps == sorted(by_steps) and two_layers > by_steps[1] else "Not always"
    first = "The first training step of `torch_lstm_compiled`, with an empty cache,"
    said = [
        f"{word}.",
        "In training, it unrolls the loop.",
        f"{first} took {took} (no intervals, {_when(rows[0])}).",
    ]
    ratios = [row.ratio for row in rows]
    if all(row.ratio_low > 1 for row in rows):
        said += [
            f"After that, a training step takes {min(ratios):.2f} to {max(ratios):.2f} × `nn.LSTM`'s time.",
            "Keep `torch._dynamo.config.allow_rnn` False, the default: then `torch.compile` leaves `nn.LSTM` out.",
        ]
    if scans:
        said += [
            f"`jax_scan`, whose loop is not unrolled, took {span([*map(duration, scans)])} for these."
        ]
    return said


def double(data: Found) -> Sentences | None:
    """Float64 against float32, and against TensorFlow."""
    rows = [_first(data.costs, FLOAT64, mode, "torch_lstm") for mode in (STEP, CALL)]
    if any(row is None for row in rows):
        return None
    training, inference = rows
    others = [
        row
        for name in ("torch_cpp", "keras_jax", "keras_tensorflow")
        if (row := data.at(FLOAT64, STEP, name))
    ]
    other = [f"In float64, the time of a training step ÷ `nn.LSTM`'s: {_took(others)}."] * bool(
        others
    )
    if others and others[-1].implementation == "keras_tensorflow" and others[-1].verdict != FASTER:
        other += ["TensorFlow is not clearly faster."]
    took = f"{ratio('cost')(training)} times float32's time in training and {ratio('cost')(inference)} in inference"
    at = f"At `{FLOAT64}`, float64 took {took} ({_when(training)}): the operator was {training.told}."
    use = "Use float32 where you can, and where you can't, [`native_lstm`](reference.md#use-one-in-your-program)."
    return [f"{_word(training, 'cost')}.", at, use, *other]


def small(data: Found) -> Sentences | None:
    """Batch 1 with a small hidden size."""
    base, native, *others = (
        data.at(SMALL, CALL, name)
        for name in ("torch_lstm", "torch_lstm_native", "torch_cpp", "keras_jax", "jax_scan")
    )
    others = [row for row in others if row]
    if base is None or not others:
        return None
    without = [f"Without oneDNN, PyTorch took {_ratio(native)} times as long."] if native else []
    return [
        f"{_word(others[0], turned=True)}.",
        f"At `{SMALL}`, `nn.LSTM` took {_seconds(base)} for an inference ({_when(base)}).",
        f"The time of others ÷ that: {_took(others)}.",
        *without,
        "[Use `native_lstm.LSTM`](reference.md#use-one-in-your-program), which is `torch_cpp`.",
    ]


def by_release(name: str, data: Found) -> Sentences | None:
    """The releases of an implementation's framework, over the oldest one."""
    rows = data.of_releases
    rows = rows[rows["implementation"].str.startswith(f"{name}@") & rows["problem"].isin(QUICK)]
    if rows.empty:
        return None
    rows = rows[
        rows["base_release"] == rows["base_release"].iloc[0]
    ]  # of today's code, where there is some
    rows = rows.drop_duplicates(["release", "mode", "problem"]).sort_values("order", kind="stable")
    where = [(mode, problem) for mode in (STEP, CALL) for problem in QUICK]
    at = {
        str(release): {
            (str(row.mode), str(row.problem)): row for row in mine.itertuples(index=False)
        }
        for release, mine in rows.groupby("release", sort=False)
    }
    release, newest = list(at.items())[-1]
    base = next(iter(newest.values()))
    of: dict[str, list[str]] = {SLOWER: [], FASTER: [], UNCLEAR: []}
    for row in (newest[key] for key in where if key in newest):
        of[row.verdict].append(
            _place(row) + (f" ({ratio()(row)})" if row.verdict == UNCLEAR else "")
        )
    said = "; ".join(f"{verdict} in {listed(names)}" for verdict, names in of.items() if names)
    slower = len(of[SLOWER])
    others = [
        f"{row.release} in {_place(row)} ({ratio()(row)})"
        for row in rows.itertuples(index=False)
        if row.verdict == SLOWER and row.release != release
    ]
    word = (
        "Yes."
        if slower == len(newest)
        else "In part."
        if slower
        else "With the newest, no case is clearly slower."
    )
    head = [f"{PURPOSES[mode]}, `{problem}`" for mode, problem in where]
    cells = [
        [release, *(_ratio(mine[key]) if key in mine else "–" for key in where)]
        for release, mine in at.items()
    ]
    return [
        word,
        f"{release} against {base.base_release} ({_when(base)}): {said}.",
        *[f"Other releases that were clearly slower: {listed(others)}."] * bool(others),
        f"The table has the time of `{name}` ÷ that in {base.base_release}: above 1 is slower.",
        "No other release was measured.",
        f"\n\n{markdown_table(cells, ['release', *head])}",
    ]


TORCH, JAX, KERAS, ONEDNN = (
    f"https://github.com/{name}/issues/"
    for name in ("pytorch/pytorch", "jax-ml/jax", "keras-team/keras", "uxlfoundation/oneDNN")
)


@dataclass(frozen=True)
class Question:
    """A question, in a word and whole, in which threads it is and what these say, its preset, and what answers it."""

    about: str
    title: str
    threads: Sequence[str]
    preset: str
    answer: Callable[[Found], Sentences | None]
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
        "float64",
        "Is double precision slower?",
        (f"{TORCH}65597",), "questions", double,
        "PyTorch is far slower than TensorFlow; its model is `.double()`",
    ),
    Question(
        "oneDNN",
        "Is nn.LSTM, which calls oneDNN, slow at batch 1 and hidden 32?",
        (f"{ONEDNN}837",), "questions", small,
    ),
    Question(
        "JAX releases",
        "Did JAX's loops get slower on a CPU after 0.4.31?",
        tuple(f"{JAX}{number}" for number in (26021, 36799, 40150)), "releases-jax",
        functools.partial(by_release, "jax_scan"),
    ),
    Question(
        "PyTorch releases",
        "Did nn.LSTM get slower in newer releases?",
        (), "releases-torch", functools.partial(by_release, "torch_lstm"),
    ),
    Question(
        "Keras on PyTorch",
        "Is Keras slow on PyTorch, on a CPU?",
        (f"{KERAS}20902", f"{KERAS}22275"), "published-others", keras,
        "both on GPUs, the first ten times TensorFlow's time",
    ),
)  # fmt: skip


def answered(reports: Sequence[Report]) -> list[tuple[Question, dict[str, Sentences]]]:
    """Return the questions that the published runs answer, each with its answer on each machine, by the label."""
    of = {machine.label: found(machine) for machine in composition.machines(reports)}
    every = [(each, {label: each.answer(data) for label, data in of.items()}) for each in QUESTIONS]
    said = [
        (each, {label: words for label, words in answers.items() if words})
        for each, answers in every
    ]
    return [(each, words) for each, words in said if words]


def answers(reports: Sequence[Report]) -> str:
    """Return what was asked and answered, with the threads. What is the same on every machine stands first, once."""
    said = []
    for each, of_machine in answered(reports):
        first, *others = of_machine.values()
        same = [
            sentence for sentence in first if others and all(sentence in other for other in others)
        ]
        said += [f"### {each.title}", *[" ".join(same)] * bool(same)]
        for label, answer in of_machine.items():
            own = " ".join(sentence for sentence in answer if sentence not in same)
            said.append(f"**{label}:** {own}".replace(" \n", "\n"))
        links = ", ".join(f"[#{url.rpartition('/')[2]}]({url})" for url in each.threads)
        asked = f"Asked in {links}{f': {each.claim}' if each.claim else ''}. " if links else ""
        said.append(f"{asked}`nox -s bench -- --preset {each.preset}`")
    return "\n\n".join(said)

"""What people asked in issue trackers, answered from the published runs: a block of docs/results.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

import pandas as pd

from benchmarks.cases import COMPILED, FLOAT64, IMDB, QUICK, SMALL
from benchmarks.words import listed
from reports import composition, formatting
from reports.parts import cliffs, releases
from reports.report import Report
from reports.tables import ratio
from reports.today import age

STEP, CALL = "train_step", "forward"


@dataclass(frozen=True)
class Found:
    """The published rows of one machine.

    rows: those with a time, of today's code first; costs: those that have an option, as cliffs.costs has them;
    of_releases: the ratios of releases to the newest, as releases.compared has them.
    """

    rows: pd.DataFrame
    costs: pd.DataFrame
    of_releases: pd.DataFrame

    def at(self, problem: str, mode: str, name: str) -> Any:
        """Return a row; None where it was not measured."""
        return _first(self.rows, problem, mode, name)


def _first(rows: pd.DataFrame, problem: str, mode: str, name: str) -> Any:
    chosen = rows[(rows["problem"] == problem) & (rows["mode"] == mode) & (rows["implementation"] == name)]
    return next(chosen.itertuples(index=False), None)


def found(reports: Sequence[Report]) -> Found:
    """Return what the runs of the first machine have."""
    runs = composition.machines(reports)[0].runs
    return Found(
        *(
            pd.concat(map(of, runs), ignore_index=True).sort_values("older", kind="stable")
            for of in (attrgetter("sound"), cliffs.costs, releases.compared)
        )
    )


def _word(row: Any, name: str = "ratio", turned: bool = False) -> str:
    """Return whether a ratio confirms that something takes longer, or turned round, that it takes less time."""
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    low, high = (1 / high, 1 / low) if turned else (low, high)
    return "Yes" if low > 1 else "No" if high < 1 else "Unclear"


def steps(problem: str, names: Sequence[str], turned: bool, data: Found) -> str | None:
    """Some implementations against nn.LSTM at one shape; of the first, the ratio confirms that it is slower.

    `turned` asks whether it is faster.
    """
    rows = [row for name in names if (row := data.at(problem, STEP, name))]
    if not rows or rows[0].implementation != names[0]:
        return None
    word = _word(rows[0], turned=turned)
    return f"{word}. At `{problem}`, the time of a training step over `nn.LSTM`'s: {_took(rows)}{age(rows[0])}."


def _took(rows: Sequence[Any]) -> str:
    return listed([f"`{row.implementation}` {ratio()(row)}" for row in rows])


imdb = partial(steps, IMDB, ("keras_tensorflow", "keras_jax", "keras_torch", "jax_scan", "torch_cpp"), True)
keras = partial(steps, QUICK[0], ("keras_torch", "keras_jax", "keras_tensorflow"), False)


def packed(data: Found) -> str | None:
    """Rows of different lengths, and of equal ones."""
    row, equal = (_first(data.costs, f"{QUICK[0]}{each}", STEP, "torch_lstm") for each in ("-var", "-even"))
    if row is None:
        return None
    said = (
        f"{_word(row, 'cost')}. At `{row.problem}`, training took {ratio('cost')(row)} times as long as with full rows"
        f"{age(row)}: the operator was {row.told}."
    )
    if equal is not None:
        said += f" Packed rows of equal length took {ratio('cost')(equal)}: the operator was {equal.told}."
    return f"{said} So it is PyTorch, not your code: put rows of one length into a batch where you can."


def compiling(data: Found) -> str | None:
    """The first call under torch.compile, by T and by layers."""
    rows = [data.at(problem, STEP, "torch_lstm_compiled") for problem in COMPILED]
    if any(row is None for row in rows):
        return None
    took = listed([f"{formatting.duration(row.first_call_seconds)} at `{row.problem}`" for row in rows])
    scanned = [data.at(problem, STEP, "jax_scan") for problem in COMPILED]
    scans = [row.first_call_seconds for row in scanned if row is not None]
    other = f" `jax_scan`, a loop that is compiled as one, took {_range(scans)} at each." if scans else ""
    *by_steps, two_layers = (row.first_call_seconds for row in rows)
    word = "Yes" if by_steps == sorted(by_steps) and two_layers > by_steps[1] else "Not always"
    first = "The first training step of `torch_lstm_compiled`, with an empty cache,"
    return f"{word}. {first} took {took}{age(rows[0])}.{other}"


def _range(seconds: Sequence[float]) -> str:
    least, most = formatting.duration(min(seconds)), formatting.duration(max(seconds))
    return least if least == most else f"{least} to {most}"


def double(data: Found) -> str | None:
    """Float64 against float32."""
    rows = [_first(data.costs, FLOAT64, mode, "torch_lstm") for mode in (STEP, CALL)]
    if any(row is None for row in rows):
        return None
    training, inference = rows
    native = data.at(FLOAT64, STEP, "torch_cpp")
    other = f" In training, `torch_cpp` took {ratio()(native)} of `nn.LSTM`'s time." if native else ""
    return (
        f"{_word(training, 'cost')}. At `{FLOAT64}`, float64 took {ratio('cost')(training)} times float32's time in"
        f" training and {ratio('cost')(inference)} in inference{age(training)}: the operator was {training.told}."
        f" Use float32 where you can.{other}"
    )


def small(data: Found) -> str | None:
    """Batch 1 with a small hidden size."""
    base, *others = (data.at(SMALL, CALL, name) for name in ("torch_lstm", "torch_cpp", "keras_jax", "jax_scan"))
    others = [row for row in others if row]
    if base is None or not others:
        return None
    seconds = formatting.time_with_interval(base.seconds, base.seconds_low, base.seconds_high)
    return (
        f"{_word(others[0], turned=True)}. At `{SMALL}`, `nn.LSTM` on oneDNN took {seconds} for an inference; of that,"
        f" {_took(others)}{age(base)}."
    )


def loops(data: Found) -> str | None:
    """JAX's loops on a CPU, by release."""
    rows = data.of_releases
    rows = rows[rows["implementation"].str.startswith("jax_scan@") & (rows["problem"] == QUICK[0])]
    if rows.empty:
        return None
    said = []
    for mode, words in ((STEP, "training"), (CALL, "inference")):
        took = [f"{row.release} {ratio()(row)}" for row in rows[rows["mode"] == mode].itertuples(index=False)]
        said.append(f"{words}: {', '.join(took)}")
    oldest = next(rows.itertuples(index=False))
    word = _word(oldest, turned=True)
    return (
        f"{word}, for an LSTM at `{QUICK[0]}`. `jax_scan`'s time in an old release over that in"
        f" {oldest.newest_release}, above 1 where the old one was slower{age(oldest)}: {'; '.join(said)}."
    )


TORCH, JAX, KERAS, ONEDNN = (
    f"https://github.com/{name}/issues/"
    for name in ("pytorch/pytorch", "jax-ml/jax", "keras-team/keras", "uxlfoundation/oneDNN")
)
QUESTIONS: Sequence[tuple[str, Sequence[str], str, Callable[[Found], str | None]]] = (
    ("Is `nn.LSTM` slower on a CPU than TensorFlow and Keras, on IMDB?", (f"{TORCH}94457",), "questions", imdb),
    ("Is `nn.LSTM` slow on packed rows?", (f"{TORCH}149194",), "cliffs", packed),
    (
        "Does `torch.compile` take ever longer with more steps and layers?",
        tuple(f"{TORCH}{number}" for number in (97155, 185135, 158007, 140845)),
        "compile",
        compiling,
    ),
    ("Is double precision slower?", (f"{TORCH}65597",), "questions", double),
    ("Is oneDNN slow at batch 1 and hidden size 32?", (f"{ONEDNN}837",), "questions", small),
    (
        "Did JAX's loops get slower on a CPU after 0.4.31?",
        tuple(f"{JAX}{number}" for number in (26021, 36799, 40150)),
        "releases-jax",
        loops,
    ),
    ("Is Keras slow on PyTorch?", (f"{KERAS}20902", f"{KERAS}22275"), "published-others", keras),
)
"""Each question with its threads, the preset that measures it, and its answer."""


def answers(reports: Sequence[Report]) -> str:
    """Return the questions that the published runs answer."""
    data, said = found(reports), []
    for question, threads, preset, answer in QUESTIONS:
        if words := answer(data):
            links = ", ".join(f"[#{url.rpartition('/')[2]}]({url})" for url in threads)
            said.append(f"**{question}** ({links})\n{words}\n`nox -s bench -- --preset {preset}`")
    return "\n\n".join(said)

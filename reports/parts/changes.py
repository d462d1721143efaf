"""What a change buys: implementations that differ in it alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from benchmarks.tables import Column
from benchmarks.words import span
from reports.frames import ARM
from reports.report import PURPOSES, Answer, Report, in_order, pair_ratios
from reports.tables import WHERE, ratio, words_of
from reports.verdict import FASTER, SLOWER, UNCLEAR, verdicts


@dataclass(frozen=True)
class Change:
    """A change, and implementations that differ in it alone.

    Attributes:
        question: the title of its answer.
        meaning: a sentence on what it is.
        without: for the end of a name with the change, that of the one without: because of `{"_compiled": ""}`,
            `torch_cell_compiled` is compared with `torch_cell`.
        is_worth: whether the answer says if it is worth it, beside the baseline.
    """

    question: str
    meaning: str
    without: Mapping[str, str]
    is_worth: bool = False


CHANGES = (
    Change(
        "Is torch.compile worth it?",
        "torch_cell is a loop written by hand. These times are without the time to compile.",
        {"_compiled": ""},
        is_worth=True,
    ),
    Change(
        "What does hoisting the input projection buy?",
        "The projection of all time steps is one product.",
        {"_hoisted": ""},
    ),
    Change(
        "What does a hand-written backward buy?",
        "The backward batches the weight gradients over time; the input projection is hoisted in both.",
        {"_autograd": "_hoisted", "_vjp": "_hoisted"},
    ),
    Change(
        "What does splitting the batch over the processors buy?",
        "Each processor has some rows of the batch; the backward is hand-written in both.",
        {"_sharded": ""},
    ),
    Change(
        "What does C++ buy?",
        "A layer is one call of C++, with all products; the backward is hand-written in both.",
        {"torch_cpp": "torch_cell_autograd", "jax_ffi": "jax_scan_vjp"},
    ),
    Change(
        "What does oneDNN buy PyTorch?",
        "oneDNN does the whole layer of torch_lstm.",
        {"torch_lstm": "torch_lstm_native"},
    ),
)

WITH_IT = "With it, a training step of {without} takes {ratios} × its time"
OF_THE_OTHER = "A training step of {name} takes {ratios} × {without}'s time"


def compared(report: Report) -> pd.DataFrame:
    """Return the ratio of each implementation with a change to the one without; Holm's family is all of the run.

    Columns: question, without, ARM, position, where, ratio with _low and _high, verdict.
    """
    names = sorted(report.sound["implementation"].unique())
    pairs = []
    for change in CHANGES:
        for end, without in change.without.items():
            pairs += [
                (change.question, name.removesuffix(end) + without, name)
                for name in names
                if name.endswith(end)
            ]
    of_change = pd.DataFrame(pairs, columns=["question", "without", "implementation"])
    arms = of_change.merge(report.sound[[*ARM, "position", "where"]])
    rows = pair_ratios(report, arms, "without")
    return rows.assign(verdict=verdicts(rows))


def make(report: Report) -> Iterator[Answer]:
    """Yield what each change buys."""
    columns = (
        *WHERE,
        words_of("without"),
        words_of("implementation", "with"),
        Column("ratio", "time, × without [95 %]", ratio()),
        words_of("verdict"),
    )
    every = compared(report)
    for change in CHANGES:
        rows = every[every["question"] == change.question]
        if len(rows):
            if change.is_worth:
                ratios = _ratios(rows, WITH_IT)
                sentences = [*_worth(report, rows), *ratios, change.meaning]
            else:
                sentences = [change.meaning, *_ratios(rows, OF_THE_OTHER)]
            yield Answer(change.question, sentences, columns, in_order(rows))


def _ratios(rows: pd.DataFrame, words: str) -> Iterator[str]:
    """Yield for each pair of implementations from what ratio to what a training step has, in a sentence.

    `words`: the sentence, with places for `name`, `without` and `ratios`.
    """
    training = rows[rows["mode"] == "train_step"]
    for (without, name), pair in training.groupby(["without", "implementation"], sort=False):
        ratios = span([f"{ratio:.2f}" for ratio in sorted(pair["ratio"])])
        found = set(pair["verdict"])
        verdict = f", {found.pop()}" if len(found) == 1 else ""
        yield f"{words.format(name=name, without=without, ratios=ratios)}{verdict}."


def _worth(report: Report, rows: pd.DataFrame) -> Iterator[str]:
    """Yield for training and inference whether what has the change beats the baseline, which is there anyway."""
    changed = report.sound[report.sound["implementation"].isin(rows["implementation"])]
    for mode, purpose in PURPOSES.items():
        answers = {FASTER, SLOWER, UNCLEAR} & set(changed.loc[changed["mode"] == mode, "verdict"])
        if answers == {SLOWER}:
            answer = f"no, {report.baseline} is faster without it at every shape"
        elif answers == {FASTER}:
            answer = f"yes, it is faster than {report.baseline} at every shape"
        elif FASTER in answers:
            answer = "it depends on the shape"
        else:
            answer = f"no, nothing with it is clearly faster than {report.baseline}"
        if answers:
            yield f"{purpose}: {answer}."

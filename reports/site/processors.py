"""The same LSTM on each processor: the section of index.html that sets machines side by side."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.cases import PUBLISHED
from benchmarks.tables import Column
from benchmarks.words import listed, time_with_interval
from reports import selection
from reports.headline import clearly_fastest
from reports.machines import Machine, brands
from reports.preamble import torch_and_jax
from reports.report import PURPOSES, Answer
from reports.tables import PURPOSE, word, words_of
from reports.verdict import BASELINE


def side_by_side(machines: Sequence[Machine]) -> Answer | None:
    """Return the times of the first machine's baseline at the published shapes; None of a single machine."""
    baseline = machines[0].head.baseline
    published = []
    for number, machine in enumerate(machines):
        rows = selection.sequences(machine.runs)
        published.append(rows[rows["problem"].isin(PUBLISHED)].assign(machine=number))
    names = brands([machine.label for machine in machines])
    rows = pd.concat(published)
    every = rows[(rows["verdict"] == BASELINE) & (rows["implementation"] == baseline)]
    where = ["problem", "mode", "device"]
    shared = every.groupby(where, sort=False).filter(lambda rows: len(rows) > 1)
    if shared.empty:
        return None
    found = []
    spreads = []
    first = []
    for key, rows in shared.groupby(where, sort=False):
        problem, mode, _ = map(str, key)
        texts = dict.fromkeys(range(len(machines)), "–")
        row: Any
        for row in rows.itertuples(index=False):
            texts[row.machine] = time_with_interval(row.seconds, row.seconds_low, row.seconds_high)
        quickest = rows.sort_values("seconds")["machine"].iloc[0]
        first.append(names[machines[int(quickest)].label])
        times_by_machine = {f"machine_{number}": text for number, text in texts.items()}
        found.append({"problem": problem, "mode": mode, **times_by_machine})
        spreads.append(rows["seconds"].max() / rows["seconds"].min())
    alike, *others = _alike(machines, names, published)
    sentences = [
        f"{alike}; {baseline}'s time differs up to {max(spreads):.1f} times: {_least(first)}.",
        *others,
        *_releases(machines, names),
    ]
    columns = [words_of("problem"), PURPOSE]
    for number, machine in enumerate(machines):
        name = f"machine_{number}"
        columns.append(Column(name, names[machine.label], word(name)))
    return Answer("AMD or Intel?", sentences, columns, pd.DataFrame(found))


def _alike(
    machines: Sequence[Machine], names: Mapping[str, str], published: Sequence[pd.DataFrame]
) -> list[str]:
    """Return at how many shapes each machine has the same choice, then, in whole sentences, which and where another.

    The choice is what is clearly the fastest, or the baseline where nothing is clearly faster.

    `names`: of the machines, by their labels. `published`: the rows of each.
    """
    baseline = machines[0].head.baseline
    choices: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for machine, rows in zip(machines, published, strict=True):
        for (problem, mode), of_case in rows.groupby(["problem", "mode"], sort=False):
            fastest = clearly_fastest(of_case)
            name = baseline if fastest is None else str(fastest["implementation"])
            choices[f"{PURPOSES.get(str(mode), mode)} at {problem}"][names[machine.label]] = name
    same = []
    others = []
    for case, choice in choices.items():
        if len(choice) < len(machines):
            continue
        if len({*choice.values()}) == 1:
            same.append(next(iter(choice.values())))
            continue
        on_each = [f"{name} on {machine}" for machine, name in choice.items() if name != baseline]
        where = [machine for machine, name in choice.items() if name == baseline]
        if where:
            on_each.append(f"on {listed(where)} nothing is clearly faster than {baseline}")
        others.append(f"{case}: {'; '.join(on_each)}.")
    sentences = [f"The same LSTM is fastest in {len(same)} of {len(same) + len(others)} cases"]
    if same:
        of_same = [f"{name} in {number}" for name, number in Counter(same).most_common()]
        sentences.append(f"The same: {listed(of_same)}.")
    return [*sentences, *others]


def _least(first: list[str]) -> str:
    """Return which machine took less time at how many shapes, in words."""
    counts = Counter(first).most_common()
    return " and ".join(
        f"{label} took less at {number} of {len(first)}" for label, number in counts
    )


def _releases(machines: Sequence[Machine], names: Mapping[str, str]) -> Iterator[str]:
    """Yield which releases were measured on each machine, where these differ."""
    of_each = {names[machine.label]: torch_and_jax(machine.head.run) for machine in machines}
    if len({*of_each.values()}) > 1:
        releases = "; ".join(f"{name}: {releases}" for name, releases in of_each.items())
        yield f"The releases differ, which counts too: {releases}."

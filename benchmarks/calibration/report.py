"""The tables of a calibration, from the pool and the real gates."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np

from benchmarks import processors
from benchmarks.calibration import assumptions
from benchmarks.calibration.injection import SHARES
from benchmarks.calibration.other_rules import PAIRED, TOOLS, counts_of_others
from benchmarks.calibration.pool import BASE, COPY, Pool, name_of
from benchmarks.calibration.rates import Count, Counts, Rate, Rates, by_chance, count_all
from benchmarks.calibration.real_gates import RealGate, gates_summed_up
from benchmarks.regression.decision import TESTED
from benchmarks.tables import markdown_table
from benchmarks.words import count, listed, markdown_cell, span

TEXT = "calibration.md"
"""The tables."""
DATA = "calibration.json"
"""What the tables are made of."""
ALARM_GATES = 4000
"""How many gates are replayed for false alarms."""
SIMULATED = 10_000
"""How many are simulated for the bound on false alarms."""
GATES = 1000
"""How many are replayed for a slowdown."""
AGAIN = 200
"""How many are replayed for each draw of the rounds of a slowdown's limits."""
OFTEN = {SHARES[0]: (2000, 1000)}
"""For exactly this slowdown: GATES and AGAIN, where the numbers above would widen the limits most."""
LASTS = (0.0, 0.02, 0.04, 0.08)
"""The shares of the variance of a replicate that last for a simulated gate, in the curve of false alarms."""
TAIL = 3.0
"""The degrees of freedom of what lasts, in the bound: few rounds differ, but they differ much (decision 0013)."""
ENOUGH = 6
"""With fewer rounds, there is no bound on false alarms."""
EXACT = "exact sizes"
"""The row of gates of all benchmarks, with slowdowns of exact sizes."""
INJECTED = "injected"
"""The row of gates of all benchmarks, with injected slowdowns."""
OF_ONE = "one implementation"
"""The row of gates that compare the benchmarks of a single implementation, as for an LSTM of one's own."""
RULES = {row: f"this gate, {row}" for row in (EXACT, INJECTED, OF_ONE)}
"""What the rows of the gate are called in the table."""
ALARMS = "false alarms"
BOUND = "bound"
LASTING = "lasting"
"""What is counted beside each slowdown."""
SIDES = tuple(map(name_of, SHARES))
"""The injected slowdowns."""
EXACT_SIZES = {name_of(share): share for share in (*SHARES, 0.1)}
"""The slowdowns of exact sizes; `asv continuous` looks for the largest."""


class Calibration(msgspec.Struct, frozen=True):
    """The content of calibration.json: where, when and in how many rounds a pool was measured, and what was counted."""

    machine: str
    dates: str
    rounds: int
    rates: Rates


def counted(pool: Pool, advance: Callable[[int, int], None]) -> Rates:
    """Return all that is counted over gates, by count_all; nothing where the pool is too small."""
    if len(pool.holding([BASE, COPY])) < TESTED:
        return {}
    return count_all(pool, counts_of(pool), advance)


def answer(rates: Rates) -> str:
    """Return in a line how often the gate raises a false alarm, and what it finds."""
    if not rates:
        return f"To replay gates takes {TESTED} replicates: add some with --rounds."
    finds = []
    for side in SIDES:
        rate = rates[EXACT][side]
        if rate:
            finds.append(f"{side} in {percent(rate.rate)}")
    return f"False alarms: {replayed(rates[EXACT][ALARMS])}. Found: {', '.join(finds)}."


def report(pool: Pool, gates: Sequence[RealGate], rates: Rates) -> str:
    """Return the machine, the size of the pool and the tables, in Markdown."""
    parts = [heading(pool)]
    if rates:
        bounds = "- " + "\n- ".join(bounds_of(pool, rates))
        parts += [rules(rates), bounds, curve(rates), summed_up(pool)]
    else:
        parts.append(answer(rates))
    if gates:
        parts.append(gates_summed_up(gates))
    return "\n\n".join(filter(None, parts)) + "\n"


def heading(pool: Pool) -> str:
    """Return where, when and how much was measured."""
    if pool.identity is None:
        return "No rounds yet."
    about = calibration(pool, {})
    counts = [f"A/A {len(pool.holding([BASE, COPY]))}"]
    counts += [f"{side} {len(pool.holding([BASE, COPY, side]))}" for side in SIDES]
    text = f"{about.machine}; {about.dates}. {count(about.rounds, 'round')}; replicates: {', '.join(counts)}."
    if pool.identity.gates:
        text += f" Gates of {pool.identity.gates}."
    return markdown_cell(text)


def calibration(pool: Pool, rates: Rates) -> Calibration:
    """Return the content of calibration.json for a pool that has an identity."""
    assert pool.identity is not None
    days = sorted({replicate.round[:8] for replicate in pool.replicates})
    dates = span([f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in days])
    machine = pool.identity.machine
    where = f"{processors.words(machine)}, {machine.cores} cores, 1 thread a worker"
    rounds = pool.by_round(pool.holding([BASE, COPY]))
    return Calibration(where, dates, len(rounds), rates)


def counts_of(pool: Pool) -> Counts:
    """Return every count over gates that the tables need. Each has a seed of its own."""
    counts: Counts = {}
    replicates = pool.holding([BASE, COPY])
    between = assumptions.between_rounds(pool, replicates)
    rows = {EXACT: False}
    if len({key.implementation for key in pool.benchmarks}) > 1:
        rows[OF_ONE] = True
    for row, alone in rows.items():
        for side, share in EXACT_SIZES.items():
            gates, again = OFTEN.get(share, (GATES, AGAIN))
            exact = Count(replicates, gates, seed=2, shift=math.log1p(share), alone=alone)
            counts[row, side] = partial(exact.across_rounds, again=again)
        counts[row, ALARMS] = Count(replicates, ALARM_GATES, seed=1, alone=alone).within_rounds
        if between and len(pool.by_round(replicates)) >= ENOUGH:
            simulated = Count(replicates, SIMULATED, seed=5, alone=alone).simulated
            counts[row, BOUND] = partial(simulated, share=between.bound, freedom=TAIL)
            if not alone:
                for share in LASTS:
                    counts[LASTING, percent(share)] = partial(simulated, share=share)
    for side in SIDES:
        injected = Count(pool.holding([BASE, COPY, side]), GATES, seed=3, side=side)
        counts[INJECTED, side] = partial(injected.across_rounds, again=AGAIN)
    return counts | counts_of_others(pool, {ALARMS: 0.0, **EXACT_SIZES})


def percent(share: float) -> str:
    """Return such as `0.05 %` or `95.9 %`."""
    return f"{100 * share:.3g} %" if share < 0.0995 else f"{100 * share:.1f} %"


def share_found(rate: Rate | None) -> str:
    """Return a rate with its interval."""
    if rate is None:
        return "–"
    return f"{percent(rate.rate)} [{percent(rate.low)}, {percent(rate.high)}]"


def replayed(alarms: Rate | None) -> str:
    """Return how many replayed gates raised a false alarm, and of how many rounds they are."""
    if alarms is None:
        return "–"
    rounds = count(alarms.independent, "round")
    return f"{round(alarms.rate * alarms.gates)} of {alarms.gates} replays of {rounds}"


def rules(rates: Rates) -> str:
    """Return the table of how often each rule raises a false alarm, and what it finds; then what is not installed."""
    rows = []
    for row in (EXACT, INJECTED, OF_ONE, PAIRED, *TOOLS):
        if row in rates:
            found = [share_found(rates[row].get(column)) for column in EXACT_SIZES]
            rows.append([RULES.get(row, row), *alarms_of(row, rates), *found])
    header = ["rule", "processes a side", "independent", ALARMS]
    header += [f"{column} found" for column in EXACT_SIZES]
    table = markdown_table(rows, header)
    missing = [name for name in TOOLS if name not in rates]
    if missing:
        table += f"\n\nNot installed, or of another version: {listed(missing)}."
    return table


def alarms_of(row: str, rates: Rates) -> list[str]:
    """Return the processes of a rule, how many rounds or comparisons are independent, and its false alarms."""
    if row == INJECTED:  # its false alarms are those of exact sizes
        return ["", "", ""]
    alarms = rates[row][ALARMS]
    if alarms is None:
        return ["–"] * 3
    processes = f"{round(alarms.replicates, 1):g}"
    words = replayed(alarms) if row in RULES else share_found(alarms)
    return [processes, str(alarms.independent), words]


def by_rounds_alone(alarms: Rate) -> float:
    """Return the upper limit of false alarms if all replays of a round count as one gate: they share its replicates."""
    raised = math.ceil(alarms.rate * alarms.independent)
    return by_chance(raised, alarms.independent)[1]


def bounds_of(pool: Pool, rates: Rates) -> list[str]:
    """Return the bounds on false alarms, and what they rest on."""
    names = {EXACT: "false alarms", OF_ONE: f"false alarms of gates of {OF_ONE}"}
    lines = []
    for row, name in names.items():
        bound = rates.get(row, {}).get(BOUND)
        if bound:
            simulated = f"{percent(bound.rate)} of {bound.gates} simulated gates"
            lines.append(f"{name}: {simulated}, at most {percent(bound.high)}")
    if not lines:
        lines.append(f"false alarms: a bound takes {ENOUGH} rounds")
    alarms = rates[EXACT][ALARMS]
    if alarms:
        rounds = count(alarms.independent, "independent round")
        lines.append(f"by {rounds} alone: at most {percent(by_rounds_alone(alarms))}")
    between = assumptions.between_rounds(pool, pool.holding([BASE, COPY]))
    if between:
        lines.append(
            f"the variance between rounds is {percent(between.share)} of that between replicates,"
            f" at most {percent(between.bound)}; 0 is right"
        )
    return lines


def curve(rates: Rates) -> str:
    """Return the table of false alarms by the share of the variance that lasts for a gate; empty without a bound."""
    rows = []
    for share, rate in rates.get(LASTING, {}).items():
        if rate:
            bar = "█" * round(1000 * rate.rate)
            rows.append([f"{share} lasts", percent(rate.rate), percent(rate.high), bar])
    header = ["variance of a replicate", "false alarms, simulated", "at most", "a block is 0.1 %"]
    return markdown_table(rows, header) if rows else ""


def summed_up(pool: Pool) -> str:
    """Return the table of what injected slowdowns measure: the mean over the benchmarks, the least and the largest."""
    rows = []
    for (side, work), (ratios, lows, highs) in assumptions.sizes(pool, SIDES).items():
        mean = ratios.mean()
        half = np.sqrt((((highs - lows) / 2) ** 2).sum()) / len(ratios)
        interval = f"{100 * mean:+.2f} % [{100 * (mean - half):+.2f}, {100 * (mean + half):+.2f}]"
        ends = [f"{100 * end:+.2f} %" for end in (ratios.min(), ratios.max())]
        rows.append([side, work, interval, *ends])
    mean_of = f"measured, mean of {count(len(pool.benchmarks), 'benchmark')} [95 %]"
    return markdown_table(rows, ["injected", "work", mean_of, "least", "largest"]) if rows else ""

"""The tables of a calibration, from the pool and the real gates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
import numpy as np

from benchmarks import processors
from benchmarks.calibration import assumptions
from benchmarks.calibration.injection import SHARES
from benchmarks.calibration.pool import BASE, COPY, Pool, name_of
from benchmarks.calibration.rates import Count, Rate
from benchmarks.calibration.real_gates import RealGate, gates_summed_up, span
from benchmarks.calibration.replay import Case, Head, Replay, count_all
from benchmarks.regression.decision import TESTED, GateKey
from benchmarks.tables import markdown_table
from benchmarks.words import count, markdown_cell

TEXT, DATA = "calibration.md", "calibration.json"
"""The tables, and what they are made of."""
ALARM_GATES, SIMULATED, GATES, AGAIN = 4000, 10_000, 1000, 200
"""How many gates are replayed for false alarms, and simulated for their bound; how many are replayed for a slowdown,
and for each draw of the rounds of its limits."""
OFTEN = {SHARES[0]: (2000, 1000)}
"""For exactly this slowdown: GATES and AGAIN, where those above would widen the limits most."""
LASTS = (0.0, 0.02, 0.04, 0.08)
"""The shares of the variance of a replicate that last for a simulated gate, in the curve of false alarms."""
TAIL = 3.0
"""The degrees of freedom of what lasts, in the bound: few rounds differ, and those much (decision 0013)."""
ENOUGH = 6
"""With fewer rounds, there is no bound on false alarms."""
EXACT, INJECTED, OF_ONE = "exact sizes", "injected", "one implementation"
"""The rows of the first table: gates of all benchmarks, with slowdowns of exact sizes and with injected ones; and gates
that compare the benchmarks of a single implementation, as for an LSTM of one's own."""
OF_SEVERAL = "¹ Its processes come from several rounds, since no round has so many."
"""The note on other tools whose rates have that mark."""
ALARMS, BOUND, LASTING = "false alarms", "bound", "lasting"
"""What is counted beside each slowdown."""
Key = tuple[str, str]
"""A row, and a slowdown or what is counted beside it."""
Rates = Mapping[str, Mapping[str, Rate | None]]
"""What was counted, by row, and by slowdown or what is counted beside it."""


class Calibration(msgspec.Struct, frozen=True):
    """The content of calibration.json: where, when and in how many rounds a pool was measured, and what was counted.

    `others` has what other tools say of the same replicates, by tool; their own script has written it.
    """

    machine: str
    dates: str
    rounds: int
    rates: Rates
    others: Rates = {}


def counted(pool: Pool, advance: Callable[[int, int], None]) -> Rates:
    """Return all that is counted over gates, by count_all; nothing where the pool is too small."""
    if len(pool.holding([BASE, COPY])) < TESTED:
        return {}
    found: dict[str, dict[str, Rate | None]] = {}
    for (row, column), rate in count_all(pool, counts_of(pool), advance).items():
        found.setdefault(row, {})[column] = rate
    return found


def answer(found: Rates) -> str:
    """Return in a line how often the gate raises a false alarm, and what it finds."""
    if not found:
        return f"To replay gates takes {TESTED} replicates: add some with --rounds."
    rates = {side: found[EXACT][side] for side in map(name_of, SHARES)}
    finds = ", ".join(f"{side} in {percent(rate.rate)}" for side, rate in rates.items() if rate)
    return f"False alarms: {replayed(found[EXACT][ALARMS])}. Found: {finds}."


def report(pool: Pool, gates: Sequence[RealGate], found: Rates, others: Rates) -> str:
    """Return the machine, the size of the pool and the tables, in Markdown."""
    parts = [_heading(pool)]
    if found:
        parts += [rules(found, others), "\n".join(f"- {line}" for line in _bounds(pool, found))]
        parts += [*curve(found), *summed_up(pool)]
    else:
        parts.append(answer(found))
    if gates:
        parts.append(gates_summed_up(gates))
    return "\n\n".join(parts) + "\n"


def _heading(pool: Pool) -> str:
    """Return where, when and how much was measured."""
    if pool.identity is None:
        return "No rounds yet."
    known = calibration(pool, {}, {})
    held = {
        "A/A" if side == COPY else side: pool.holding([BASE, COPY, side])
        for side in (COPY, *map(name_of, SHARES))
    }
    gates = f" Gates of {pool.identity.gates}." if pool.identity.gates else ""
    counts = ", ".join(f"{name} {len(replicates)}" for name, replicates in held.items())
    measured = f"{known.dates}. {count(known.rounds, 'round')}; replicates: {counts}."
    return markdown_cell(f"{known.machine}; {measured}{gates}")


def calibration(pool: Pool, *counted: Rates) -> Calibration:
    """Return the content of calibration.json for a pool that has an identity: with what was counted, and `others`."""
    assert pool.identity is not None
    days = sorted({replicate.round[:8] for replicate in pool.replicates})
    dates = span([f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in days])
    machine = pool.identity.machine
    where = f"{processors.words(machine)}, {machine.cores} cores, 1 thread a worker"
    return Calibration(where, dates, len(pool.by_round(pool.holding([BASE, COPY]))), *counted)


def counts_of(pool: Pool) -> dict[Key, Callable[[Replay], Rate | None]]:
    """Return every count over gates that the tables need. Each has a seed of its own."""
    counts: dict[Key, Callable[[Replay], Rate | None]] = {}
    held = pool.holding([BASE, COPY])
    several = len({GateKey(name).implementation for name in pool.benchmarks}) > 1
    between = assumptions.between_rounds(pool, held)
    for row, alone in ((EXACT, False), (OF_ONE, True))[: 1 + several]:
        for share in SHARES:
            gates, again = OFTEN.get(share, (GATES, AGAIN))
            slower = Count(held, Case(Head(shift=math.log1p(share)), alone), gates, seed=2)
            counts[row, name_of(share)] = partial(slower.across_rounds, again=again)
        counts[row, ALARMS] = Count(held, Case(alone=alone), ALARM_GATES, seed=1).within_rounds
        if between and len(pool.by_round(held)) >= ENOUGH:
            simulated = Count(held, Case(alone=alone), SIMULATED, seed=5).simulated
            counts[row, BOUND] = partial(simulated, share=between.bound, freedom=TAIL)
            counts |= (
                {}
                if alone
                else {(LASTING, percent(share)): partial(simulated, share=share) for share in LASTS}
            )
    for side in map(name_of, SHARES):
        slower = Count(pool.holding([BASE, COPY, side]), Case(Head(side)), GATES, seed=3)
        counts[INJECTED, side] = partial(slower.across_rounds, again=AGAIN)
    return counts


def percent(share: float) -> str:
    """Return such as `0.05 %` or `95.9 %`."""
    return f"{100 * share:.3g} %" if share < 0.0995 else f"{100 * share:.1f} %"


def share_found(rate: Rate | None) -> str:
    """Return a rate with its interval."""
    return (
        f"{percent(rate.rate)} [{percent(rate.low)}, {percent(rate.high)}]{rate.remark}"
        if rate
        else "–"
    )


def replayed(alarms: Rate | None) -> str:
    """Return how many replayed gates raised a false alarm."""
    return f"{round(alarms.rate * alarms.gates)} of {alarms.gates} replays" if alarms else "–"


def rules(found: Rates, others: Rates) -> str:
    """Return the table of how often a gate raises a false alarm, and what it finds; then the rows of other tools."""
    sides = [name_of(share) for share in SHARES]
    rows = []
    for row in filter(found.__contains__, (EXACT, INJECTED, OF_ONE)):
        false = processes = ""
        if row != INJECTED:
            alarms = found[row][ALARMS]
            false = replayed(alarms)
            processes = f"{alarms.replicates:.1f}" if alarms else "–"
        rows.append(
            [
                f"this gate, {row}",
                false,
                *(share_found(found[row][side]) for side in sides),
                processes,
            ]
        )
    for tool, rates in others.items():
        said = [rates[column] for column in (ALARMS, *sides)]
        rows.append([tool, *map(share_found, said), f"{said[0].replicates:g}" if said[0] else "–"])
    table = markdown_table(
        rows, ["rule", "false alarms", *(f"{side} found" for side in sides), "processes a side"]
    )
    return f"{table}\n\n{OF_SEVERAL}" if OF_SEVERAL[0] in table else table


def _simulated(alarms: Rate) -> str:
    """Return how many simulated gates raised a false alarm, in words."""
    return (
        f"{percent(alarms.rate)} of {alarms.gates} simulated gates, at most {percent(alarms.high)}"
    )


def _bounds(pool: Pool, found: Rates) -> list[str]:
    """Return the bounds on false alarms, and what they rest on."""
    alarms = found[EXACT].get(BOUND)
    lines = [f"false alarms: {_simulated(alarms) if alarms else f'a bound takes {ENOUGH} rounds'}"]
    if alarms := found.get(OF_ONE, {}).get(BOUND):
        lines.append(f"false alarms of gates of {OF_ONE}: {_simulated(alarms)}")
    if between := assumptions.between_rounds(pool, pool.holding([BASE, COPY])):
        lines.append(
            f"the variance between rounds is {percent(between.share)} of that between replicates,"
            f" at most {percent(between.bound)}; 0 is right"
        )
    return lines


def curve(found: Rates) -> list[str]:
    """Return the rate of false alarms by the share of the variance that lasts for a gate; a block is 0.1 %."""
    rows = [
        [f"{share} lasts", percent(rate.rate), percent(rate.high), "█" * round(1000 * rate.rate)]
        for share, rate in found.get(LASTING, {}).items()
        if rate
    ]
    header = ["variance of a replicate", "false alarms, simulated", "at most", "a block is 0.1 %"]
    return [markdown_table(rows, header)] if rows else []


def summed_up(pool: Pool) -> list[str]:
    """Return what injected slowdowns measure: the mean over the benchmarks, the least and the largest."""
    rows = []
    for (side, work), (ratios, lows, highs) in assumptions.sizes(
        pool, map(name_of, SHARES)
    ).items():
        mean, half = ratios.mean(), np.sqrt((((highs - lows) / 2) ** 2).sum()) / len(ratios)
        interval = f"{100 * mean:+.2f} % [{100 * (mean - half):+.2f}, {100 * (mean + half):+.2f}]"
        rows.append(
            [side, work, interval, *(f"{100 * end:+.2f} %" for end in (ratios.min(), ratios.max()))]
        )
    mean_of = f"measured, mean of {count(len(pool.benchmarks), 'benchmark')} [95 %]"
    return [markdown_table(rows, ["injected", "work", mean_of, "least", "largest"])] if rows else []

"""The tables of a calibration, from the pool and the real gates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from scipy import stats

from benchmarks import processors
from benchmarks.calibration import evidence
from benchmarks.calibration.counting import Advance, Ask, Later, counting
from benchmarks.calibration.evidence import Rate
from benchmarks.calibration.pool import BASE, COPY, Pool, name_of
from benchmarks.metadata import Machine
from benchmarks.regression.decision import TESTED
from benchmarks.words import count, markdown_cell, markdown_table

MARGIN = 0.02
SHARES = (0.02, 0.03, 0.05)
HOGGED = "same, with a hog"
PLANTED = {"+2%": 0.02, "+3%": 0.03}
KINDS = ("same", *PLANTED, HOGGED)
ALARM_GATES, SIMULATED, GATES, AGAIN, EACH = 4000, 10_000, 1000, 200, 200
"""How many gates are replayed for false alarms, and simulated for their bound; how many are replayed for a slowdown,
for each draw of the sessions of its limits, and for a slowdown of each benchmark."""
OFTEN = {MARGIN: (2000, 1000)}
"""For exactly this slowdown: GATES and AGAIN, where those above would widen the limits most."""
ENOUGH = 6
"""With fewer sessions, there is no bound on false alarms."""
TARGETS = {"+2%": 0.95, "+3%": 0.995}
"""How often a slowdown of exactly this size is to be found."""
MOST_ALARMS, SESSIONS = 0.003, 15
"""The share of gates that may raise a false alarm, and how many sessions are to show it."""
MINUTES = {("same", "mean"): 5.0, ("same", "longest"): 7.0, ("+2%", "longest"): 10.0}
"""How long real gates of the default benchmarks may take."""
OURS = "this gate"
OF_ONE = "one implementation"
"""How the tables call gates that compare the benchmarks of a single implementation, as for an LSTM of one's own."""


class RealGate(msgspec.Struct, kw_only=True):
    """A gate that was measured, not replayed: what it should find, and what it said.

    kind: one of KINDS.
    planted: the slowed benchmark; empty for the same code.
    strict_exit_code: what --strict would have given; None where that was not recorded.
    work: how it was slowed.
    machine: the processor, in words.
    benchmarks: how many were compared.
    unknown: those that were neither slower, faster nor same, by time.
    """

    kind: str
    planted: str
    exit_code: int
    regressions: list[str]
    seconds: float
    date: str
    work: str | None = None
    machine: str = ""
    benchmarks: int = 0
    unknown: list[str] = []
    strict_exit_code: int | None = None


def right(gate: RealGate) -> bool:
    """Whether a real gate found what it should find, and nothing else."""
    if not gate.planted:
        return gate.exit_code == 0
    named = [text.startswith(f"{gate.planted}: time ") for text in gate.regressions]
    return gate.exit_code == 1 and bool(named) and all(named)


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of hits in n independent trials."""
    rate, z = hits / n, float(stats.norm.ppf(0.975))
    middle, half = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return low if hits else 0.0, high if hits < n else 1.0  # where rounding leaves 1e-17


def report(
    pool: Pool,
    reals: Sequence[RealGate],
    machine: Machine,
    threads: int,
    about: str = "",
    processes: int = 1,
    advance: Advance = lambda _done, _begun: None,
) -> str:
    """Return the machine, the size of the pool and the tables, in Markdown.

    The machine is that of the pool; the given one where the pool does not know it. `about` says which LSTMs were
    measured at which problem; it is empty for those of a gate without options. So many `processes` replay gates, and
    `advance` gets how far they are.
    """
    machine = pool.machine or machine
    held = {side: pool.holding([BASE, COPY, side]) for side in (COPY, *map(name_of, SHARES))}
    counts = ", ".join(f"{'A/A' if side == COPY else side} {len(number)}" for side, number in held.items())
    where = f"{processors.words(machine)}, {machine.cores} cores, {count(threads, 'thread')} a worker"
    sessions = count(len({pool.sessions[k] for k in held[COPY]}), "session")
    measured = f"; {_dates(pool)}. {sessions}; replicates: {counts}." if pool.sessions else "; no sessions yet."
    parts = [markdown_cell(f"{where}{measured}{f' Gates of {about}.' if about else ''}")]
    if len(held[COPY]) >= TESTED:
        with counting(pool, MARGIN, processes, advance) as ask:
            parts += _counted(ask, pool, held, [] if about else reals)
        parts += _sizes(pool)
    else:
        parts.append(f"To replay gates takes {TESTED} replicates: add some with --rounds.")
    if reals:
        parts.append(_real_gates(reals))
    return "\n\n".join(parts) + "\n"


def _dates(pool: Pool) -> str:
    days = sorted({session[:8] for session in pool.sessions})
    return _span([f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in days])


def _span(days: Sequence[str]) -> str:
    """Return the first and the last of some days in order, in words; one where they are the same."""
    return " to ".join(dict.fromkeys([*days[:1], *days[-1:]]))


def percent(share: float) -> str:
    """Return such as `0.05 %` or `95.9 %`."""
    return f"{100 * share:.3g} %" if share < 0.0995 else f"{100 * share:.1f} %"


def _found(rate: Rate | None) -> str:
    return f"{percent(rate.rate)} [{percent(rate.low)}, {percent(rate.high)}]" if rate else "–"


Narrow = Callable[[evidence.Draw], evidence.Draw]
"""Makes of what draws a gate one that compares less."""


@dataclass
class _Row:
    """A row of the table of rules."""

    name: str
    alarms: str = "–"
    found: list[str] = field(default_factory=list)
    processes: str = "–"


@dataclass(frozen=True)
class _Ours:
    """What is counted in gates of this suite: `exact` by the name of the slowdown."""

    exact: dict[str, Later[Rate | None]]
    alarms: Later[Rate | None]
    bound: Later[Rate | None]


def _ours(ask: Ask, pool: Pool, held: Sequence[int], narrow: Narrow) -> _Ours:
    return _Ours(_exact(ask, pool, held, narrow), _alarms(ask, pool, held, narrow), _bound(ask, pool, held, narrow))


def _counted(ask: Ask, pool: Pool, held: dict[str, list[int]], reals: Sequence[RealGate]) -> list[str]:
    """Return how often each rule raises a false alarm, and what it finds; the targets; and the assumptions.

    Every count begins before the first result is wanted. `reals` are the real gates that are to be fast.
    """
    copies = held[COPY]
    ours = _ours(ask, pool, copies, _whole)
    injected = [
        ask(evidence.rate, held[side], evidence.slowed(pool, side), evidence.found, GATES, AGAIN, seed=3)
        for side in map(name_of, SHARES)
    ]
    of_one = None if _alone(pool) else _ours(ask, pool, copies, evidence.of_one)
    least = ask(evidence.least_found, copies, math.log1p(SHARES[0]), EACH, seed=4)
    rows = [
        _row_of(f"{OURS}, exact sizes", ours),
        _Row(f"{OURS}, injected", "", [_found(rate()) for rate in injected], ""),
    ]
    if of_one:
        rows.append(_row_of(f"{OURS}, {OF_ONE}", of_one))
    header = ["rule", "false alarms", *(f"{name_of(share)} found" for share in SHARES), "processes a side"]
    cells = [[row.name, row.alarms, *row.found, row.processes] for row in rows]
    parts = [markdown_table(cells, header)]
    parts.append(_targets(pool, copies, ours.bound(), {side: rate() for side, rate in ours.exact.items()}, reals))
    alarms_of_one = _of_one(of_one.bound() if of_one else None)
    return [*parts, _least(least()) + alarms_of_one + _assumptions(pool, copies)]


def _alone(pool: Pool) -> bool:
    """Whether a pool has a single implementation."""
    return len(set(map(evidence.implementation_of, pool.benchmarks))) == 1


def _whole(draw: evidence.Draw) -> evidence.Draw:
    """Return the gate that was drawn, with all benchmarks of the pool."""
    return draw


def _alarms(ask: Ask, pool: Pool, held: Sequence[int], narrow: Narrow) -> Later[Rate | None]:
    """Count how often a gate in which nothing changed raises an alarm; `narrow` says what a gate compares."""
    draw = narrow(evidence.unchanged(pool))
    return ask(evidence.rate_within_sessions, held, draw, evidence.alarmed, ALARM_GATES, seed=1)


def _exact(ask: Ask, pool: Pool, held: Sequence[int], narrow: Narrow) -> dict[str, Later[Rate | None]]:
    """Count how often slowdowns of exactly SHARES are found; `narrow` says what a gate compares."""
    return {
        name_of(share): ask(
            evidence.rate,
            held,
            narrow(evidence.slowed(pool, shift=math.log1p(share))),
            evidence.found,
            *OFTEN.get(share, (GATES, AGAIN)),
            seed=2,
        )
        for share in SHARES
    }


def _row_of(name: str, ours: _Ours) -> _Row:
    """Return the row of gates of this suite."""
    alarms = ours.alarms()
    processes = f"{alarms.replicates:.1f}" if alarms else "–"
    return _Row(name, _replayed(alarms), [_found(rate()) for rate in ours.exact.values()], processes)


def _replayed(rate: Rate | None) -> str:
    """Return how many of the replayed gates raised a false alarm."""
    return f"{round(rate.rate * rate.gates)} of {rate.gates} replays" if rate else "–"


def _bound(ask: Ask, pool: Pool, held: Sequence[int], narrow: Narrow) -> Later[Rate | None]:
    """Count false alarms in simulated gates; gives None where there are too few sessions for a bound.

    `narrow` says what a gate compares.
    """
    between = evidence.between_sessions(pool, held)
    if between is None or len(evidence.by_session(pool, held)) < ENOUGH:
        return lambda: None
    draw = narrow(evidence.unchanged(pool))
    return ask(evidence.alarms_of_simulated_gates, held, draw, between, SIMULATED, seed=5)


def _targets(
    pool: Pool,
    held: Sequence[int],
    alarms: Rate | None,
    found: Mapping[str, Rate | None],
    reals: Sequence[RealGate] = (),
) -> str:
    """Return the table of what this gate is to reach, what was measured, and whether its limits show that."""
    sessions = sum(len(own) >= evidence.LONG_ENOUGH for own in evidence.by_session(pool, held).values())
    rows = [
        [f"{SESSIONS} sessions", str(sessions), "met" if sessions >= SESSIONS else "missed"],
        [f"false alarms in at most {percent(MOST_ALARMS)} of gates", f"takes {ENOUGH} sessions", "not shown"],
    ]
    if alarms is not None:
        rows[1][1:] = [_simulated(alarms), _reached(-alarms.high, -alarms.low, -MOST_ALARMS)]
    for side, least in TARGETS.items():
        rate = found[side]
        state = _reached(rate.low, rate.high, least) if rate else "not shown"
        which = f"at least {percent(least)} of gates, mean of all benchmarks"
        rows.append([f"exactly {side} found in {which}", _found(rate), state])
    for (kind, which), most in MINUTES.items():
        if minutes := [gate.seconds / 60 for gate in reals if gate.kind == kind]:
            taken = max(minutes) if which == "longest" else sum(minutes) / len(minutes)
            target = f"real gates, {kind}: {which} at most {most:g} minutes"
            rows.append([target, f"{taken:.1f}", "met" if taken <= most else "missed"])
    return markdown_table(rows, ["target", "measured", ""])


def _simulated(alarms: Rate) -> str:
    """Return how many simulated gates raised a false alarm, in words."""
    return f"{percent(alarms.rate)} of {alarms.gates} simulated gates, at most {percent(alarms.high)}"


def _of_one(alarms: Rate | None) -> str:
    """Return in words how often gates of one implementation raise a false alarm; nothing where there is no bound.

    Nor where the pool has one only: the table of targets says it.
    """
    return f"- false alarms of gates of {OF_ONE}: {_simulated(alarms)}\n" if alarms else ""


def _reached(low: float, high: float, least: float) -> str:
    """Return whether limits show that at least this is reached."""
    return "met" if low >= least else "missed" if high < least else "not shown"


def _least(least: evidence.Share | None) -> str:
    """Return in words at which benchmark the smallest slowdown is found least often."""
    if least is None:
        return ""
    limits = f"[{percent(least.low)}, {percent(least.high)}]"
    return (
        f"- exactly {name_of(SHARES[0])} is found least often in {least.benchmark}: {percent(least.share)} {limits},"
        " a 90 % interval\n"
    )


def _assumptions(pool: Pool, held: Sequence[int]) -> str:
    """Return in words whether what the gate's bound rests on holds in the pool."""
    p = evidence.p_values_of_copies(pool, held)
    lines = []
    if len(p):
        for level in (0.05, 0.01):
            both = float(np.mean((p < level) | (p > 1 - level)) / 2)
            low, high = wilson(both * 2 * len(p), 2 * len(p))
            lines.append(
                f"of {2 * len(p)} tests of equal copies, {percent(both)} have p < {100 * level:g} %"
                f" [{percent(low)}, {percent(high)}], a 95 % interval; {100 * level:g} % is right"
            )
    between = evidence.between_sessions(pool, held)
    if between is not None:
        lines.append(
            f"the variance between sessions is {percent(between.share)} of that between replicates,"
            f" at most {percent(between.bound)}; 0 is right"
        )
    return "\n".join(f"- {line}" for line in lines)


def _interval(ratio: float, low: float, high: float) -> str:
    return f"{100 * ratio:+.2f} % [{100 * low:+.2f}, {100 * high:+.2f}]"


def _sizes(pool: Pool) -> list[str]:
    """Return what injected slowdowns measure: the mean over the benchmarks, the least and the largest."""
    rows = []
    every = evidence.sizes(pool, list(map(name_of, SHARES)))
    for side, work in dict.fromkeys((size.side, size.work) for size in every):
        mine = [size for size in every if (size.side, size.work) == (side, work)]
        ratios = [size.ratio for size in mine]
        mean = sum(ratios) / len(ratios)
        half = math.sqrt(sum(((size.high - size.low) / 2) ** 2 for size in mine)) / len(mine)
        ends = [f"{100 * end:+.2f} %" for end in (min(ratios), max(ratios))]
        rows.append([side, work, _interval(mean, mean - half, mean + half), *ends])
    if not rows:
        return []
    number = count(len(pool.benchmarks), "benchmark")
    header = ["injected", "work", f"measured, mean of {number} [95 %]", "least", "largest"]
    return [markdown_table(rows, header)]


def slowdowns_listed(pool: Pool) -> str:
    """Return what each injected slowdown measures at each benchmark, in a table; empty where there is none."""
    rows = [
        [size.benchmark, size.work, size.side, _interval(size.ratio, size.low, size.high)]
        for size in evidence.sizes(pool, list(map(name_of, SHARES)))
    ]
    header = ["benchmark", "work", "injected", "measured [95 %]"]
    return markdown_table(rows, header) + "\n" if rows else ""


def gates_listed(reals: Sequence[RealGate]) -> str:
    """Return every real gate in a table, in Markdown; empty where there is none."""
    rows = [
        [
            gate.date,
            gate.machine,
            f"{gate.kind}{f', {gate.work}' if gate.work else ''}",
            gate.planted or "–",
            str(gate.exit_code),
            "–" if gate.strict_exit_code is None else str(gate.strict_exit_code),
            "; ".join(gate.regressions) or "–",
            "yes" if right(gate) else "no",
            f"{gate.seconds / 60:.1f}",
            f"{len(gate.unknown)} of {gate.benchmarks}",
        ]
        for gate in reals
    ]
    header = [
        "date",
        "machine",
        "kind",
        "slowed",
        "exit code",
        "with --strict",
        "regressions",
        "right",
        "minutes",
        "unknown",
    ]
    cells = [[markdown_cell(cell) for cell in row] for row in rows]
    return markdown_table(cells, header) + "\n" if rows else ""


def _real_gates(reals: Sequence[RealGate]) -> str:
    """Return a table of real gates, under the machines and dates of each."""
    measured = {gate.machine: sorted({one.date for one in reals if one.machine == gate.machine}) for gate in reals}
    where = [f"{machine or 'unknown'}, {_span(days)}" for machine, days in measured.items()]
    lines = []
    for kind in KINDS:
        gates = [gate for gate in reals if gate.kind == kind]
        if gates:
            minutes = [gate.seconds / 60 for gate in gates]
            lines.append(
                [
                    kind,
                    f"{sum(map(right, gates))} of {len(gates)}",
                    f"{sum(minutes) / len(gates):.1f}",
                    f"{max(minutes):.1f}",
                    f"{sum(len(gate.unknown) for gate in gates)} of {sum(gate.benchmarks for gate in gates)}",
                ]
            )
    header = ["real gates", "right", "mean minutes", "longest", "benchmarks left unknown"]
    about = f"Real gates: {markdown_cell('; '.join(where))}. Minutes without building environments."
    return f"{about}\n\n{markdown_table(lines, header, numbers=True)}"

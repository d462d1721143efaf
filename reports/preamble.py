"""The lines above a run's tables, which say how it was measured."""

import math

import numpy as np

from benchmarks import processors
from benchmarks.options import start_of
from benchmarks.processors import UNKNOWN
from benchmarks.runner import cards
from benchmarks.words import count, listed, share, span
from reports import estimates, history, peak, state
from reports.frames import Run, began, machine_label
from reports.tracks import LIMITS


def preamble(run: Run) -> list[str]:
    """Return a few lines: the machine, the versions, the precision, the noise and the number of replicates."""
    commit = run.metadata.commit
    commit_id = (commit.id or UNKNOWN)[:12]
    if commit.dirty:
        commit_id += ", with changes"
    return [
        _machine(run),
        versions(run),
        _precision(run),
        *peak_and_noise(run),
        *filter(None, [state.words(run), alone(run)]),
        *card(run),
        f"{_replicates(run)}; commit {commit_id}; run {run.run_id}",
        about(run),
    ]


def _machine(run: Run) -> str:
    machine = run.metadata.machine
    parts = [processors.words(machine)]
    if machine.cores:
        parts.append(count(machine.cores, "core"))
    if machine.memory_bytes:
        parts.append(f"{machine.memory_bytes / 2**30:.0f} GiB")
    if machine.gpu:
        parts.append(machine.gpu_with_driver)
    systems = run.metadata.systems or (machine.system,)
    return f"{', '.join(parts)}; {', '.join(systems)}"


def _precision(run: Run) -> str:
    products = run.metadata.matmul_precision
    if products == UNKNOWN:
        products = "float32, the precision of its products is unknown"
    parts = [
        products if dtype == "float32" else dtype for dtype in sorted(run.records["dtype"].unique())
    ]
    threads = run.metadata.run.threads
    if threads:
        parts.append(count(threads, "thread"))
    return "; ".join(parts)


def _replicates(run: Run) -> str:
    """Return how many rounds, replicates and blocks a run has, its seed, and when it was measured."""
    options = run.metadata.run
    # without benchmarks, only the rows of the run are known
    seed = f", seed {options.seed}" if options.benchmarks else ""
    blocks = count(options.blocks, "block")
    if len(run.rounds) == 1:
        replicates = count(options.replicates, "replicate")
        return f"{replicates} of {blocks}{seed}; {began(run.run_id)}"
    replicates = "/".join(map(str, dict.fromkeys(run.rounds.values())))
    rounds = f"{count(len(run.rounds), 'round')} of {replicates} replicates of {blocks}"
    starts = [f"{start_of(run_id):%Y-%m-%d %H:%M}" for run_id in run.rounds]
    text = f"{rounds}, begun at {listed(starts)} UTC"
    waited = estimates.waited(run).max()
    if waited > 0:
        text += f"; in the busiest a process waited for a processor in {share(waited)} of the time"
    return f"{text}{seed}"


def about(run: Run) -> str:
    """Return what an interval holds: one more run, or where nothing is on record of such a machine, only this one."""
    lasting = history.lasting(run, "ratio")["sd"]
    if lasting.empty and len(run.rounds) == 1:
        return "95 % intervals are about this run only: another run can lie outside (--rounds says how far)"
    words = "95 % intervals: one more run on such a machine lies within, in 95 of 100 cases"
    if not math.isnan(peak.speed(run.records)):
        words += ", where the peak is as here"
    if lasting.empty:
        return words
    adds = span([f"{100 * sd:.1f}" for sd in sorted(lasting)])
    number = history.of_machine(machine_label(run.metadata))["round"].nunique()
    return (
        f"{words}. What lasts for a round adds {adds} % to a ratio's standard deviation"
        f" ({count(number, 'round')} on record of such a machine)"
    )


def versions(run: Run) -> str:
    """Return the versions of what its LSTMs ran with, such as `jax 0.10.2, torch 2.13.0, Python 3.11.7`.

    Another Python than the run's own names what ran with it.
    """
    lstms = run.records[~run.records["track"].isin(LIMITS)]
    ok = lstms[lstms["status"] == "ok"]
    if len(ok):
        lstms = ok  # what did not run may lack its packages here
    packages = set()
    of_python: dict[str, dict[str, None]] = {}
    for name, text in lstms[["implementation", "versions"]].itertuples(index=False):
        for part in text.split(", "):
            if part.startswith("Python "):
                of_python.setdefault(part, {})[name] = None
            else:
                packages.add(part)
    own = f"Python {run.metadata.versions.get('python') or UNKNOWN}"
    of_python.pop(own, None)
    others = [f"{python} ({listed([*names])})" for python, names in sorted(of_python.items())]
    return ", ".join([*sorted(packages), own, *others])


def torch_and_jax(run: Run) -> str:
    """Return the versions of the two that a run is known by, as far as it had them."""
    installed = run.metadata.versions
    return ", ".join(
        f"{name} {installed[name]}" for name in ("torch", "jax") if installed.get(name)
    )


def peak_and_noise(run: Run) -> list[str]:
    """Return a line on the peak and on how far replicates are apart, if known."""
    parts = list(peak.reached(run))
    noise = estimates.noise(run)
    if noise.words:
        parts.append(f"noise: {noise.words} (the median standard deviations)")
    if noise.warning:
        parts.append(noise.warning)
    if not parts:
        return []
    return ["; ".join(parts)]


SHOWN = 3
"""How many replicates that stand alone are named."""


def alone(run: Run) -> str:
    """Return which replicates stand alone; empty where none does. An estimate is a median, so they move it little."""
    rows = estimates.alone(run)
    if rows.empty:
        return ""
    names = [
        f"{row.implementation} at {row.problem}/{row.workload}/{row.mode} ({row.times:.1f} × its median)"
        for row in rows.head(SHOWN).itertuples()
    ]
    if len(rows) > SHOWN:
        names.append(f"{len(rows) - SHOWN} more")
    return f"{count(len(rows), 'replicate')} that stood alone: {listed(names)}"


def card(run: Run) -> list[str]:
    """Return a line on the GPU's clock, and one on turns in which it held itself back, or somebody else used it."""
    lines = []
    megahertz = run.turns["gpu_hertz"].dropna() / 1e6
    if len(megahertz):
        lines.append(f"the GPU's clock was {megahertz.min():.0f} to {megahertz.max():.0f} MHz")
    turns = len(run.turns)
    faults = []
    throttled = run.turns["gpu_throttled"]
    throttled = throttled[throttled > 0].astype(int)
    if len(throttled):
        reasons = cards.words(np.bitwise_or.reduce(throttled))
        faults.append(f"THE GPU HELD ITSELF BACK in {len(throttled)} of {turns} turns ({reasons})")
    shared = (run.turns["gpu_others"] > 0).sum()
    if shared:
        faults.append(f"OTHERS USED THE GPU in {shared} of {turns} turns")
    if faults:
        lines.append("; ".join([*faults, "measure again before you believe these times"]))
    return lines

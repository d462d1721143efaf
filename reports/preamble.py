"""The lines above a run's tables, which say how it was measured."""

from __future__ import annotations

import functools
import operator

import pandas as pd

from benchmarks import processors
from benchmarks.processors import UNKNOWN
from benchmarks.runner import cards
from benchmarks.words import count, listed, share
from reports import estimates, peak
from reports.frames import Run, began
from reports.tracks import LIMITS


def preamble(run: Run) -> list[str]:
    """Return a few lines: the machine, the versions, the precision, the noise and the number of replicates."""
    metadata, options = run.metadata, run.metadata.run
    machine, commit = metadata.machine, metadata.commit
    cores = f", {count(machine.cores, 'core')}" if machine.cores else ""
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    gpu = f", {machine.gpu_with_driver}" if machine.gpu else ""
    commit_id = (commit.id or UNKNOWN)[:12] + (", with changes" if commit.dirty else "")
    numbers = ((options.replicates, "replicate"), (options.blocks, "block"))
    often = " of ".join(count(number, word) for number, word in numbers if number)
    when = f"; {began(run.run_id)}"
    if len(run.rounds) > 1:
        often, when = _rounds(run), ""
    seed = (
        f", seed {options.seed}" if options.benchmarks else ""
    )  # unknown where only rows are known
    products = metadata.matmul_precision
    products = (
        "float32, the precision of its products is unknown" if products == UNKNOWN else products
    )
    dtypes = sorted(set(run.records["dtype"].astype(str)))
    precisions = [products if dtype == "float32" else dtype for dtype in dtypes]
    threads = f"; {count(options.threads, 'thread')}" if options.threads else ""
    return [
        f"{processors.words(machine)}{cores}{memory}{gpu}; {machine.system}",
        versions(run),
        f"{'; '.join(precisions)}{threads}",
        *peak_and_noise(run),
        *card(run),
        f"{often}{seed}{when}; commit {commit_id}; run {run.run_id}",
        about(run),
    ]


def _rounds(run: Run) -> str:
    """Return how many rounds and replicates a run has, when it was measured, and how busy each round was."""
    each, options = run.rounds, run.metadata.run
    first, last = (
        pd.Timestamp(moment, unit="s") for moment in run.turns["started"].agg(["min", "max"])
    )
    replicates = (
        f"{listed([*map(str, each.values())])} replicates of {count(options.blocks, 'block')}"
    )
    waited = ", ".join(map(share, estimates.waited(run)))
    busy = f", in which a process waited for a processor in {waited} of the time" if waited else ""
    return f"{count(len(each), 'round')} of {replicates}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC{busy}"


def about(run: Run) -> str:
    """Return what an interval holds: another round, or where nothing is known of rounds there, only this one."""
    known = estimates.lasting(run)
    if len(run.rounds) > 1:
        return "95 % intervals: one more round on this machine lies within"
    if known is None:
        return "95 % intervals are about this run only: another run can lie outside (--rounds says how far)"
    ratio, time = (f"{100 * sd:.1f} %" for sd in (known.ratio, known.time))
    return (
        "95 % intervals: the mean of other rounds on such a processor lies within. Rounds differ by"
        f" {ratio} in ratios, by {time} in times (standard deviations of the {known.rounds} rounds of {known.of})"
    )


def versions(run: Run) -> str:
    """Return the versions of what its LSTMs ran with, such as `jax 0.10.2, torch 2.13.0, Python 3.11.7`."""
    lstms = run.records[~run.records["track"].isin(LIMITS)]
    ran = lstms.loc[lstms["status"] == "ok", "versions"]
    known = ran if len(ran) else lstms["versions"]  # what did not run may lack its packages here
    found = sorted({version for line in set(known.astype(str)) for version in line.split(", ")})
    return f"{', '.join(found)}, Python {run.metadata.versions.get('python') or UNKNOWN}"


def torch_and_jax(run: Run) -> str:
    """Return the versions of the two that a run is known by, as far as it had them."""
    known = run.metadata.versions
    return ", ".join(f"{name} {known[name]}" for name in ("torch", "jax") if known.get(name))


def peak_and_noise(run: Run) -> list[str]:
    """Return a line on the peak and on how far replicates are apart, if known."""
    said = list(peak.reached(run))
    noise = estimates.noise(run)
    if noise.words:
        said.append(f"noise: {noise.words} (the median standard deviations)")
    if noise.warning:
        said.append(noise.warning)
    return ["; ".join(said)] if said else []


def card(run: Run) -> list[str]:
    """Return a line on the GPU's clock, and one on turns in which it held itself back, or somebody else used it."""
    lines = []
    said = []
    megahertz = run.turns["gpu_hertz"].dropna() / 1e6
    if not megahertz.empty:
        lines.append(f"the GPU's clock was {megahertz.min():.0f} to {megahertz.max():.0f} MHz")
    throttled, others = (
        run.turns[name].fillna(0).astype(int) for name in ("gpu_throttled", "gpu_others")
    )
    if (held := throttled > 0).any():
        reasons = functools.reduce(operator.or_, set(throttled))
        said.append(
            f"THE GPU HELD ITSELF BACK in {held.sum()} of {len(held)} turns ({cards.words(reasons)})"
        )
    if (shared := others > 0).any():
        said.append(f"OTHERS USED THE GPU in {shared.sum()} of {len(shared)} turns")
    if said:
        lines.append("; ".join([*said, "measure again before you believe these times"]))
    return lines

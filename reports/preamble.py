"""The lines above a run's tables, which say how it was measured, and those below, which say what the columns mean."""

from __future__ import annotations

import math

from benchmarks.metadata import UNKNOWN, Metadata
from benchmarks.words import count
from reports import estimates
from reports.frames import Run
from reports.verdict import ALPHA

UNSTEADY = 0.2
"""From this noise on the preamble warns that the machine was busy."""


def preamble(run: Run) -> list[str]:
    """Return a few lines: the machine, the versions, the precision, the noise and the number of replicates."""
    metadata, options = run.metadata, run.metadata.run
    machine, commit = metadata.machine, metadata.commit
    cores = f", {count(machine.cores, 'core')}" if machine.cores else ""
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB" if machine.memory_bytes else ""
    gpu = f", {machine.gpu}" if machine.gpu else ""
    versions = sorted({version for line in set(run.records["versions"].astype(str)) for version in line.split(", ")})
    commit_id = (commit.id or UNKNOWN)[:12] + (", with changes" if commit.dirty else "")
    numbers = ((options.replicates, "replicate"), (options.blocks, "block"))
    often = " of ".join(count(number, word) for number, word in numbers if number is not None)
    seed = f", seed {options.seed}" if options.seed is not None else ""
    threads = f"; {count(options.threads, 'thread')}" if options.threads else ""
    return [
        f"{machine.cpu}{cores}{memory}{gpu}; {machine.system}",
        f"{', '.join(versions)}, Python {metadata.versions.get('python') or UNKNOWN}",
        f"{'; '.join(precision(dtype, metadata) for dtype in dtypes(run))}{threads}",
        *peak_and_noise(run),
        f"{often}{seed}; commit {commit_id}; run {run.run_id}",
    ]


def dtypes(run: Run) -> list[str]:
    """Return the dtypes of a run's problems."""
    return sorted(set(run.records["dtype"].astype(str)))


def precision(dtype: str, metadata: Metadata) -> str:
    """Return in what precision products of a dtype are computed; float64 has only one."""
    if dtype == "float32":
        known = metadata.matmul_precision != UNKNOWN
        return metadata.matmul_precision if known else "float32, the precision of its products is unknown"
    return dtype


def peak_and_noise(run: Run) -> list[str]:
    """Return a line on the peak of a matrix product and on how far replicates of an arm are apart, if known."""
    peaks, libraries = run.metadata.matmul_flops_per_second or {}, run.metadata.peak_library or {}
    said = []
    for dtype, peak in sorted(peaks.items()):
        library = f" ({libraries[dtype]})" if dtype in libraries else ""
        said.append(f"a large {dtype} matrix product reached {peak / 1e9:.0f} GFLOP/s{library}")
    if run.metadata.floor_libraries:
        said.append(f"the floor is by {', '.join(sorted(set(run.metadata.floor_libraries.values())))}")
    spread = estimates.noise(run.records)
    if not math.isnan(spread):
        said.append(f"noise: replicates of an arm differ by {100 * spread:.1f} % (the median arm's standard deviation)")
        if spread > UNSTEADY:
            said.append("THE MACHINE WAS BUSY OR UNSTEADY: measure again before you believe these times")
    return ["; ".join(said)] if said else []


def notes(baseline: str) -> list[str]:
    """Return what the columns mean, a line for each."""
    return [
        (
            f"verdict: faster or slower than {baseline} only if it survives Holm's correction for all comparisons of"
            f" the run, at {100 * ALPHA:g} %. Otherwise: unclear."
        ),
        "An interval of 95 % is that of one comparison alone. Even one that excludes 1 can be unclear.",
        "More --replicates and --blocks on a quiet machine can make it clear. With one replicate all is unclear.",
        "fastest in its track: yes if all others of the track are slower. unclear if it may be the fastest.",
        (
            "× floor: its time divided by the floor's. The floor is only the matrix products that every LSTM of that"
            " problem needs, not an LSTM. A library with faster products can beat it."
        ),
        "% of peak: the operations of those products per second, as a share of what one large product reached.",
        "error: the largest difference from a float64 reference, of any output or gradient.",
        "first call: cold, with an empty compile cache. cores: CPU seconds per second.",
        "memory: peak resident memory, above what the process held before the benchmark was opened.",
    ]

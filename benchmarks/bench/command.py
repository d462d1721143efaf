"""python -m benchmarks bench: check every implementation, time those that agree, and write tables to a folder."""

import subprocess
import sys

import click

from benchmarks import duration, json_files, out_folder
from benchmarks.bench.results_json import pytest_benchmark_json
from benchmarks.bench.run import measure, seconds_left
from benchmarks.bench.run_options import RunOptions, resolved, resumed
from benchmarks.cases import PRESETS, Preset
from benchmarks.options import command
from benchmarks.record import harmless
from benchmarks.words import count
from impls.core import command_line
from impls.core.command_line import describe, examples


def preset_line(name: str, preset: Preset) -> str:
    """Return a line of the help on a preset."""
    sizes = f"{count(len(preset.problems), 'shape')}, {count(len(preset.pairs), 'mode')}"
    names = ", ".join(preset.implementations[:2]) or "every LSTM here"
    more = ", …" if len(preset.implementations) > 2 else ""
    return f"  {name:17} {sizes}, {preset.replicates} replicates; {names}{more}"


PRESET_LINES = "\n".join(preset_line(name, preset) for name, preset in PRESETS.items())


@command(
    RunOptions,
    epilog=examples(
        "benchmarks bench --problem t100-b32-i64-h256",
        "benchmarks bench --impl torch_lstm --impl jax_scan --scan hidden=16..512 --scan batch=1,16",
        "benchmarks bench --impl torch_lstm --impl path/to/mine.py",
        more=f"\n\b\nPresets:\n{PRESET_LINES}",
    ),
    defaults=dict.fromkeys(("implementations", "problems", "workloads", "modes"), "the preset's"),
)
def bench(options: RunOptions) -> int:
    """Check every LSTM, then time those that agree."""
    options, folder = resumed(options) if options.resume else resolved(options)
    near = command_line.near(folder)
    resume = command_line.again("benchmarks", "bench", "--resume", near)
    report = ["reports", "report", near]
    command_line.heed_signals()
    out_folder.claim(folder / "run.json")
    command_line.say(duration.words(options, seconds_left(options, folder)), err=True)
    try:
        run = measure(options, folder)
        records = run.records
        json_files.write(folder / "results.json", pytest_benchmark_json(run))
        if all(record.status != "ok" for record in records):
            reasons = sorted({f"{record.status}: {record.reason}" for record in records})
            command_line.say(f"nothing was timed ({'; '.join(reasons[:3])})", err=True)
        # in a process of its own: an error in the report cannot lose the measurement. Its last lines are the answer
        reported = subprocess.run([sys.executable, "-m", *report], check=False).returncode
    except KeyboardInterrupt:
        command_line.say(f"interrupted; continue with: {resume}", err=True)
        return command_line.INTERRUPTED
    except OSError as error:  # such as a full disk
        raise click.UsageError(
            f"{describe(error)}; when that is fixed, continue with: {resume}"
        ) from None
    if reported != 0:
        command_line.say(f"no report could be made; where it can: {command_line.again(*report)}")
    if reported not in (0, command_line.NOT_INSTALLED):
        return 1
    statuses = harmless(run.described.machine.gpu)
    return 0 if all(record.status in statuses for record in records) else 1

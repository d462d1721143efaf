"""python -m benchmarks gpu-check: does the suite measure correctly on this GPU?"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from benchmarks import choices
from benchmarks.gpu_check.setting import (
    FAILED,
    FILE,
    NOT_REACHED,
    PASSED,
    Check,
    Line,
    Missed,
    OutOfTime,
    Setting,
    Step,
    Unreached,
)
from benchmarks.gpu_check.steps import STEPS
from benchmarks.machine import gpu_model
from benchmarks.options import Finite
from benchmarks.scratch import scratch
from benchmarks.worker import devices
from impls.core import command_line, registry
from impls.core.files import write_text
from impls.core.registry import Implementation
from impls.core.text import json_text

SIMULATED_CARD = "simulated, no driver"
LIMIT_SECONDS = 530.0
"""The time of all steps: less than 9 minutes."""


def lines(steps: Sequence[Step], setting: Setting, clock: Callable[[], float] = time.monotonic) -> Iterator[Line]:
    """Take one step after the other, and yield its line. The first step must pass, or no other is reached.

    Args:
        steps: the steps.
        setting: with what. What would not end before its deadline is not begun.
        clock: tells the time in seconds.
    """
    blocked = ""
    for number, step in enumerate(steps):
        start = clock()
        left = setting.deadline - start
        if blocked:
            result, said = NOT_REACHED, blocked
        elif step.seconds > left:
            result, said = NOT_REACHED, f"only {max(0.0, left):.0f} s were left"
        else:
            try:
                result, said = PASSED, step.run(setting)
            except Missed as missed:
                result, said = FAILED, str(missed)
            except Unreached as why:
                result, said = NOT_REACHED, str(why)
            except OutOfTime:
                result, said = NOT_REACHED, "the time is up"
            except Exception as error:  # the other steps still say something
                result, said = FAILED, f"{type(error).__name__}: {error}"
            if number == 0 and result != PASSED:
                blocked = f"not: {step.name}"
        yield Line(step.name, result, said, round(clock() - start, 1))


def time_is_up(*_: object) -> NoReturn:
    """End the step that runs."""
    raise OutOfTime


def usable_there(device: str) -> list[Implementation]:
    """Return every LSTM of this tree that has the device and needs no environment of its own."""
    every = registry.catalogue().values()
    return [one for one in every if one.is_lstm and not one.requires and device in one.devices]


@click.command("gpu-check")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="An empty folder for at most 8 files."
)
@choices.impl_option
@click.option("--limit", type=Finite(min=1), default=LIMIT_SECONDS, show_default=True, help="Seconds in all.")
@click.option("--simulated", is_flag=True, hidden=True, help="Without a GPU: a check of this check.")
def gpu_check(out: Path, impls: tuple[str, ...], limit: float, simulated: bool) -> int:
    """Check on a GPU that the suite sees it, waits for it, refuses what is wrong on it, and measures what is known.

    Each step is a line: passed, failed or not reached. Exit code 0 where all have passed, 1 where one has failed, 3
    where none has failed and some were not reached. Without --impl: every LSTM that a GPU can run without an
    environment of its own.
    """
    device = "cpu" if simulated else "cuda"
    try:
        named = choices.implementations(impls, floor=False) if impls else usable_there(device)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    choices.usable_out(out)
    choices.heed_signals()
    if simulated:
        os.environ[devices.SIMULATED] = "1"  # workers inherit it
    card = SIMULATED_CARD if simulated else gpu_model()
    date, done = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), list[Line]()
    with scratch() as folder:
        setting = Setting(device, card, named, choices.choose_cores(None), folder, out)
        setting = dataclasses.replace(setting, deadline=time.monotonic() + limit)
        if simulated:  # on a busy CPU, and quick
            few = ("--replicates", "1", "--blocks", "1", "--no-floor")
            setting = dataclasses.replace(setting, share=1.0, within=0.5, arguments=few)
        signal.signal(signal.SIGALRM, time_is_up)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            for line in lines(STEPS, setting):
                command_line.say(f"{line.result}: {line.step} ({line.seconds:g} s): {line.said}")
                done.append(line)
                write_text(out / FILE, json_text(Check(date, card, simulated, tuple(done))))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    results = [line.result for line in done]
    counts = ", ".join(f"{results.count(result)} {result}" for result in (PASSED, FAILED, NOT_REACHED))
    command_line.say(f"{counts}; everything is in {out}")
    return 1 if FAILED in results else 3 if NOT_REACHED in results else 0

"""python -m benchmarks calibrate: the gate, measured on itself."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import machine
from benchmarks.calibration import pool
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.pool import BASE, TWIN, Pool, name_of
from benchmarks.calibration.report import KINDS, SHARES, Real, report
from benchmarks.cases import Benchmark
from benchmarks.measurement.arm import Limits
from benchmarks.measurement.blocks import Load
from benchmarks.options import choose_cores, heed_signals, memory_bytes
from benchmarks.progress import CALIBRATION, progress
from benchmarks.record import new_run_id
from benchmarks.regression import decision
from benchmarks.regression.command import TURN_SECONDS
from benchmarks.regression.measure import Measurement, Settings
from benchmarks.regression.outcome import Steps, judge
from benchmarks.regression.snapshots import Side, Version, of_working_tree, with_planted
from benchmarks.scratch import scratch
from impls.core import contract
from impls.core.files import write_text

ROOT = Path(__file__).resolve().parent.parent.parent
POOLED = ("torch_cell", "torch_lstm", "jax_scan_vjp")
PROBLEM = "t64-b16-i128-h128"
MODES = ("forward", "train_step")
REAL_MODE = "train_step"


def versions(root: Path, names: Sequence[str]) -> dict[str, Version]:
    """These implementations as a snapshot has them."""
    found = contract.catalogue(root / "impls")
    return {name: Version(found[name], root) for name in names}


def settings(threads: int, seed: int) -> Settings:
    """As the gate's own."""
    return Settings(
        run_id=new_run_id(),
        device="cpu",
        limits=Limits(choose_cores(threads), 120.0, memory_bytes(None)),
        load=Load(seed),
        turn_seconds=TURN_SECONDS,
    )


def collect(folder: Path, replicates: int, shares: Sequence[float], threads: int, advance: Any) -> None:
    """Add replicates to a pool: base, its twin, and every slowdown, alive together and measured in the same blocks."""
    root = of_working_tree(ROOT / "impls", "impls")
    roots = {BASE: root, TWIN: root} | {name_of(one): with_planted(root, POOLED, one) for one in shares}
    sides = [Side(label, versions(place, POOLED)) for label, place in roots.items()]
    benchmarks = [Benchmark.parse(f"{PROBLEM}/sequence/{mode}") for mode in MODES]
    folder.mkdir(parents=True, exist_ok=True)
    with scratch() as place:
        measurement = Measurement(sides, benchmarks, settings(threads, secrets.randbits(31)), place, advance)
        measurement.pass_gate()
        for number in range(replicates):
            advance(f"collecting, replicate {number + 1} of {replicates}", number, replicates)
            wanted = dict.fromkeys(POOLED, benchmarks)
            pool.save(folder, measurement.replicate("pool", number, wanted, Steps.confirm_blocks))
        refused = [(side, key, one.reason) for (side, key), one in measurement.admissions.items() if one.status != "ok"]
        failed = refused + [(side, key, one.reason) for (side, key), one in measurement.failures.items()]
    if failed:
        side, key, reason = failed[0]
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


def real(kind: str, threads: int, advance: Any) -> Real:
    """One gate from end to end on three benchmarks: of the same code, or with 5 % planted in one of them."""
    start = time.perf_counter()
    rng = random.Random()
    root = of_working_tree(ROOT / "impls", "impls")
    planted = rng.choice(POOLED) if kind == "+5%" else ""
    head = with_planted(root, [planted], 0.05) if planted else root
    sides = Side("base", versions(root, POOLED)), Side("head", versions(head, POOLED))
    benchmarks = [Benchmark.parse(f"{PROBLEM}/sequence/{REAL_MODE}")]
    mine = settings(threads, rng.randrange(2**31))
    with scratch() as place, ExitStack() as stack:
        if kind == "same, with a hog":
            stack.enter_context(hogging(mine.limits.cores[-1]))
        result = judge(Measurement(sides, benchmarks, mine, place, advance), decision.rules(0.02), Steps())
    seconds = time.perf_counter() - start
    return Real(
        kind, planted, result.exit_code(strict=False), result.regressions, seconds, f"{datetime.now(UTC):%Y-%m-%d}"
    )


@click.command()
@click.option("--replicates", type=click.IntRange(min=0), default=20, show_default=True, help="To add to the pool.")
@click.option("--twins-only", is_flag=True, help="Add replicates of base and twin only: cheaper, for false alarms.")
@click.option("--runs", type=click.IntRange(min=0), default=1, show_default=True, help="Real gates of each kind.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Of the real gates. Repeatable.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/calibration]")
def calibrate(
    replicates: int, twins_only: bool, runs: int, kinds: tuple[str, ...], threads: int, out: Path | None
) -> int:
    """Measure the regression gate on this machine: how often it cries wolf, and what it finds.

    DIR keeps what was measured; another calibration with the same DIR adds to it.
    """
    folder = out or ROOT / "runs" / "calibration"
    place = folder / "pool"
    heed_signals()
    with progress(CALIBRATION) as advance:
        if replicates:
            collect(place, replicates, () if twins_only else SHARES, threads, advance)
        gates = folder / "gates"
        for kind in (kinds or KINDS) if runs else ():
            for _ in range(runs):
                one = real(kind, threads, advance)
                gates.mkdir(parents=True, exist_ok=True)
                write_text(gates / f"{time.strftime('%Y%m%dT%H%M%S')}.json", json.dumps(asdict(one), indent=1) + "\n")
    reals = [Real(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted((folder / "gates").glob("*.json"))]
    described = machine.describe()
    text = report(Pool.load(place), reals, described, threads)
    write_text(folder / "calibration.md", text)
    Console().print(Markdown(text))
    click.echo(f"everything is in {folder}")
    return 0

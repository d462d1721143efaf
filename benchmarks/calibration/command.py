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

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import machine, options
from benchmarks.calibration import pool
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.injection import slowed_by
from benchmarks.calibration.pool import BASE, TWIN, Pool, name_of
from benchmarks.calibration.report import KINDS, SHARES, RealGate, report
from benchmarks.measurement.configuration import Configuration
from benchmarks.measurement.session import Advance, Session
from benchmarks.measurement.sides import Side, Version
from benchmarks.progress import CALIBRATION, progress
from benchmarks.record import new_run_id
from benchmarks.regression import decision, snapshots
from benchmarks.regression.command import TURN_SECONDS
from benchmarks.regression.outcome import Steps, measure_and_decide
from benchmarks.scratch import scratch
from impls.core import registry
from impls.core.files import write_text

ROOT = Path(__file__).resolve().parent.parent.parent
POOLED = ("torch_cell", "torch_lstm", "jax_scan_vjp")
PROBLEM = "t64-b16-i128-h128"
MODES = ("forward", "train_step")
REAL_MODE = "train_step"


def working_tree() -> Path:
    """A snapshot of impls/ as it is now."""
    return snapshots.of_working_tree(ROOT / "impls", "impls")


def versions(root: Path, names: Sequence[str]) -> dict[str, Version]:
    """These implementations as a snapshot has them."""
    implementations = registry.catalogue(root / "impls")
    return {name: Version(implementations[name], root) for name in names}


def slowed(root: Path, names: Sequence[str], share: float) -> Path:
    """A snapshot like this one, in which these implementations do `share` more work."""
    return snapshots.changed(root, dict.fromkeys(names, slowed_by(share)))


def configure(benchmarks: Sequence[str], threads: int, seed: int) -> Configuration:
    """What decides how a calibration measures: as the gate does by default."""
    return Configuration(
        run_id=new_run_id(),
        benchmarks=tuple(benchmarks),
        device="cpu",
        threads=threads,
        turn_seconds=TURN_SECONDS,
        seed=seed,
        weights=None,
        call_seconds=120.0,
        memory_bytes=options.memory_bytes(None),
    )


def collect(folder: Path, replicates: int, shares: Sequence[float], threads: int, advance: Advance) -> None:
    """Add replicates to a pool: base, its twin, and every slowdown, alive together and measured in the same blocks."""
    root = working_tree()
    roots = {BASE: root, TWIN: root} | {name_of(share): slowed(root, POOLED, share) for share in shares}
    sides = [Side(label, versions(place, POOLED)) for label, place in roots.items()]
    configuration = configure([f"{PROBLEM}/sequence/{mode}" for mode in MODES], threads, secrets.randbits(31))
    folder.mkdir(parents=True, exist_ok=True)
    with scratch() as place:
        order_seed = secrets.randbits(32)
        session = Session(configuration, sides, options.choose_cores(threads), place, advance, order_seed)
        try:
            session.admit()
            refused = {key: one.reason for key, one in session.admissions.items() if one.status != "ok"}
            session.close()
            for number in range(replicates):
                records = session.replicate(
                    number, Steps.confirm_blocks, phase="pool", what="collecting, replicate", of_all=replicates
                )
                pool.save(folder, records)
        finally:
            session.close()
        failed = refused | {key: failure.reason for key, failure in session.failures.items()}
    for (side, *key), reason in failed.items():
        raise click.ClickException(f"{' '.join(key)}, as {side}: {reason}")


def real_gate(kind: str, threads: int, advance: Advance) -> RealGate:
    """One gate from end to end on three benchmarks: of the same code, or with 5 % more work in one of them."""
    start = time.perf_counter()
    rng = random.Random()
    root = working_tree()
    target = rng.choice(POOLED) if kind == "+5%" else ""
    head = slowed(root, [target], 0.05) if target else root
    sides = Side("base", versions(root, POOLED)), Side("head", versions(head, POOLED))
    configuration = configure([f"{PROBLEM}/sequence/{REAL_MODE}"], threads, rng.randrange(2**31))
    cores = options.choose_cores(threads)
    with scratch() as place, ExitStack() as stack:
        if kind == "same, with a hog":
            stack.enter_context(hogging(cores[-1]))
        session = Session(configuration, sides, cores, place, advance, secrets.randbits(32))
        stack.callback(session.close)
        result = measure_and_decide(session, decision.rules(0.02), Steps())
    seconds = time.perf_counter() - start
    return RealGate(
        kind, target, result.exit_code(strict=False), result.regressions, seconds, f"{datetime.now(UTC):%Y-%m-%d}"
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
    """Measure the regression gate on this machine: its false alarms, and which slowdowns it finds.

    DIR keeps what was measured; another calibration with the same DIR adds to it.
    """
    folder = out or ROOT / "runs" / "calibration"
    place = folder / "pool"
    options.heed_signals()
    with progress(CALIBRATION) as advance:
        if replicates:
            collect(place, replicates, () if twins_only else SHARES, threads, advance)
        gates = folder / "gates"
        for kind in (kinds or KINDS) if runs else ():
            for _ in range(runs):
                gate = real_gate(kind, threads, advance)
                gates.mkdir(parents=True, exist_ok=True)
                write_text(gates / f"{time.strftime('%Y%m%dT%H%M%S')}.json", json.dumps(asdict(gate), indent=1) + "\n")
    ended = [RealGate(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(gates.glob("*.json"))]
    text = report(Pool.load(place), ended, machine.machine(), threads)
    write_text(folder / "calibration.md", text)
    Console().print(Markdown(text))
    click.echo(f"everything is in {folder}")
    return 0

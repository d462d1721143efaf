"""The steps that use the suite as a run does: agreement, refusals, stopping, twins, and all arms timed."""

from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks import ROOT, choices
from benchmarks.calibration.injection import inject
from benchmarks.cases import Benchmark
from benchmarks.correctness.matrix import Matrix
from benchmarks.gpu_check.setting import Missed, Setting, Unreached
from benchmarks.options import Options
from benchmarks.record import HARMLESS, Record, new_run_id, read_records
from benchmarks.regression.log_ratios import log_ratio
from benchmarks.runner.arm import Arm, ArmFailed
from benchmarks.runner.home import Limits
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, make_arm, version_of
from benchmarks.worker import agreement, requests
from benchmarks.worker.devices import LEAST_TURN
from impls.core import registry
from impls.core.problem import Problem
from impls.core.text import one_line

PROBLEMS = (
    "t1-b1-i1-h1",
    "t13-b7-i17-h11",
    "t9-b3-i5-h7-l2",
    "t6-b2-i3-h4-bi",
    "t7-b4-i3-h6-var",
    "t64-b16-i128-h128",
)
"""Those that agreement is checked on."""
DTYPES = ("float32", "float64")
TIMED = ("t64-b16-i128-h128", "t64-b1-i128-h128")
MODES = ("forward", "train_step")
SEED = 0
REPLICATES, BLOCKS = 3, 8
"""Of the twins' step."""
CALL_SECONDS = 60.0
TRIES = 3
"""How often the turn after a stop is looked at: what disturbs the machine makes one longer, and not all."""
TIMED_SECONDS = 240.0
"""The seconds in which all arms must be timed."""
NEEDED_SECONDS = 100.0
"""With fewer seconds left, that is not begun."""


def configuration(setting: Setting, benchmarks: Sequence[str]) -> Options:
    """Return what decides how a session of a step measures."""
    return Options(
        run_id=new_run_id(),
        benchmarks=tuple(benchmarks),
        device=setting.device,
        threads=len(setting.cores),
        turn_seconds=LEAST_TURN["cuda"],
        seed=SEED,
        weights=None,
        call_seconds=CALL_SECONDS,
        memory_bytes=choices.memory_bytes(None),
    )


def agrees(dtype: str, setting: Setting) -> str:
    """Do all implementations agree with the reference on six problems, and on extreme numbers?

    Both dtypes are compared at once, by as many workers as there are processors.
    """
    if "matrix" not in setting.kept:
        matrix = Matrix(
            [version_of(implementation) for implementation in setting.implementations],
            [Problem.parse(text) for text in PROBLEMS],
            DTYPES,
            ("sequence",),
            setting.device,
            CALL_SECONDS,
        )
        folder = setting.folder / "agreement"
        folder.mkdir()
        matrix.fill(folder, lambda *_: None)
        setting.kept["matrix"] = matrix
    cells = {key: cell for key, cell in setting.kept["matrix"].cells.items() if key[1] == dtype}
    bad = [key for key, cell in cells.items() if cell.status not in HARMLESS]
    counts = Counter(cell.status for cell in cells.values())
    if bad or not counts["ok"]:
        first = f"{', '.join(bad[0])}: {cells[bad[0]].status}, {cells[bad[0]].reason}" if bad else "none is ok"
        raise Missed(one_line(f"{len(bad)} of {len(cells)} cells do not; {first}"))
    return ", ".join(f"{number} {status}" for status, number in counts.items())


def refused(name: str, status: str, word: str, setting: Setting, survivor: bool = False) -> str:
    """Is a planted file refused, and for the right reason?

    Args:
        name: of the file.
        status: that its row must have.
        word: that its reason must have.
        setting: with what.
        survivor: whether it must be admitted at another problem.
    """
    benchmarks = [f"{problem}/sequence/forward" for problem in (TIMED[1], TIMED[0])]
    version = version_of(registry.read(setting.planted / f"{name}.py"))
    folder = setting.folder / name
    folder.mkdir()
    session = Session(
        configuration(setting, benchmarks if survivor else benchmarks[:1]),
        [Side("planted", {name: version})],
        setting.cores,
        folder,
        lambda *_: None,
    )
    try:
        found = session.admit()
    finally:
        session.close()
    first = found[0]
    if first.status == "ok":
        raise Missed("it was not refused")
    if first.status != status or word not in first.reason:
        raise Missed(one_line(f"refused for another reason: {first.status}, {first.reason}"))
    if survivor and found[1].status != "ok":
        raise Missed(one_line(f"its other row was lost: {found[1].status}, {found[1].reason}"))
    return one_line(f"{first.status}: {first.reason}", 120)


def stops(setting: Setting) -> str:
    """Is a worker stopped only when its device is done, so that the next arm's times are its own?"""
    benchmark = Benchmark.parse(f"{TIMED[0]}/sequence/forward")
    opening = requests.Open(benchmark.id, SEED, None, agreement.draw_seed())
    limits = Limits(setting.cores, CALL_SECONDS, choices.memory_bytes(None))
    paths = (setting.planted / "queued.py", registry.resolve("torch_cell").path)
    folder = setting.folder / "stops"
    folder.mkdir()
    busy, next_arm = arms = [
        make_arm(version_of(registry.read(path)), setting.device, limits, "float32", folder) for path in paths
    ]

    def turn(arm: Arm, samples: int) -> float:
        return arm.ask(requests.TakeTurn(benchmark.id, samples, 1, read=False)).turn.seconds

    try:
        for arm in arms:
            arm.ensure_running()
            arm.ask(opening)
        alone = min(turn(next_arm, 20) for _ in range(3))
        waits, turns = [], []
        for _ in range(TRIES):
            start = time.perf_counter()
            turn(busy, 1)  # two calls, each of which leaves a second of work
            waits.append(time.perf_counter() - start)
            turns.append(turn(next_arm, 20))
    except ArmFailed as failure:
        raise Missed(str(failure)) from None
    finally:
        for arm in arms:
            arm.kill()
    waited, longer = min(waits), min(turns) / alone
    said = f"stopped after {waited:.1f} s; the next turn took {longer:.2f} times as long as alone"
    if waited < 1.5 or longer > 1.5:
        raise Missed(said)
    return said


def twins(setting: Setting) -> str:
    """Does a copy measure as equal, and a copy that is slower by a known share as that much slower?"""
    folder, name = setting.folder / "twins", "twin"
    source = registry.resolve("torch_cell").path.read_text(encoding="utf-8")
    sides = []
    for label, text in (("base", source), ("copy", source), ("slow", inject(source, setting.share))):
        place = folder / "sides" / label
        place.mkdir(parents=True)
        (place / f"{name}.py").write_text(text, encoding="utf-8")
        sides.append(Side(label, {name: version_of(registry.read(place / f"{name}.py"))}))
    benchmark = f"{TIMED[0]}/sequence/forward"
    session = Session(configuration(setting, [benchmark]), sides, setting.cores, folder, lambda *_: None)
    try:
        bad = [one.reason for one in session.admit() if one.status != "ok"]
        rows = [] if bad else [row for k in range(REPLICATES) for row in session.replicate(k, BLOCKS)]
    finally:
        session.close()
    bad += [row.reason or row.status for row in rows if row.status != "ok"]
    if bad:
        raise Missed(one_line(bad[0]))
    off, slower = (_ratio(rows, label) - 1 for label in ("copy", "slow"))
    said = f"copy {100 * off:+.2f} %, the slowed one {100 * slower:+.2f} % (injected {100 * setting.share:+g} %)"
    clocks = [turn.gpu_hertz for row in rows for turn in row.turns or () if turn.gpu_hertz]
    said += f"; clock {min(clocks) / 1e6:.0f} to {max(clocks) / 1e6:.0f} MHz" if clocks else "; the clock is not known"
    if abs(off) > setting.within or abs(slower - setting.share) > setting.within:
        raise Missed(said)
    return said


def _ratio(rows: Sequence[Record], label: str) -> float:
    """Return the ratio of a side's time to base's, over all replicates."""
    of = {(row.side, row.replicate): row.turns or [] for row in rows}
    logs = [log_ratio(of["base", k], of[label, k]) for k in range(REPLICATES)]
    return math.exp(statistics.fmean(logs))


def times(setting: Setting) -> str:
    """Time all arms, and keep the raw files of that run."""
    place = setting.folder / "run"
    command = [sys.executable, "-m", "benchmarks", "run", "--device", setting.device, "--out", str(place)]
    for option, values in (
        ("--impl", [str(implementation.path) for implementation in setting.implementations]),
        ("--problem", TIMED),
        ("--workload", ("sequence",)),
        ("--mode", MODES),
    ):
        command += [part for value in values for part in (option, value)]
    command += setting.arguments
    seconds = setting.left(TIMED_SECONDS)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        raise Unreached(f"not done within {seconds:.0f} s") from None
    kept = [name for name in ("results.parquet", "results.json", "environment.json") if (place / name).exists()]
    for name in kept:
        shutil.copyfile(place / name, setting.out / name)
    if len(kept) < 3:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["nothing said"]
        raise Missed(one_line(f"exit code {done.returncode}: {lines[-1]}"))
    records = read_records(place / "results.parquet")
    counts = Counter(record.status for record in records)
    said = ", ".join(f"{number} rows {status}" for status, number in counts.items())
    bad = [record for record in records if record.status not in ("ok", "unsupported")]
    if bad or not counts["ok"]:
        first = (
            f"{bad[0].implementation}, {bad[0].benchmark}: {bad[0].status}, {bad[0].reason}" if bad else "none is ok"
        )
        raise Missed(one_line(f"{said}; {first}"))
    return f"{said}; python -m reports build {setting.out} shows them"

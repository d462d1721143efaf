"""Does the suite measure correctly on this GPU: refusals, stopping, equal and slower copies, agreement, all arms?"""

from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter

import pytest

from benchmarks import ROOT
from benchmarks.calibration.injection import inject
from benchmarks.cases import Benchmark
from benchmarks.options import Options
from benchmarks.record import harmless, read_records
from benchmarks.regression.log_ratios import Measured, compare
from benchmarks.runner.arm import Arm
from benchmarks.runner.session import Session
from benchmarks.runner.sides import Side, version_of
from benchmarks.worker import requests
from benchmarks.worker.devices import LEAST_TURN
from benchmarks.worker.timing import Plan
from impls.core import registry
from impls.core.weights import draw_seed
from tests.gpu.faults import plant
from tests.helpers.processes import impls

pytestmark = pytest.mark.gpu
PROBLEMS = ("t1-b1-i1-h1", "t13-b7-i17-h11", "t9-b3-i5-h7-l2", "t6-b2-i3-h4-bi", "t7-b4-i3-h6-var", "t64-b16-i128-h128")
"""Those that agreement is checked on."""
TIMED = ("t64-b16-i128-h128", "t64-b1-i128-h128")
FORWARD = [f"{problem}/sequence/forward" for problem in TIMED]
REPLICATES, BLOCKS = 3, 8

CALL_SECONDS = 300


def options(setting, *benchmarks):
    """What decides how a session measures."""
    return Options(
        benchmarks=benchmarks, device=setting.device, threads=len(setting.cores), turn_seconds=LEAST_TURN["cuda"],
        call_seconds=CALL_SECONDS,
    )  # fmt: skip


def admitted(setting, fault, *benchmarks):
    """The admissions of a planted file."""
    side = Side("planted", {fault: version_of(plant(setting.folder, fault))})
    with Session(options(setting, *benchmarks), [side], setting.cores, setting.folder, lambda *_: None) as session:
        session.admit()
        return list(session.admissions.values())


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("no_wait", "error", "returns before its"),  # work, or device, is done
        ("side_stream", "error", "returns before its device is done"),
        ("tf32", "disagrees", "tolerance"),
        ("out_of_memory", "out_of_memory", ""),
    ],
)
def test_a_planted_file_is_refused_for_the_right_reason(fault, status, reason, setting, seen):
    (found,) = admitted(setting, fault, FORWARD[1])
    assert found.status != "ok", "it was not refused"
    assert found.status == status, f"refused for another reason: {found.status}, {found.reason}"
    assert reason in found.reason, f"refused for another reason: {found.status}, {found.reason}"
    seen(f"{found.status}: {found.reason}")


def test_an_illegal_access_costs_its_own_row_only(setting, seen):
    lost, other = admitted(setting, "illegal_access", FORWARD[1], FORWARD[0])
    assert lost.status == "error"
    assert "CUDA error" in lost.reason
    assert other.status == "ok", f"its other row was lost: {other.status}, {other.reason}"
    seen(lost.reason)


def test_a_worker_is_stopped_only_when_its_device_is_done(setting, seen):
    """So the next arm's times are its own."""
    files = plant(setting.folder, "queued"), registry.resolve("torch_cell")
    busy, next_arm = (Arm(version_of(one), options(setting), setting.cores, "float32", setting.folder) for one in files)
    benchmark = Benchmark.parse(FORWARD[0])

    def turn(arm, samples):
        return arm.ask(requests.TakeTurn(benchmark.id, Plan(samples, 1))).turn.seconds

    try:
        for arm in (busy, next_arm):
            arm.ensure_running()
            arm.ask(requests.Open(benchmark.id, 0, None, draw_seed()))
        alone = min(turn(next_arm, 20) for _ in range(3))
        waits, turns = [], []
        for _ in range(3):  # what disturbs the machine makes one turn longer, and not all
            start = time.perf_counter()
            turn(busy, 1)  # two calls, each of which leaves a second of work
            waits.append(time.perf_counter() - start)
            turns.append(turn(next_arm, 20))
    finally:
        busy.kill()
        next_arm.kill()
    waited, longer = min(waits), min(turns) / alone
    said = f"stopped after {waited:.1f} s; the next turn took {longer:.2f} times as long as alone"
    assert waited >= 1.5, said
    assert longer <= 1.5, said
    seen(said)


def test_an_equal_copy_measures_as_equal_and_a_slower_one_as_that_much_slower(setting, seen):
    source = registry.resolve("torch_cell").path.read_text(encoding="utf-8")
    sides = []
    for label, text in (("base", source), ("copy", source), ("slow", inject(source, setting.share))):
        file = setting.folder / "sides" / label / "copied.py"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        sides.append(Side(label, {"copied": version_of(registry.read(file))}))
    with Session(options(setting, FORWARD[0]), sides, setting.cores, setting.folder, lambda *_: None) as session:
        session.admit()
        assert [row.reason for row in session.admissions.values() if row.status != "ok"] == []
        rows = [row for k in range(REPLICATES) for row in session.replicate(k, BLOCKS)]
    assert [row.reason for row in rows if row.status != "ok"] == []
    measured = {(row.side, row.replicate): Measured.of(row) for row in rows}

    def change(label):
        logs = [compare("time", measured["base", k], measured[label, k])[0] for k in range(REPLICATES)]
        return math.exp(statistics.fmean(logs)) - 1

    off, slower = change("copy"), change("slow")
    said = f"copy {100 * off:+.2f} %, the slowed one {100 * slower:+.2f} % (injected {100 * setting.share:+g} %)"
    clocks = [turn.gpu_hertz for row in rows for turn in row.turns if turn.gpu_hertz]
    said += f"; clock {min(clocks) / 1e6:.0f} to {max(clocks) / 1e6:.0f} MHz" if clocks else "; the clock is not known"
    assert abs(off) <= setting.within, said
    assert abs(slower - setting.share) <= setting.within, said
    seen(said)


def benchmarks(setting, command, problems, *arguments):
    """The last line of a command on all implementations, and the command's exit code."""
    words = [word for problem in problems for word in ("--problem", problem)]
    words += impls(*(implementation.path for implementation in setting.implementations))
    whole = [sys.executable, "-m", "benchmarks", command, "--device", setting.device, *words, *arguments]
    done = subprocess.run(whole, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode, ((done.stderr + done.stdout).strip().splitlines() or ["nothing said"])[-1]


def test_all_implementations_agree_with_the_reference(setting, seen):
    matrix = setting.out / "agree.md"
    dtypes = ("--dtype", "float32", "--dtype", "float64", "--workload", "sequence")
    code, said = benchmarks(setting, "agree", PROBLEMS, *dtypes, "--timeout", str(CALL_SECONDS), "--out", str(matrix))
    assert code == 0, said
    seen(said)


def test_all_arms_are_timed(setting, seen):
    """And the raw files of that run are kept."""
    folder = setting.folder / "run"
    modes = ("--workload", "sequence", "--mode", "forward", "--mode", "train_step")
    code, said = benchmarks(setting, "bench", TIMED, *modes, *setting.arguments, "--out", str(folder))
    assert (folder / "results.parquet").exists(), f"exit code {code}: {said}"
    for name in ("results.parquet", "results.json", "environment.json"):
        shutil.copyfile(folder / name, setting.out / name)
    records = read_records(folder / "results.parquet")
    bad = [record for record in records if record.status not in harmless(setting.card)]
    assert not bad, f"{bad[0].implementation}, {bad[0].benchmark}: {bad[0].status}, {bad[0].reason}"
    counts = Counter(record.status for record in records)
    assert counts["ok"]
    seen(", ".join(f"{number} rows {status}" for status, number in counts.items()))

"""gpu-check on the simulated device: every step passes once, and every step fails once."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from benchmarks.gpu_check import checks, seen
from benchmarks.gpu_check.command import lines
from benchmarks.gpu_check.probe import FRAMEWORKS, REPEATED, Framework, Probe, traced
from benchmarks.gpu_check.setting import FILE, PLANTED, Check, Missed, OutOfTime, Setting, Step, Unreached
from benchmarks.gpu_check.steps import STEPS
from benchmarks.worker import devices
from benchmarks.worker.protocol import Failed
from impls.core import registry
from tests.helpers.processes import ROOT, impls

FEW = ("torch_lstm", "jax_scan")


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """The simulated device; workers inherit the variable."""
    monkeypatch.setenv(devices.SIMULATED, "1")
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    cores = tuple(sorted(os.sched_getaffinity(0))[-1:])
    few = [registry.resolve(name) for name in FEW]
    return Setting("cpu", "simulated, no driver", few, cores, folder, out, share=1.0, within=0.5)


def step(name):
    return next(step.run for step in STEPS if step.name == name)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(400)
def test_every_step_passes_on_the_simulated_device_and_reports_read_the_folder(tmp_path, python):
    out = tmp_path / "out"
    done = python("benchmarks", "gpu-check", "--simulated", *impls(*FEW), "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    check = msgspec.json.decode((out / FILE).read_text(), type=Check)
    assert [line.step for line in check.lines] == [step.name for step in STEPS]
    assert {line.result for line in check.lines} == {"passed"}
    assert check.simulated
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) <= 8
    assert max(path.stat().st_size for path in files) < 2**24
    reported = python("reports", "build", out)
    assert reported.returncode == 0, reported.stderr
    said = f"gpu-check, tried without a GPU, {check.date[:10]}: {len(STEPS)} passed, 0 failed, 0 not reached"
    assert said in (out / "table.md").read_text()
    assert said in (out / "index.html").read_text()


def test_without_a_card_nothing_is_reached(tmp_path, python):
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a card")
    done = python("benchmarks", "gpu-check", *impls("torch_lstm"), "--out", tmp_path / "out")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not reached: torch sees the GPU" in done.stdout
    assert f"0 passed, 0 failed, {len(STEPS)} not reached" in done.stdout


# each step once failing


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_another_card_than_the_drivers_is_a_failure(setting, framework):
    other = dataclasses.replace(setting, card="NVIDIA H100, 580.1")
    with pytest.raises(Missed, match=r"it sees simulated, the driver sees NVIDIA H100, 580\.1"):
        step(f"{framework} sees the GPU")(other)


@pytest.mark.slow
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_card_that_a_framework_does_not_see_is_a_failure(setting, framework):
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a card")
    real = dataclasses.replace(setting, device="cuda")
    with pytest.raises(Missed, match=r"no CUDA device|sees no CUDA"):
        step(f"{framework} sees the GPU")(real)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("error", "short", "said"), [(3e-4, 3e-4, "off by 3.0e-04: not float32"), (1e-6, 1e-6, "the canary can't tell")]
)
def test_tf32_or_a_blind_canary_is_a_failure(setting, monkeypatch, framework, error, short, said):
    def probed(_, __, tf32=False):
        return Probe("simulated", "ieee", short if tf32 else error, 0.05, 0.0)

    monkeypatch.setattr(seen, "probed", probed)
    with pytest.raises(Missed, match=said):
        step(f"{framework} computes in float32")(setting)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_wait_that_sees_no_work_is_a_failure(setting, monkeypatch, framework):
    monkeypatch.setattr(seen, "probed", lambda *_: Probe("simulated", "ieee", 1e-6, 1e-6, 1e-6))
    with pytest.raises(Missed, match=r"the wait lasted 0\.00 ms with work"):
        step(f"the suite waits for {framework}'s work")(setting)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_trace_must_see_every_product(setting, monkeypatch, framework):
    check = step(f"CUPTI sees {framework}'s work")

    def with_trace(found, wall=0.1):
        probe = Probe("simulated", "ieee", 1e-6, 0.05, 0.0, found, wall)
        monkeypatch.setattr(seen, "probed", lambda *_: probe)

    with_trace((0.09, REPEATED))
    assert check(setting) == f"{REPEATED} kernels in 90 of 100 ms"
    with_trace(None, None)
    assert "not installed" in check(setting)
    for wrong in ((0.0, 0), (0.09, REPEATED - 1), (0.11, REPEATED)):
        with_trace(wrong)
        with pytest.raises(Missed, match="products were submitted"):
            check(setting)
    monkeypatch.setattr(seen, "probed", lambda *_: Probe("simulated", "ieee", 1e-6, 0.05, 0.0, fault="no CUPTI"))
    with pytest.raises(Missed, match="no CUPTI"):
        check(setting)


class Recording:
    """A CUPTI that sees a kernel for each product, of a millisecond."""

    ActivityKind = SimpleNamespace(CONCURRENT_KERNEL=10, MEMCPY=1, MEMSET=2)
    cuptiError = RuntimeError

    def __getattr__(self, name):
        return lambda *_: None

    def activity_register_callbacks(self, requested, completed):
        self.completed = completed

    def activity_flush_all(self, _):
        self.completed([SimpleNamespace(kind=10, start=k * 10**6, end=(k + 1) * 10**6) for k in range(REPEATED)])


def test_a_probe_traces_its_products():
    done = []
    here = Framework("simulated", "ieee", lambda array: array[:2, :2], lambda a, b: done.append(1) or a)
    found, wall = traced(here, devices.Cpu(), np.random.default_rng(0), Recording())
    assert found == (pytest.approx(1e-3 * REPEATED), REPEATED)
    assert wall > 0
    assert len(done) == REPEATED


WRONG = """
from impls import torch_lstm

FRAMEWORK = "torch"
TRACK = "default"
WORKLOADS = ("sequence",)

def prepare(problem, weights, device, workload):
    wrong = {name: 1.1 * value for name, value in weights.items()}
    return torch_lstm.prepare(problem, wrong, device, workload)
"""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_disagreement_is_a_failure(setting, tmp_path, dtype):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    wrong = dataclasses.replace(setting, implementations=[registry.read(path)])
    with pytest.raises(Missed, match="cells do not; wrong"):
        step(f"agreement in {dtype}")(wrong)


HONEST = "from impls.torch_cell import prepare as honest\n\nFRAMEWORK = 'torch'\nTRACK = 'default'\n\n"
HONEST += "def prepare(*arguments):\n    return honest(*arguments)\n"
PLANTS = {
    "no_wait": "refused: it does not wait",
    "side_stream": "refused: it leaves work on another stream",
    "tf32": "refused: TF32",
    "out_of_memory": "named: out of memory",
    "illegal_access": "named: illegal access, and its other row is there",
}


def planted(setting, tmp_path, name, source):
    """The setting, with another file in place of a planted one."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / f"{name}.py").write_text(source)
    return dataclasses.replace(setting, planted=folder)


def test_every_planted_file_is_asked_for():
    assert {path.stem for path in PLANTED.glob("*.py")} == {*PLANTS, "queued"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_file_that_gets_through_is_a_failure(setting, tmp_path, name):
    with pytest.raises(Missed, match="it was not refused"):
        step(PLANTS[name])(planted(setting, tmp_path, name, HONEST))


@pytest.mark.slow
def test_a_refusal_for_another_reason_is_a_failure(setting, tmp_path):
    broken = planted(setting, tmp_path, "tf32", HONEST.replace("return honest(*arguments)", "raise OSError('no')"))
    with pytest.raises(Missed, match="refused for another reason: error, OSError: no"):
        step(PLANTS["tf32"])(broken)


@pytest.mark.slow
def test_a_lost_row_is_a_failure(setting, tmp_path):
    source = "    raise RuntimeError('CUDA error: an illegal memory access was encountered')\n"
    broken = planted(setting, tmp_path, "illegal_access", HONEST.replace("    return honest(*arguments)\n", source))
    with pytest.raises(Missed, match="its other row was lost: error"):
        step(PLANTS["illegal_access"])(broken)


@pytest.mark.slow
def test_a_worker_that_is_stopped_before_its_device_is_done_is_a_failure(setting, tmp_path):
    """As one whose device has nothing to do: it answers too early."""
    with pytest.raises(Missed, match="stopped after 0"):
        step("a worker is stopped when its device is done")(planted(setting, tmp_path, "queued", HONEST))


@pytest.mark.slow
def test_a_slower_copy_that_measures_as_equal_is_a_failure(setting, monkeypatch):
    monkeypatch.setattr(checks, "inject", lambda source, _: source)
    with pytest.raises(Missed, match=r"the slowed one .* % \(injected \+100 %\); the clock is not known"):
        step("twins, and a slower copy")(setting)


@pytest.mark.slow
def test_a_run_that_fails_is_a_failure(setting):
    with pytest.raises(Missed, match="exit code 2: "):
        step("all arms are timed")(dataclasses.replace(setting, arguments=["--replicates", "none"]))


@pytest.mark.slow
def test_a_row_that_fails_is_named(setting, tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    wrong = [*setting.implementations, registry.read(path)]
    few = ("--replicates", "1", "--blocks", "1", "--no-floor")
    with pytest.raises(Missed, match="wrong, t64-b16-i128-h128/sequence/forward: disagrees, "):
        step("all arms are timed")(dataclasses.replace(setting, implementations=wrong, arguments=few))


# the lines


def missed(_):
    raise Missed("seen")


def unreached(_):
    raise Unreached("gone")


def broken(_):
    raise ZeroDivisionError("odd")


def results(functions, limit=100.0):
    """The results of steps that take 10 s each by their clock."""
    now = iter(range(0, 10**6, 5))
    clock = functools.partial(next, now)
    setting = SimpleNamespace(deadline=limit)
    found = lines([Step(str(k), run, 10) for k, run in enumerate(functions)], setting, clock)
    return [(line.result, line.said) for line in found]


def late(_):
    raise OutOfTime


def passes(_):
    return "fine"


def test_a_step_that_fails_does_not_stop_the_others():
    assert results([passes, missed, broken, unreached, passes]) == [
        ("passed", "fine"), ("failed", "seen"), ("failed", "ZeroDivisionError: odd"), ("not reached", "gone"),
        ("passed", "fine"),
    ]  # fmt: skip


def test_a_step_whose_time_is_up_is_not_reached():
    assert results([passes, late])[1] == ("not reached", "the time is up")


@pytest.mark.slow
def test_the_time_of_all_steps_is_kept_and_the_rest_is_not_reached(tmp_path, python):
    done = python("benchmarks", "gpu-check", "--simulated", "--limit", "12", *impls(*FEW), "--out", tmp_path / "out")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not reached: twins, and a slower copy (0 s): only" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_a_probe_prints_is_read_back():
    probe = Probe("H100", "ieee", 1e-6, 0.08, 1e-6)
    failed = Failed("no_device", "none")
    for answer in (probe, failed):
        assert seen.decoded(msgspec.json.encode(answer).decode()) == answer


def test_a_framework_that_is_not_installed_is_not_reached(setting):
    setting.kept["jax", False] = Failed("not_installed", "No module named 'jax'")
    with pytest.raises(Unreached, match="No module named 'jax'"):
        step("jax sees the GPU")(setting)


def test_a_fault_of_a_product_or_a_wait_is_named_in_its_own_step(setting):
    for tf32 in (False, True):
        setting.kept["torch", tf32] = Probe("simulated", "ieee", fault="RuntimeError: no kernel image")
    assert step("torch sees the GPU")(setting) == setting.card
    for name in ("torch computes in float32", "the suite waits for torch's work"):
        with pytest.raises(Missed, match="no kernel image"):
            step(name)(setting)


@pytest.mark.parametrize("first", [missed, unreached, broken])
def test_without_the_first_step_no_other_is_reached(first):
    assert [result for result, _ in results([first, passes, passes])][1:] == ["not reached", "not reached"]


def test_what_may_not_end_in_time_is_not_begun():
    found = results([passes] * 5, limit=25.0)
    assert [result for result, _ in found] == ["passed", "passed", "not reached", "not reached", "not reached"]
    assert "s were left" in found[-1][1]


def test_the_readme_names_the_command():
    assert "gpu_check" in (ROOT / "README.md").read_text()

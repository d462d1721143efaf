"""The regression gate from end to end: what it says of planted faults, and its parts."""

import fcntl
import json
import os
import random
import subprocess
import sys
import time

import junitparser
import pandas as pd
import psutil
import pytest

from benchmarks.calibration import command, other_tools
from benchmarks.calibration.hog import hogging
from benchmarks.calibration.injection import plant
from benchmarks.cases import Benchmark
from benchmarks.measurement.admission import Admission
from benchmarks.regression import decision, outcome, report, snapshots
from benchmarks.regression.measure import Measurement
from benchmarks.regression.series import log_ratio
from impls.core import child_process, environments
from tests.helpers import processes
from tests.helpers.processes import FEW, ROOT, git, wait_for


@pytest.fixture
def regression(checkout, tmp_path):
    """Run the gate in that checkout, with a cache of its own; the finished process and its folder."""

    def run(*arguments, **env):
        out = tmp_path / f"out-{time.time_ns()}"
        command = ("-m", "benchmarks", "regression", *arguments, "--out", out)
        return processes.python(*command, cwd=checkout, **{"XDG_CACHE_HOME": str(tmp_path / "cache"), **env}), out

    return run


@pytest.mark.slow
@pytest.mark.alone
def test_nothing_changed(regression, tmp_path):
    summary = tmp_path / "summary.md"
    few = ("--impl", "torch_lstm", "--impl", "jax_scan")
    done, out = regression("--base", "HEAD", *few, *FEW, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr + done.stdout
    last = done.stdout.strip().splitlines()[-2]
    assert last.startswith("no regression found; +")
    assert "would have been" in last
    rows = pd.read_parquet(out / "regression.parquet")
    assert set(rows["side"]) == {"base", "head"}
    assert set(rows["status"]) == {"ok"}
    assert (rows.groupby(["implementation", "side"])["replicate"].nunique() >= 2).all()
    assert {"steal_seconds", "pressure_seconds", "involuntary_switches"} <= set(rows["turns"][0][0])
    assert "no regression found" in (out / "regression.md").read_text().splitlines()[0]
    assert summary.read_text() == (out / "regression.md").read_text()
    suite = junitparser.JUnitXml.fromfile(str(out / "regression.xml"))
    assert sum(len(one) for one in suite) == 2 * 3  # two benchmarks, three metrics
    assert json.loads((out / "environment.json").read_text())["run"]["base"] == "HEAD"
    assert {path.name for path in out.iterdir()} == {
        "environment.json", "regression.md", "regression.parquet", "regression.xml",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.alone
def test_twice_the_work_is_a_regression_and_names_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(decision, "MOST", 5)
    names = ("torch_lstm", "torch_lstmcell")
    root = snapshots.of_working_tree(ROOT / "impls", "impls")
    pair = [
        snapshots.Side(label, command.versions(place, names))
        for label, place in (("base", root), ("head", snapshots.with_planted(root, ["torch_lstm"], 1.0)))
    ]
    benchmark = Benchmark.parse("t16-b4-i32-h64/sequence/train_step")
    measurement = Measurement(pair, [benchmark], command.settings(1, 0), tmp_path, lambda *_: None)
    result = outcome.judge(measurement, decision.rules(0.5), outcome.Steps(3, 8, 4))
    assert [text.partition(" +")[0] for text in result.regressions] == [f"torch_lstm {benchmark.id}: time"]
    assert result.exit_code(strict=False) == 1
    assert {row["phase"] for row in result.records} == {"screen", "confirm"}
    assert {row["implementation"] for row in result.records if row["phase"] == "confirm"} == {"torch_lstm"}
    suite = junitparser.JUnitXml.fromstring(report.junit(result, "t"))
    failed = [
        case.name for one in suite for case in one if any(isinstance(r, junitparser.Failure) for r in case.result)
    ]
    assert failed == [f"torch_lstm {benchmark.id} time"]


WRONG = """
_right = prepare
def prepare(problem, weights, device, workload):
    import dataclasses
    found = _right(problem, weights, device, workload)
    def train_step(state):
        result = list(found.train_step(state))
        result[3] = result[3] * 1.001  # the first weight's gradient
        return tuple(result)
    return dataclasses.replace(found, train_step=train_step)
"""


@pytest.mark.slow
def test_a_wrong_gradient_is_a_regression_and_names_the_tensor(checkout, regression):
    path = checkout / "impls" / "torch_lstm.py"
    path.write_text(path.read_text() + WRONG)
    done, out = regression("--base", "HEAD", "--impl", "torch_lstm", "--impl", "torch_lstmcell", *FEW)
    assert done.returncode == 1, done.stderr + done.stdout
    assert "grad_weight_ih_l0" in done.stdout.strip().splitlines()[-2]
    rows = pd.read_parquet(out / "regression.parquet")
    assert set(rows["implementation"]) == {"torch_lstmcell"}  # what is wrong is not timed


@pytest.mark.slow
def test_what_is_missing_or_dies_is_exit_3_and_what_is_new_is_said(checkout, regression):
    (checkout / "impls" / "torch_lstm.py").rename(checkout / "impls" / "torch_mine.py")
    done, out = regression(
        "--base", "HEAD", "--impl", "torch_lstm", "--impl", "torch_mine", "--impl", "torch_cell", *FEW
    )
    assert done.returncode == 3, done.stderr + done.stdout
    assert "could not measure: torch_lstm t4-b2-i8-h8/sequence/train_step: it is in the base" in done.stdout
    assert "new: torch_mine" in done.stdout
    assert "**missing** torch_lstm" in (out / "regression.md").read_text()

    path = checkout / "impls" / "torch_cell.py"
    path.write_text(path.read_text() + "\nimport os\nos._exit(7)\n")
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "crashed in the head, ok in the base" in done.stdout


@pytest.mark.slow
def test_what_can_not_be_read_or_imported_is_no_pass_on_either_side(checkout, regression):
    path = checkout / "impls" / "torch_cell.py"
    good = path.read_text()
    path.write_text(good + "\ndef (\n")
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", "--impl", "torch_lstm", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "error in the head, ok in the base: impls/torch_cell.py, line" in " ".join(done.stdout.split())

    path.write_text("import nonexistent_zz\n" + good.replace("from __future__ import annotations", ""))
    git(checkout, "commit", "-qam", "broken")
    path.write_text(good)
    done, _ = regression("--base", "HEAD", "--impl", "torch_cell", *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "ModuleNotFoundError: No module named 'nonexistent_zz') in the base" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_a_file_of_another_repository(tmp_path, regression):
    folder = tmp_path / "theirs"
    folder.mkdir()
    path = folder / "mine.py"
    path.write_text((ROOT / "impls" / "torch_lstm.py").read_text())
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    path.write_text(path.read_text() + WRONG)
    done, _ = regression("--base", "HEAD", "--impl", path, *FEW, GITHUB_STEP_SUMMARY=str(tmp_path))
    assert done.returncode == 1, done.stderr + done.stdout
    assert "GITHUB_STEP_SUMMARY can't be written to" in done.stderr
    assert "mine t4-b2-i8-h8/sequence/train_step: disagrees with the reference, and did not in the base" in done.stdout

    path.write_text(path.read_text().replace('TRACK = "default"', 'TRACK = "floor"'))
    done, _ = regression("--base", "HEAD", "--impl", path, *FEW)
    assert done.returncode == 3, done.stderr + done.stdout
    assert "error in the head, ok in the base: mine.py: TRACK is 'floor'" in " ".join(done.stdout.split())


def one_line(done, code=2):
    assert done.returncode == code, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
def test_a_base_that_can_not_be_had_is_one_line(checkout, regression):
    assert "names no commit" in one_line(regression("--base", "no-such-revision")[0])
    assert "give either" in one_line(regression()[0])
    assert "is no requirement" in one_line(regression("--base-requirement", "==")[0])
    assert "did you mean torch_cell" in one_line(regression("--base", "HEAD", "--impl", "torch_cel")[0])

    contract = checkout / "impls" / "contract.py"
    now = contract.read_text()
    contract.write_text(now.replace("CONTRACT = 1", "CONTRACT = 0"))
    git(checkout, "commit", "-qam", "older")
    contract.write_text(now)
    assert "speaks contract 0" in one_line(regression("--base", "HEAD")[0])

    git(checkout, "rm", "-rq", "--cached", "impls")
    git(checkout, "commit", "-qm", "none")
    assert "has no impls/" in one_line(regression("--base", "HEAD")[0])


def test_an_environment_that_is_being_built_or_is_finished_is_not_swept(tmp_path):
    for name in ("building", "finished", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.lock").touch()
    (tmp_path / "finished" / "finished").touch()
    with (tmp_path / "building.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environments.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"building", "finished"}


def test_a_leashed_command_tells_its_output_and_its_exit_code():
    done = child_process.run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    died = child_process.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert died.returncode == 128 + 9


def test_snapshots_are_named_after_what_they_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "impls"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("x")
    first = snapshots.of_working_tree(folder, "impls")
    assert [path.name for path in (first / "impls").iterdir()] == ["a.py"]
    assert snapshots.of_working_tree(folder, "impls") == first
    (folder / "a.py").write_text("2")
    second = snapshots.of_working_tree(folder, "impls")
    assert second != first
    assert (first / "impls" / "a.py").read_text() == "1"
    assert not list((tmp_path / "cache" / "lstm-bench" / "files").glob(".*"))


def test_what_a_killed_process_left_in_the_cache_is_swept_up(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parent = tmp_path / "lstm-bench" / "files"
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, living = parent / f".arriving-{child.pid}-x", parent / f".arriving-{os.getpid()}-x"
    for one in (dead, living):
        one.mkdir(parents=True)
    with snapshots.arriving("files"):
        pass
    assert not dead.exists()
    assert living.exists()


def test_a_revision_is_its_files_whatever_the_working_tree_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = tmp_path / "r"
    folder = repository / "deep" / "impls"
    folder.mkdir(parents=True)
    git(repository, "init", "-q")
    (folder / "a.py").write_text("old")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    (folder / "a.py").write_text("new")
    (folder / "b.py").write_text("new")
    old = snapshots.of_revision(folder, "HEAD", "impls") / "impls"
    assert {path.name: path.read_text() for path in old.iterdir()} == {"a.py": "old"}
    new = snapshots.of_working_tree(folder, "impls") / "impls"
    assert {path.name for path in new.iterdir()} == {"a.py", "b.py"}


def test_requirements_of_an_older_pyproject():
    found = environments.requirements(b'[dependency-groups]\ncore = ["b>=1", {include-group = "x"}]\nx = ["a"]\n')
    assert found == ["a", "b>=1"]
    with pytest.raises(snapshots.Unusable, match="no usable dependency group"):
        environments.requirements(b"[project]\nname = 'x'\n")


def test_base_and_head_differ_in_what_was_asked_for_and_nothing_else(monkeypatch):
    built = []

    def build(wanted, constraints=()):
        built.append((sorted(wanted), sorted(constraints)))
        return "head" if len(built) == 1 else "base"

    held = {"head": {"jax": "0.10.2", "numpy": "2.4"}, "base": {"jax": "0.9.0", "numpy": "2.4", "six": "1"}}
    monkeypatch.setattr(environments, "build", build)
    monkeypatch.setattr(environments, "freeze", held.__getitem__)
    base, head, differ = environments.pair(["jax>=0.8", "numpy>=2"], ["jax==0.9.0"])
    assert (base, head) == ("base", "head")
    assert built == [(["jax>=0.8", "numpy>=2"], []), (["jax==0.9.0", "numpy>=2"], ["numpy==2.4"])]
    assert environments.short(differ) == "jax 0.9.0 → 0.10.2, six 1 → none"
    built.clear()
    with pytest.raises(snapshots.Unusable, match="holds the same"):
        environments.pair(["jax>=0.8", "numpy>=2"], ["numpy==2.4"])


def admission(status="ok", error=1e-7):
    return Admission("i", "b", status, "why", error, "output")


@pytest.mark.parametrize(
    ("base", "head", "kind"),
    [
        (admission(), admission(), None),
        (admission(), None, "missing"),
        (admission(), admission("disagrees"), "disagrees"),
        (admission(), admission("crashed"), "lost"),
        (admission(), admission("unsupported"), "lost"),
        (admission(), admission(error=5e-6), "inaccurate"),
        (admission(error=1e-6), admission(error=5e-6), None),
        (None, admission(), "new"),
        (None, admission("disagrees"), "disagrees"),
        (None, admission("crashed"), "lost"),
        (admission("not_installed"), admission(), "new"),
        (admission("unsupported"), admission("unsupported"), "absent"),
        (admission("disagrees"), admission(), "new"),
        (admission("disagrees"), admission("disagrees"), "absent"),
        (admission("out_of_memory"), admission(), "unmeasured"),
        (admission("crashed"), admission("crashed"), "lost"),
    ],
)
def test_what_is_said_of_what_can_not_be_compared(base, head, kind):
    found = outcome.stand("b", base, head, "float32")
    assert (found and found.kind) == kind


def test_only_what_could_be_measured_passes():
    def code(kind, strict=False):
        return outcome.Result(0.02, standings=[outcome.Standing("b", kind, "why")] if kind else []).exit_code(strict)

    assert code("disagrees") == code("inaccurate") == 1
    assert code("missing") == code("lost") == code("unmeasured") == 3
    assert code("new") == code(None) == 3  # nothing was compared at all


def test_the_hog_works_on_its_processor_and_goes_with_the_block():
    core = min(os.sched_getaffinity(0))
    with hogging(core):
        found = [one for one in psutil.Process().children() if "benchmarks.regression.hog" in one.cmdline()]
        assert len(found) == 1
        wait_for(lambda: found[0].cpu_affinity() == [core] and sum(found[0].cpu_times()[:2]) > 0.2, 20)
    assert not psutil.pid_exists(found[0].pid)


def turns(*seconds):
    return [{"block": k // 2, "seconds": one} for k, one in enumerate(seconds)]


def test_a_log_ratio_is_the_median_over_blocks_and_a_disturbed_block_does_not_move_it():
    base = turns(1, 1, 2, 2, 4, 4, 1, 1, 3, 3)
    head = turns(1.1, 1.1, 2.2, 2.2, 4.4, 4.4, 50, 50, 3.3, 3.3)
    assert abs(log_ratio(base, head) - 0.0953) < 1e-4
    assert abs(log_ratio(base, head) + log_ratio(head, base)) < 1e-12


def test_the_rivals_follow_their_published_rules():
    noise = random.Random(0)
    same, again = ([[1 + noise.gauss(0, 0.005) for _ in range(24)] for _ in range(6)] for _ in range(2))
    slower = [[x * 1.12 for x in one] for one in again]
    little = [[x * 1.04 for x in one] for one in again]
    for name, rule in other_tools.RIVALS.items():
        assert rule(same, slower), name
        assert not rule(slower, same), name
    # 4 % is below what two of them look at, and pyperf looks at no size at all
    assert [rule(same, little) for rule in other_tools.RIVALS.values()] == [False, False, True]


def test_planted_work_is_in_proportion(tmp_path):
    """Counted, not timed: the planted calls burn a share of what the call takes."""
    source = (
        "import time\nfrom dataclasses import dataclass, replace\n"
        "@dataclass\nclass P:\n    load: object\n    forward: object\n    forward_train: object = None\n"
        "    backward: object = None\n    train_step: object = None\n"
        "def prepare(*a):\n    return P(lambda i: i, lambda s: [x * x for x in range(30000)])\n"
    )
    counts = []
    for share in (0.1, 0.4):
        module: dict = {"__name__": "m"}
        exec(plant(source, share), module)
        prepared = module["prepare"](None, None, None, None)
        state = prepared.load(1)
        prepared.forward(state)
        assert prepared.forward.count is None  # the first call, which is timed by itself, does not calibrate
        prepared.forward(state)
        assert prepared.backward is None
        counts.append(prepared.forward.count)
    assert 2 <= counts[1] / counts[0] <= 8

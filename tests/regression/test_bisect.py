"""Which commit made it slower: a planted one is found, in a repository of its own."""

import json
import signal
import subprocess
import sys

import pytest

from benchmarks.calibration.injection import inject
from benchmarks.regression import bisect
from benchmarks.regression.decision import Finding, Rule, Sampling, Spread
from benchmarks.regression.outcome import Result, Standing
from benchmarks.regression.snapshots import Unusable
from tests.helpers.processes import FEW, HEED_INTERRUPTS, ROOT, git, python


def commit(folder, path, text, subject):
    (folder / path).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def history(checkout):
    """Five commits. The fourth makes torch_lstm slower, and the third cannot be measured."""
    path = "impls/torch_lstm.py"
    source = (checkout / path).read_text()
    slower = inject(source, 3.0)
    texts = [source + "# 1", source + "# 2", "this is no Python", slower, slower + "# 5"]
    return checkout, [commit(checkout, path, text + "\n", f"number {k}") for k, text in enumerate(texts, 1)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_planted_commit_is_found_and_one_that_cannot_be_measured_is_skipped(history, tmp_path):
    checkout, commits = history
    before = git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")
    done = python(
        "-m", "benchmarks", "regression", "--bisect", f"{commits[0]}..HEAD", "--impl", "torch_lstm", *FEW,
        "--replicates", "8", "--out", tmp_path / "out", cwd=checkout, timeout=800,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr + done.stdout
    said = done.stdout.strip().splitlines()[-1]
    assert commits[3][:12] in said  # with the third, which was skipped and so may be it too
    assert commits[2][:12] in said
    assert commits[4][:12] not in said
    measured = {path.name for path in (tmp_path / "out").iterdir()}
    assert {commits[3], commits[4]} <= measured <= set(commits[1:])
    assert (git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")) == before
    assert len(git(checkout, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("date", ["2026-11-27", "2026-11-28"])
def test_the_published_searches_found_what_the_docs_say(date):
    """Gates are named by the number of their commit. The planted one and the one before it were both compared."""
    folder = ROOT / "reports" / "published" / f"bisect-{date}"
    gates = {
        path.name.rpartition("-")[2]: json.loads((path / "regression.json").read_text()) for path in folder.iterdir()
    }
    slower = {int(number) for number, gate in gates.items() if gate["exit_code"] == 1}
    quiet = {int(number) for number, gate in gates.items() if gate["exit_code"] == 0}
    assert max(quiet) == min(slower) - 1
    assert len(quiet | slower) == len(gates)
    page = (ROOT / "docs" / "regression.md").read_text()
    assert f"| commit {min(slower)} | [{len(gates)}](../reports/published/{folder.name}/) |" in page


def test_a_good_commit_that_is_no_ancestor_is_exit_2(checkout, tmp_path):
    git(checkout, "switch", "-qc", "side")
    aside = commit(checkout, "x.txt", "1", "aside")
    git(checkout, "switch", "-q", "-")
    commit(checkout, "y.txt", "1", "ahead")
    done = python("-m", "benchmarks", "regression", "--bisect", f"{aside}..HEAD", "--out", tmp_path / "o", cwd=checkout)
    assert done.returncode == 2
    assert "is not an ancestor of HEAD" in done.stderr


@pytest.mark.parametrize(
    "text", ["HEAD", "HEAD..", "..HEAD", "HEAD...HEAD", "HEAD..HEAD", "nothing..HEAD", "--x..HEAD"]
)
def test_what_is_no_range_is_refused(checkout, text):
    with pytest.raises(Unusable):
        bisect.Range.parse(text, checkout)


def test_only_what_got_slower_is_looked_at():
    spread = Spread(0.1, 0.01, 10.0, 4)
    findings = [
        Finding(f"{name} t1-b1-i1-h1/sequence/{mode}", Rule("time", 0.02), verdict, spread, 0.1, 1.0, 1.1, Sampling(3))
        for name, mode, verdict in (
            ("a b", "forward", "slower"),
            ("b", "forward", "same"),
            ("a b", "train_step", "slower"),
        )
    ]
    wrong = Standing("c t2-b1-i1-h1/cell/forward", "disagrees", "why")
    result = Result(0.02, findings, [wrong])
    assert bisect.worse_at(result) == (
        ["c", "a b"], ["t2-b1-i1-h1", "t1-b1-i1-h1"], ["cell", "sequence"], ["forward", "train_step"],
    )  # fmt: skip


def test_a_step_is_bad_only_by_what_is_sought():
    rule, spread = Rule("memory", 0.1), Spread(0.1, 0.01, 10.0, 8)
    result = Result(
        0.02, [Finding("a t1-b1-i1-h1/sequence/forward", rule, "slower", spread, 0.1, 1.0, 2.0, Sampling(3))]
    )
    assert result.exit_code(strict=False) == 1
    assert result.exit_code(False, [("a t1-b1-i1-h1/sequence/forward", "memory")]) == 1
    assert result.exit_code(False, [("a t1-b1-i1-h1/sequence/forward", "time")]) == 3  # there is no such finding
    same = Finding("a t1-b1-i1-h1/sequence/forward", Rule("time", 0.1), "same", spread, 0.1, 1.0, 1.0, Sampling(3))
    result.findings.append(same)
    assert result.exit_code(False, [("a t1-b1-i1-h1/sequence/forward", "time")]) == 0


def test_where_it_is_interrupted_what_it_runs_is_interrupted_too(tmp_path):
    """A real process, which writes down that it was interrupted."""
    script = "import pathlib, signal, sys, time\ntry:\n    print(1, flush=True)\n    time.sleep(60)\n"
    script += "except KeyboardInterrupt:\n    pathlib.Path(sys.argv[1]).write_text('interrupted')\n"
    outer = "import sys; from benchmarks.regression import bisect; bisect.run([sys.executable, '-c', *sys.argv[1:]])"
    heed = [sys.executable, "-c", HEED_INTERRUPTS]
    command = [*heed, sys.executable, "-c", outer, script, str(tmp_path / "said")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    assert (tmp_path / "said").read_text() == "interrupted"

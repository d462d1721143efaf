"""Which commit made it slower: a planted one is found, in a repository of its own."""

import itertools

import pytest

from benchmarks.calibration.injection import inject
from benchmarks.regression import bisect
from benchmarks.regression.decision import Finding
from benchmarks.regression.outcome import Result, Standing
from benchmarks.regression.snapshots import Unusable
from tests.helpers.processes import FEW, git, python


def commit(folder, path, text, subject):
    (folder / path).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def history(checkout):
    """Five commits. The fourth makes numpy_lstm slower, and the third cannot be measured."""
    path = "impls/numpy_lstm.py"
    source = (checkout / path).read_text()
    slower = inject(source, 3.0)
    texts = [source + "# 1", source + "# 2", "this is no Python", slower, slower + "# 5"]
    return checkout, [commit(checkout, path, text + "\n", f"number {k}") for k, text in enumerate(texts, 1)]


@pytest.mark.process
@pytest.mark.timeout(900)
def test_the_planted_commit_is_found_and_one_that_cannot_be_measured_is_skipped(history, tmp_path):
    checkout, commits = history
    before = git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")
    done = python(
        "-m", "benchmarks", "regression", "--bisect", f"{commits[0]}..HEAD", "--impl", "numpy_lstm", *FEW,
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


@pytest.mark.process
def test_a_good_commit_that_is_no_ancestor_is_refused(tmp_path):
    git(tmp_path, "init", "-q")
    good = commit(tmp_path, "x.txt", "0", "base")
    git(tmp_path, "switch", "-qc", "side")
    aside = commit(tmp_path, "x.txt", "1", "aside")
    git(tmp_path, "switch", "-q", "-")
    ahead = commit(tmp_path, "y.txt", "1", "ahead")
    assert bisect.commits_of(f"{good}..HEAD", tmp_path) == (good, ahead)
    with pytest.raises(Unusable, match="is not an ancestor of HEAD"):
        bisect.commits_of(f"{aside}..HEAD", tmp_path)


@pytest.mark.process
@pytest.mark.parametrize(
    "text", ["HEAD", "HEAD..", "..HEAD", "HEAD...HEAD", "HEAD..HEAD", "nothing..HEAD", "--x..HEAD"]
)
def test_what_is_no_range_is_refused(tmp_path, text):
    git(tmp_path, "init", "-q")
    commit(tmp_path, "x.txt", "1", "a commit")
    with pytest.raises(Unusable):
        bisect.commits_of(text, tmp_path)


@pytest.mark.process
def test_the_first_bad_commit_is_found_in_few_steps(tmp_path):
    """Of nine commits, from one on all are bad. Those that are skipped may be it, if they lie before the first bad."""
    git(tmp_path, "init", "-q")
    commits = [commit(tmp_path, "n.txt", str(number), f"number {number}") for number in range(10)]
    for first, unclear in itertools.product(range(1, 10, 2), [(), (3,), (4, 5)]):
        tested = []

        def test(found, first=first, unclear=unclear, tested=tested):
            tested.append(commits.index(found))
            return None if tested[-1] in unclear else tested[-1] >= first

        named = [commits.index(found) for found in bisect.search(tmp_path, commits[0], commits[9], test)]
        last_good = max(number for number in range(first) if number not in unclear)
        first_bad = min({*range(first, 9)} - {*unclear}, default=9)
        assert named[0] == first_bad
        assert sorted(named) == list(range(last_good + 1, first_bad + 1))
        assert len(tested) == len({*tested} - {0, 9}) <= 4 + len(unclear)


KEY = "a t1-b1-i1-h1/sequence/forward"


def finding(verdict, metric="time", dropped=False):
    return Finding(KEY, metric, verdict, 1.1, 1.0, 1.2, 0.02, replicates=8, tests=3, dropped=dropped)


@pytest.mark.parametrize(
    ("findings", "standings", "searched", "bad"),
    [
        ([finding("slower")], [], "time", True),
        ([finding("same")], [], "time", False),
        ([finding("faster")], [], "time", False),
        ([finding("unclear")], [], "time", None),  # such a commit must not be called good
        ([finding("unclear", dropped=True)], [], "time", False),  # a slowdown of the margin is out of the question
        ([finding("slower"), finding("same", "memory")], [], "memory", False),
        ([finding("same")], ["lost"], "time", None),
        ([], [], "time", None),
        ([], ["alike"], "time", False),
        ([], ["disagrees"], "agreement", True),
        ([finding("unclear")], [], "agreement", False),
        ([], ["unmeasured"], "agreement", None),
    ],
)
def test_a_commit_is_bad_only_by_what_is_searched_for_and_skipped_where_that_is_unclear(
    findings, standings, searched, bad
):
    result = Result(0.02, findings, [Standing(KEY, kind, "why") for kind in standings])
    assert bisect.is_bad(result, [(KEY, searched)]) is bad

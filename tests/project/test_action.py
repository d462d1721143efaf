"""The GitHub action: each script alone, with stand-ins for nox and gh."""

import os
import re
import subprocess

import pytest
import yaml

from tests.helpers.processes import ROOT, git

ACTION = ROOT / ".github" / "actions" / "regression"
NOX = """#!/bin/sh
printf '%s\\n' "$@" > "$SAID"
if [ -n "$REPORTED" ]; then echo '{}' > "$REPORTED/regression.json"; fi
exit "$CODE"
"""
GH = """#!/bin/sh
printf '%s ' "$@" >> "$SAID"; echo >> "$SAID"
if [ -n "$REFUSED" ]; then echo "gh: HTTP 403" >&2; exit 1; fi
case "$*" in *--paginate*) echo "$EXISTING"; env | grep ^MARKER= >> "$SAID";; esac
for word in "$@"; do case "$word" in body=@*) cat "${word#body=@}" >> "$SAID";; esac; done
"""
GATE = {"FILE": "", "BASE": "abc", "EVENT_BASE": "", "PULLED": "", "PROBLEMS": "", "OPTIONS": "", "CODE": 0}
COMMENT = {"NUMBER": 7, "NAME": "n--->a.py", "EXISTING": "", "GITHUB_REPOSITORY": "o/r"}
MARKER = "<!-- lstm-bench regression of n---a.py -->"


@pytest.fixture
def run(tmp_path):
    """Run a script of the action with stand-ins on PATH: what they were told, the outputs of the step, what it says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("nox", NOX), ("gh", GH)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def script(name, **env):
        said, output = tmp_path / "said", tmp_path / "output"
        given = {"PATH": f"{folder}:{os.environ['PATH']}", "SAID": said, "GITHUB_OUTPUT": output, "REPORT": tmp_path}
        given |= {"REFUSED": "", "REPORTED": "", "GITHUB_WORKSPACE": tmp_path, **env}
        variables = {key: str(value) for key, value in given.items()}
        done = subprocess.run([ACTION / name], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return *(path.read_text().splitlines() if path.exists() else [] for path in (said, output)), done.stdout

    return script


def test_inputs_reach_the_scripts_and_the_verdict_is_told_though_a_step_has_failed():
    """The scripts say what they need of the environment. CI runs the whole action on each pull request."""
    text = (ACTION / "action.yml").read_text()
    action = yaml.safe_load(text)
    assert all(f"inputs.{name} " in text for name in action["inputs"])
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    for step in steps[:-1]:
        script = (ACTION / re.search(r"\w+\.sh", step["run"])[0]).read_text()
        needed = re.search(r"# From the environment: (.*?)[;.]", script)[1].split(", ")
        assert needed == [name for name in needed if name in step["env"]]
    assert steps[-1]["run"] == 'exit "$CODE"'
    assert steps[-1]["if"].startswith("always()")
    example = (ROOT / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (job,) = yaml.safe_load(example)["jobs"].values()
    assert set(job["steps"][-1]["with"]) <= set(action["inputs"])


@pytest.mark.process
@pytest.mark.parametrize("separator", [" ", "\n"])
def test_the_gate_is_called_with_the_inputs_and_its_code_is_an_output(run, tmp_path, separator):
    lists = (["t1-b1-i1-h1", "*"], ["--strict", "--margin=5%"])
    problems, options = map(separator.join, lists)
    given = {"FILE": "lstm/my file.py", "PROBLEMS": problems, "OPTIONS": options, "CODE": 3}
    said, output, _ = run("gate.sh", **GATE | given)
    assert said == [
        "-s", "regression", "--", "--base", "abc", "--impl", f"{tmp_path}/lstm/my file.py", "--out", str(tmp_path),
        "--problem", "t1-b1-i1-h1", "--problem", "*", "--strict", "--margin=5%",
    ]  # fmt: skip
    assert output == ["exit-code=3", f"report={tmp_path}"]


@pytest.mark.process
@pytest.mark.parametrize(
    ("given", "reported", "code"),
    [
        ({"CODE": 1}, True, 1),
        ({"CODE": 1}, False, 3),  # an installation that fails is no regression
        ({"BASE": ""}, False, 2),  # an event without a commit before it
        ({"BASE": "", "EVENT_BASE": "0" * 40}, False, 2),
    ],
)
def test_the_code_says_what_the_gate_could_find(run, tmp_path, given, reported, code):
    said, output, printed = run("gate.sh", **GATE | given | {"REPORTED": tmp_path if reported else ""})
    assert output[0] == f"exit-code={code}"
    assert ("::error::" in printed) == (code == 2) == (not said)


@pytest.mark.process
def test_a_pull_request_is_compared_with_what_it_was_merged_with(run, tmp_path):
    """What the event calls the base may be hours older: then changes of others would count as the pull request's."""
    there = tmp_path / "there"
    there.mkdir()

    def base(pulled, folder=there, given=""):
        event = {"BASE": given, "EVENT_BASE": "stale", "PULLED": pulled, "GITHUB_WORKSPACE": folder}
        said, *_ = run("gate.sh", **GATE | event)
        return said[said.index("--base") + 1]

    git(there, "init", "--quiet", "--initial-branch", "main")
    for name in ("first", "newer"):
        git(there, "commit", "--quiet", "--allow-empty", "--message", name)
    newer = git(there, "rev-parse", "HEAD")
    git(there, "checkout", "--quiet", "-b", "mine", "HEAD~1")
    git(there, "commit", "--quiet", "--allow-empty", "--message", "mine")
    pulled = git(there, "rev-parse", "HEAD")
    assert base(pulled) == "stale"  # the pull request itself is checked out, and no merge
    git(there, "checkout", "--quiet", "main")
    git(there, "merge", "--quiet", "--no-ff", "--no-edit", "mine")
    assert base(pulled) == newer
    assert base(pulled, given="given") == "given"
    assert base("") == "stale"  # a push, or a merge queue
    assert base(pulled, tmp_path) == "stale"  # which is no repository


@pytest.mark.process
def test_the_cache_has_a_key_for_the_file_too(run, tmp_path):
    def keys(file, text=""):
        (tmp_path / "output").unlink(missing_ok=True)
        (tmp_path / "a.py").write_text(text)
        return run("suite.sh", FILE=file)[1][1:]

    (suite, one), (same, other) = keys("a.py", "REQUIRES = ()"), keys("a.py", 'REQUIRES = ("keras",)')
    assert suite == same
    assert one != other
    assert keys("")[1] == keys("missing.py")[1]


@pytest.mark.process
@pytest.mark.parametrize(
    ("existing", "request_of"),
    [("", "--method POST repos/o/r/issues/7/"), ("17\n18", "--method PATCH repos/o/r/issues/comments/17 ")],
)
def test_one_comment_is_made_and_then_updated(run, tmp_path, existing, request_of):
    (tmp_path / "regression.md").write_text("## no regression found\n")
    said, _, printed = run("comment.sh", **COMMENT | {"EXISTING": existing})
    said = [line for line in said if line not in existing.splitlines()]
    assert said[0].startswith("api --paginate repos/o/r/issues/7/comments")
    assert 'select(.user.type == "Bot" and' in said[0]  # nobody else's comment is overwritten
    assert said[1] == f"MARKER={MARKER}"
    assert request_of in said[2]
    assert said[3:] == [MARKER, "## no regression found"]
    assert "warning" not in printed


@pytest.mark.process
def test_a_comment_that_is_refused_is_a_warning_and_one_that_is_too_long_is_cut(run, tmp_path):
    """A pull request from a fork has a token that can only read. GitHub takes 65,536 characters."""
    assert run("comment.sh", **COMMENT)[0] == []  # without a report
    (tmp_path / "regression.md").write_text("x" + "ä" * 50_000)
    said, _, printed = run("comment.sh", **COMMENT)
    body = "\n".join(said[said.index(MARKER) :])
    assert "::warning::" not in printed
    assert len(body) < 65_536
    assert "cut off" in body
    assert body.endswith("ä")
    assert run("comment.sh", **COMMENT | {"REFUSED": "yes"})[2].startswith("::warning::")

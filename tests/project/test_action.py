"""The GitHub action: its workflow is run by a local runner, and each script alone, with stand-ins for nox and gh."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.helpers.processes import ROOT, git

pytestmark = pytest.mark.process

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


@pytest.fixture
def run(tmp_path):
    """Run a script of the action with stand-ins on PATH. What they were told, and the outputs of the step."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("nox", NOX), ("gh", GH)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def script(name, **env):
        said, output = tmp_path / "said", tmp_path / "output"
        told = {"PATH": f"{folder}:{os.environ['PATH']}", "SAID": said, "GITHUB_OUTPUT": output, "REFUSED": "", **env}
        told = {"REPORTED": "", **told}
        done = subprocess.run(
            [ACTION / name],
            env={key: str(value) for key, value in told.items()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return *(path.read_text().splitlines() if path.exists() else [] for path in (said, output)), done.stdout

    return script


def test_the_steps_are_these_scripts_and_every_input_reaches_them():
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    steps = action["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert scripts == [f'"$GITHUB_ACTION_PATH/{name}.sh"' for name in ("suite", "gate", "comment")] + ['exit "$CODE"']
    text = (ACTION / "action.yml").read_text()
    assert all(f"inputs.{name} " in text for name in action["inputs"])
    (last,) = (step for step in steps if step.get("run") == 'exit "$CODE"')
    assert last["if"].startswith("always()")  # the verdict is told though a step before it has failed


def test_the_gate_is_called_with_the_inputs_and_its_code_is_an_output(run, tmp_path):
    said, output, _ = run(
        "gate.sh", FILE="lstm/my file.py", BASE="abc", PROBLEMS="t1-b1-i1-h1 t2-b2-i2-h2",
        OPTIONS="--strict --margin=5%", REPORT=tmp_path / "r", GITHUB_WORKSPACE="/work", CODE=3,
    )  # fmt: skip
    assert said == [
        "-s", "regression", "--", "--base", "abc", "--impl", "/work/lstm/my file.py", "--out", str(tmp_path / "r"),
        "--problem", "t1-b1-i1-h1", "--problem", "t2-b2-i2-h2", "--strict", "--margin=5%",
    ]  # fmt: skip
    assert output == ["exit-code=3", f"report={tmp_path / 'r'}"]


def base_of(run, folder, pulled, base=""):
    """The base of a gate in a checkout, where the event says that it is `stale`."""
    said, *_ = run(
        "gate.sh", FILE="", BASE=base, EVENT_BASE="stale", PULLED=pulled, PROBLEMS="", OPTIONS="", REPORT=folder / "r",
        GITHUB_WORKSPACE=folder, CODE=0,
    )  # fmt: skip
    return said[said.index("--base") + 1]


def test_a_pull_request_is_compared_with_what_it_was_merged_with(run, tmp_path):
    """What the event calls the base may be hours older: then changes of others would count as the pull request's."""
    there = tmp_path / "there"
    there.mkdir()
    git(there, "init", "--quiet", "--initial-branch", "main")
    for name in ("first", "newer"):
        git(there, "commit", "--quiet", "--allow-empty", "--message", name)
    newer = git(there, "rev-parse", "HEAD")
    git(there, "checkout", "--quiet", "-b", "mine", "HEAD~1")
    git(there, "commit", "--quiet", "--allow-empty", "--message", "mine")
    pulled = git(there, "rev-parse", "HEAD")
    assert base_of(run, there, pulled) == "stale"  # the pull request itself is checked out, and no merge
    git(there, "checkout", "--quiet", "main")
    git(there, "merge", "--quiet", "--no-ff", "--no-edit", "mine")
    assert base_of(run, there, pulled) == newer
    assert base_of(run, there, pulled, base="given") == "given"
    assert base_of(run, there, "") == "stale"  # a push, or a merge queue
    assert base_of(run, there, newer) == "stale"
    assert base_of(run, tmp_path, pulled) == "stale"  # which is no repository


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_an_event_without_a_commit_before_it_is_told(run, tmp_path, base):
    said, output, printed = run(
        "gate.sh", FILE="", BASE="", EVENT_BASE=base, PULLED="", PROBLEMS="", OPTIONS="", REPORT=tmp_path / "r",
        GITHUB_WORKSPACE=tmp_path, CODE=0,
    )  # fmt: skip
    assert not said
    assert output == ["exit-code=2", f"report={tmp_path / 'r'}"]
    assert "::error::this event has no commit to compare with; set the input base" in printed


def test_without_options_there_are_none(run, tmp_path):
    said, output, _ = run(
        "gate.sh", FILE="", BASE="abc", PROBLEMS="", OPTIONS="", REPORT=tmp_path, GITHUB_WORKSPACE="/w", CODE=0
    )
    assert said == ["-s", "regression", "--", "--base", "abc", "--out", str(tmp_path)]
    assert output[0] == "exit-code=0"


def test_options_may_have_several_lines(run, tmp_path):
    said, *_ = run(
        "gate.sh", FILE="", BASE="abc", PROBLEMS="t1-b1-i1-h1\nt2-b2-i2-h2", OPTIONS="--strict\n--margin=5%\n",
        REPORT=tmp_path, GITHUB_WORKSPACE="/w", CODE=0,
    )  # fmt: skip
    assert said[-6:] == ["--problem", "t1-b1-i1-h1", "--problem", "t2-b2-i2-h2", "--strict", "--margin=5%"]


@pytest.mark.parametrize(("reported", "code"), [(True, 1), (False, 3)])
def test_an_installation_that_fails_is_no_regression(run, tmp_path, reported, code):
    more = {"REPORTED": tmp_path} if reported else {}
    _, output, _ = run(
        "gate.sh", FILE="", BASE="abc", PROBLEMS="", OPTIONS="", REPORT=tmp_path, GITHUB_WORKSPACE="/w", CODE=1, **more
    )
    assert output[0] == f"exit-code={code}"


def test_the_cache_has_a_key_for_the_file_too(run, tmp_path):
    (tmp_path / "a.py").write_text("REQUIRES = ()")

    def keys(file):
        (tmp_path / "output").unlink(missing_ok=True)
        return run("suite.sh", FILE=file, GITHUB_WORKSPACE=tmp_path)[1][1:]

    one = keys("a.py")
    (tmp_path / "a.py").write_text('REQUIRES = ("keras",)')
    other = keys("a.py")
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert keys("")[1] == keys("missing.py")[1]


@pytest.mark.parametrize(("existing", "method"), [("", "POST"), ("17", "PATCH")])
def test_one_comment_is_made_and_then_updated(run, tmp_path, existing, method):
    (tmp_path / "regression.md").write_text("## no regression found\n")
    said, _, _ = run("comment.sh", REPORT=tmp_path, NUMBER=7, NAME="n a.py", EXISTING=existing, GITHUB_REPOSITORY="o/r")
    assert said[0].startswith("api --paginate repos/o/r/issues/7/comments")
    assert 'select(.user.type == "Bot" and' in said[0]  # nobody else's comment is overwritten
    assert said[1] == "MARKER=<!-- lstm-bench regression of n a.py -->"
    assert f"--method {method}" in said[2]
    assert ("comments/17" in said[2]) == bool(existing)
    assert said[3:] == ["<!-- lstm-bench regression of n a.py -->", "## no regression found"]


def test_of_several_comments_the_first_is_updated(run, tmp_path):
    (tmp_path / "regression.md").write_text("## x\n")
    said, _, printed = run(
        "comment.sh", REPORT=tmp_path, NUMBER=7, NAME="n", EXISTING="17\n18", GITHUB_REPOSITORY="o/r"
    )
    assert "--method PATCH repos/o/r/issues/comments/17 " in said[2]
    assert "warning" not in printed


def test_a_comment_that_is_refused_is_a_warning(run, tmp_path):
    """As for a pull request from a fork, whose token can only read."""
    (tmp_path / "regression.md").write_text("## x\n")
    _, _, printed = run(
        "comment.sh", REPORT=tmp_path, NUMBER=7, NAME="n", EXISTING="", GITHUB_REPOSITORY="o/r", REFUSED="yes"
    )
    assert printed.startswith("::warning::")


def test_a_report_that_is_too_long_for_a_comment_is_cut(run, tmp_path):
    (tmp_path / "regression.md").write_text("x" + "ä" * 50_000)
    said, *_ = run("comment.sh", REPORT=tmp_path, NUMBER=7, NAME="n", EXISTING="", GITHUB_REPOSITORY="o/r")
    body = "\n".join(said[said.index("<!-- lstm-bench regression of n -->") :])
    assert len(body) < 65_536
    assert body.splitlines()[1] == "The end is cut off: the uploaded regression.md has all."
    assert body.endswith("ä")


def test_without_a_report_nothing_is_commented(run, tmp_path):
    said, _, printed = run("comment.sh", REPORT=tmp_path, NUMBER=7, NAME="a.py", EXISTING="", GITHUB_REPOSITORY="o/r")
    assert said == []
    assert "no report" in printed


STAND_IN = """
inputs: {{path: {{}}, key: {{}}, restore-keys: {{}}, name: {{}}, python-version: {{}}, if-no-files-found: {{}}}}
runs:
  using: composite
  steps:
    - {{shell: bash, run: 'echo "{name}:" $SAID', env: {{SAID: "${{{{ inputs.path }}}} ${{{{ inputs.key }}}}"}}}}
"""
WRITES_A_REPORT = """#!/bin/sh
echo "NOX $*"
while [ $# -gt 0 ]; do
    [ "$1" = --out ] && mkdir -p "$2" && echo "## a table" > "$2/regression.md" && echo "{{}}" > "$2/regression.json"
    shift
done
exit {code}
"""


@pytest.mark.parametrize("code", [0, 1])
def test_the_workflow_of_the_docs_in_a_runner_of_workflows(tmp_path, code):
    """nektos/act runs the job of docs/regression.md. Other people's actions, nox and gh are stand-ins: no network."""
    user, home, folder = tmp_path / "user", tmp_path / "home", tmp_path / "bin"
    lines = (ROOT / "docs" / "regression.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (user / ".github" / "workflows").mkdir(parents=True)
    (user / ".github" / "workflows" / "lstm.yml").write_text(lines)
    git(user, "init", "-q")
    git(user, "add", "-A")
    git(user, "commit", "-q", "-m", "one")
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7, "base": {"sha": "abc"}}}))
    suite = tmp_path / "suite"  # the runner reads all files of it into memory
    shutil.copytree(ROOT / ".github" / "actions", suite / ".github" / "actions")
    shutil.copy(ROOT / "pyproject.toml", suite)
    replaced = {"OWNER/lstm-bench@main": suite}
    for name, version in (("setup-python", "v6"), ("cache", "v4"), ("upload-artifact", "v4")):
        place = replaced[f"actions/{name}@{version}"] = tmp_path / name
        for part in ("restore", "save") if name == "cache" else ("",):
            (place / part).mkdir(parents=True)
            (place / part / "action.yml").write_text(STAND_IN.format(name=f"{name} {part}".strip()))
    folder.mkdir()
    for name, text in (("nox", WRITES_A_REPORT.format(code=code)), ("gh", '#!/bin/sh\necho "GH $*" >&2\n')):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    act = Path(sysconfig.get_path("scripts")) / "act"
    command = [act, "pull_request", "--platform", "ubuntu-latest=-self-hosted", "--eventpath", tmp_path / "event.json"]
    command += [f"--local-repository={name}={place}" for name, place in replaced.items()]
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    home.mkdir()
    done = subprocess.run(command, cwd=user, env=env, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout
    assert done.returncode == code, said + done.stderr
    asked = re.search(r"NOX -s regression -- --base abc --impl (\S+) --out (\S+) --problem t100-b32-i64-h256\n", said)
    assert asked is not None, said
    assert asked[1].endswith("/lstm/mine.py")
    assert f"| upload-artifact: {asked[2]}\n" in said
    assert re.search(r"\| cache restore: ~/.cache/lstm-bench \S+/.nox lstm-bench-Linux-\w+-\w{16}-\w{16}\n", said)
    assert re.search(r"\| cache save: ~/.cache/lstm-bench \S+/.nox", said)
    assert "--method POST" in said

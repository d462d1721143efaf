"""The GitHub action: its workflow is run by a local runner, and each script alone, with stand-ins for nox and gh."""

import hashlib
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

ACTION = ROOT / ".github" / "actions" / "regression"
NOX = """#!/bin/sh
printf '%s\\n' "$@" > "$SAID"
exit "$CODE"
"""
GH = """#!/bin/sh
printf '%s ' "$@" >> "$SAID"; echo >> "$SAID"
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
        told = {"PATH": f"{folder}:{os.environ['PATH']}", "SAID": said, "GITHUB_OUTPUT": output, **env}
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
    assert not re.search(r"run:.*\$\{\{", text)  # what a pull request says must not become a command


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


def test_without_options_there_are_none(run, tmp_path):
    said, output, _ = run(
        "gate.sh", FILE="a.py", BASE="abc", PROBLEMS="", OPTIONS="", REPORT=tmp_path, GITHUB_WORKSPACE="/w", CODE=0
    )
    assert said[-2:] == ["--out", str(tmp_path)]
    assert output[0] == "exit-code=0"


@pytest.mark.parametrize(("existing", "method"), [("", "POST"), ("17", "PATCH")])
def test_one_comment_is_made_and_then_updated(run, tmp_path, existing, method):
    (tmp_path / "regression.md").write_text("## no regression found\n")
    said, _, _ = run("comment.sh", REPORT=tmp_path, NUMBER=7, FILE="a.py", EXISTING=existing, GITHUB_REPOSITORY="o/r")
    assert said[0].startswith("api --paginate repos/o/r/issues/7/comments")
    assert said[1] == "MARKER=<!-- lstm-bench regression of a.py -->"
    assert f"--method {method}" in said[2]
    assert ("comments/17" in said[2]) == bool(existing)
    assert said[3:] == ["<!-- lstm-bench regression of a.py -->", "## no regression found"]


def test_without_a_report_nothing_is_commented(run, tmp_path):
    said, _, printed = run("comment.sh", REPORT=tmp_path, NUMBER=7, FILE="a.py", EXISTING="", GITHUB_REPOSITORY="o/r")
    assert said == []
    assert "no report" in printed


STAND_IN = """
inputs: {{path: {{}}, key: {{}}, name: {{}}, python-version: {{}}, if-no-files-found: {{}}}}
runs:
  using: composite
  steps:
    - {{shell: bash, run: 'echo "{name}:" $SAID', env: {{SAID: "${{{{ inputs.path }}}} ${{{{ inputs.key }}}}"}}}}
"""
WRITES_A_REPORT = """#!/bin/sh
echo "NOX $*"
while [ $# -gt 0 ]; do [ "$1" = --out ] && mkdir -p "$2" && echo "## a table" > "$2/regression.md"; shift; done
exit {code}
"""


@pytest.mark.slow
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
        place.mkdir()
        (place / "action.yml").write_text(STAND_IN.format(name=name))
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
    key = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:16]
    assert re.search(rf"\| cache: ~/.cache/lstm-bench \S+/.nox lstm-bench-Linux-\w+-{key}\n", said)
    assert "--method POST" in said

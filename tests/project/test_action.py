"""The GitHub action: each script alone, with stand-ins for nox and gh; nightly, its workflow in a local runner."""

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
COMMENT = {"NUMBER": 7, "NAME": "n a.py", "EXISTING": "", "GITHUB_REPOSITORY": "o/r"}


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


def test_the_steps_are_these_scripts_and_every_input_reaches_them():
    text = (ACTION / "action.yml").read_text()
    action = yaml.safe_load(text)
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    scripts = [f'"$GITHUB_ACTION_PATH/{name}.sh"' for name in ("suite", "gate", "comment")]
    assert [step["run"] for step in steps] == [*scripts, 'exit "$CODE"']
    assert all(f"inputs.{name} " in text for name in action["inputs"])
    assert steps[-1]["if"].startswith("always()")  # the verdict is told though a step before it has failed


@pytest.mark.process
@pytest.mark.parametrize("separator", [" ", "\n"])
def test_the_gate_is_called_with_the_inputs_and_its_code_is_an_output(run, tmp_path, separator):
    problems, options = (
        separator.join(words) for words in (("t1-b1-i1-h1", "t2-b2-i2-h2"), ("--strict", "--margin=5%"))
    )
    said, output, _ = run(
        "gate.sh", **GATE | {"FILE": "lstm/my file.py", "PROBLEMS": problems, "OPTIONS": options, "CODE": 3}
    )
    assert said == [
        "-s", "regression", "--", "--base", "abc", "--impl", f"{tmp_path}/lstm/my file.py", "--out", str(tmp_path),
        "--problem", "t1-b1-i1-h1", "--problem", "t2-b2-i2-h2", "--strict", "--margin=5%",
    ]  # fmt: skip
    assert output == ["exit-code=3", f"report={tmp_path}"]


@pytest.mark.process
def test_without_options_there_are_none(run, tmp_path):
    said, output, _ = run("gate.sh", **GATE)
    assert said == ["-s", "regression", "--", "--base", "abc", "--out", str(tmp_path)]
    assert output[0] == "exit-code=0"


@pytest.mark.process
@pytest.mark.parametrize("base", ["", "0" * 40])
def test_an_event_without_a_commit_before_it_is_told(run, base):
    said, output, printed = run("gate.sh", **GATE | {"BASE": "", "EVENT_BASE": base})
    assert not said
    assert output[0] == "exit-code=2"
    assert "::error::" in printed


@pytest.mark.process
@pytest.mark.parametrize(("reported", "code"), [(True, 1), (False, 3)])
def test_an_installation_that_fails_is_no_regression(run, tmp_path, reported, code):
    _, output, _ = run("gate.sh", **GATE | {"CODE": 1, "REPORTED": tmp_path if reported else ""})
    assert output[0] == f"exit-code={code}"


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
    assert base(newer) == "stale"
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
    assert said[1] == "MARKER=<!-- lstm-bench regression of n a.py -->"
    assert request_of in said[2]
    assert said[3:] == ["<!-- lstm-bench regression of n a.py -->", "## no regression found"]
    assert "warning" not in printed


@pytest.mark.process
def test_a_comment_that_is_refused_is_a_warning_and_without_a_report_there_is_none(run, tmp_path):
    """A pull request from a fork has a token that can only read."""
    said, _, printed = run("comment.sh", **COMMENT)
    assert said == []
    assert "no report" in printed
    (tmp_path / "regression.md").write_text("## x\n")
    _, _, printed = run("comment.sh", **COMMENT | {"REFUSED": "yes"})
    assert printed.startswith("::warning::")


@pytest.mark.process
def test_a_report_that_is_too_long_for_a_comment_is_cut(run, tmp_path):
    (tmp_path / "regression.md").write_text("x" + "ä" * 50_000)
    said, *_ = run("comment.sh", **COMMENT)
    body = "\n".join(said[said.index("<!-- lstm-bench regression of n a.py -->") :])
    assert len(body) < 65_536
    assert "cut off" in body.splitlines()[1]
    assert body.endswith("ä")


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


@pytest.mark.nightly
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
    for path in (folder, home):
        path.mkdir()
    for name, text in (("nox", WRITES_A_REPORT.format(code=code)), ("gh", '#!/bin/sh\necho "GH $*" >&2\n')):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    act = Path(sysconfig.get_path("scripts")) / "act"
    command = [act, "pull_request", "--platform", "ubuntu-latest=-self-hosted", "--eventpath", tmp_path / "event.json"]
    command += [f"--local-repository={name}={place}" for name, place in replaced.items()]
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    done = subprocess.run(command, cwd=user, env=env, capture_output=True, text=True, check=False)
    said = done.stdout
    assert done.returncode == code, said + done.stderr
    asked = re.search(r"NOX -s regression -- --base abc --impl (\S+) --out (\S+) --problem t100-b32-i64-h256\n", said)
    assert asked is not None, said
    assert asked[1].endswith("/lstm/mine.py")
    assert f"| upload-artifact: {asked[2]}\n" in said
    assert re.search(r"\| cache restore: ~/.cache/lstm-bench \S+/.nox lstm-bench-Linux-\w+-\w{16}-\w{16}\n", said)
    assert re.search(r"\| cache save: ~/.cache/lstm-bench \S+/.nox", said)
    assert "--method POST" in said

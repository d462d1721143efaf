"""The workflow that publishes the site: its own command builds the folder that it uploads."""

import os
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.processes import ROOT, python

WORKFLOW = ROOT / ".github" / "workflows" / "pages.yml"


@pytest.mark.slow
def test_the_workflow_builds_what_it_uploads(tmp_path):
    build, deploy = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    install, command = (step["run"] for step in build["steps"] if "run" in step)
    (upload,) = (step for step in build["steps"] if step.get("uses", "").startswith("actions/upload-pages-artifact@"))
    assert install == "python -m pip install -q nox"
    words = shlex.split(command)
    assert words[0] == "nox"
    assert words[-2:] == ["--out", upload["with"]["path"]]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = python("-m", "nox", "--no-venv", *words[1:-1], tmp_path / "site", PATH=path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    assert [step["uses"].partition("@")[0] for step in deploy["steps"]] == ["actions/deploy-pages"]
    assert deploy["needs"] == "build"
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}

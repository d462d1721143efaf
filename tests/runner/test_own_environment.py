"""An implementation of a framework that nobody knows: one file, an environment of its own, and no other change."""

import json
import platform

import pandas as pd
import pytest

from tests.helpers.processes import SMALL, impls, python
from tests.helpers.wheels import wheel

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

FRAMEWORK = """
import os
if os.environ.get("TINYFRAME_MODE") != "lstm":
    raise RuntimeError("TINYFRAME_MODE was not set before Python started")
"""
FILE = """
from dataclasses import replace
import tinyframe
from impls import numpy_lstm

FRAMEWORK = "tinyframe"
TRACK = "default"
DEVICES = ("cpu",)
WORKLOADS = ("cell", "sequence")
REQUIRES = ("tinyframe>=1.2",)
ENVIRONMENT = {"TINYFRAME_MODE": "lstm"}


def prepare(problem, weights, device, workload):
    return replace(numpy_lstm.prepare(problem, weights, device, workload), train_step=None)
"""


def test_releases_are_timed_beside_each_other_and_an_environment_holds_exactly_what_is_asked_for(tmp_path):
    mine, cache = tmp_path / "tiny_lstm.py", tmp_path / "cache"
    held = {
        "": f"tinyframe 1.3, Python {platform.python_version()}",
        "@tinyframe==1.2.*,threadpoolctl": "tinyframe 1.2, threadpoolctl 3",
    }
    for version in ("1.2", "1.3"):
        wheel(tmp_path, "tinyframe", version, FRAMEWORK)
    mine.write_text(FILE)
    asked = [f"{mine}{release}" for release in (*held, "@tinyframe==9")]
    done = python(
        "-m", "benchmarks", "bench", *impls("numpy_lstm", *asked), *SMALL, "--mode", "forward",
        "--out", tmp_path / "out", timeout=500, XDG_CACHE_HOME=str(cache), UV_FIND_LINKS=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "installing an environment for tiny_lstm@tinyframe==1.2.*" in done.stderr
    every = pd.read_parquet(tmp_path / "out" / "results.parquet").set_index(["implementation", "mode"])
    assert set(every.loc["numpy_lstm", "status"]) == {"ok"}
    for release, versions in held.items():
        rows = every.loc[f"tiny_lstm{release}"]
        assert set(rows.loc["forward", "status"]) == {"ok"}, set(rows["reason"])
        assert rows.loc["forward", "versions"].str.startswith(versions).all(), rows["versions"]
        assert set(rows.loc["train_step", "status"]) == {"unsupported"}
    rows = every.loc["tiny_lstm@tinyframe==9"]
    assert set(rows["status"]) == {"not_installed"}
    assert "tinyframe==9" in rows["reason"].iloc[0]

    path = min((cache / "lstm-bench" / "environments").glob("*/finished"), key=lambda path: path.stat().st_mtime)
    content = json.loads(path.read_text())
    names = {text.partition(">")[0] for text in content["requirements"]}
    assert names == {"msgspec", "numpy", "threadpoolctl", "tinyframe"}
    assert not (path.parent / "tmp").exists()
    site = next(path.parent.glob("lib/python*/site-packages"))
    assert (site / "tinyframe.py").exists()
    assert not (site / "torch").exists()

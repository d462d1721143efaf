"""An implementation of a framework that nobody knows: one file, an environment of its own, and no other change."""

import json
import zipfile

import pandas as pd
import pytest

from tests.helpers.processes import SMALL, impls, python

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


def test_it_is_timed_with_its_own_versions_and_its_environment_holds_exactly_what_it_asks_for(tmp_path):
    """Its framework is a wheel in a folder."""
    mine, cache, info = tmp_path / "tiny_lstm.py", tmp_path / "cache", "tinyframe-1.2.dist-info"
    with zipfile.ZipFile(tmp_path / "tinyframe-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinyframe.py", FRAMEWORK)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinyframe\nVersion: 1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    mine.write_text(FILE)
    done = python(
        "-m", "benchmarks", "bench", *impls("numpy_lstm", mine), *SMALL, "--mode", "forward", "--out", tmp_path / "out",
        timeout=500, XDG_CACHE_HOME=str(cache), PIP_FIND_LINKS=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "installing an environment for tiny_lstm" in done.stderr
    rows = pd.read_parquet(tmp_path / "out" / "results.parquet").set_index(["implementation", "mode"])
    assert set(rows.loc["numpy_lstm", "status"]) == {"ok"}
    rows = rows.loc["tiny_lstm"]
    assert set(rows.loc["forward", "status"]) == {"ok"}, set(rows["reason"])
    assert set(rows.loc["forward", "versions"]) == {"tinyframe 1.2"}
    assert set(rows.loc["train_step", "status"]) == {"unsupported"}

    (path,) = (cache / "lstm-bench" / "environments").glob("*/finished")
    content = json.loads(path.read_text())
    names = {text.partition(">")[0] for text in content["requirements"]}
    assert names == {"msgspec", "numpy", "threadpoolctl", "tinyframe"}
    assert not (path.parent / "tmp").exists()
    site = next(path.parent.glob("lib/python*/site-packages"))
    assert (site / "tinyframe.py").exists()
    assert not (site / "torch").exists()

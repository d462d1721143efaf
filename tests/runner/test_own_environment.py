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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the file, a wheel of its framework, and a cache that is empty at first."""
    folder = tmp_path_factory.mktemp("world")
    wheels = folder / "wheels"
    wheels.mkdir()
    info = "tinyframe-1.2.dist-info"
    with zipfile.ZipFile(wheels / "tinyframe-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinyframe.py", FRAMEWORK)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinyframe\nVersion: 1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (folder / "tiny_lstm.py").write_text(FILE)
    return folder


def variables(world, cache="cache", **more):
    return {"XDG_CACHE_HOME": str(world / cache), "PIP_FIND_LINKS": str(world / "wheels"), **more}


def bench(world, out, **env):
    path = world / "tiny_lstm.py"
    done = python("-m", "benchmarks", "bench", *impls("numpy_lstm", path), *SMALL, "--mode", "forward",
                  "--out", world / out, timeout=500, **env)  # fmt: skip
    rows = pd.read_parquet(world / out / "results.parquet")
    assert done.returncode == 0, done.stderr
    assert set(rows.loc[rows["implementation"] == "numpy_lstm", "status"]) == {"ok"}
    return done, rows[rows["implementation"] == "tiny_lstm"]


def test_it_is_timed_beside_the_others_with_its_own_versions_and_its_environment_holds_exactly_what_it_asks_for(world):
    done, mine = bench(world, "first", **variables(world))
    assert "installing an environment for tiny_lstm" in done.stderr
    modes = mine.set_index("mode")
    assert set(modes.loc["forward", "status"]) == {"ok"}, set(mine["reason"])
    assert set(modes.loc["forward", "versions"]) == {"tinyframe 1.2"}
    assert set(modes.loc["train_step", "status"]) == {"unsupported"}

    (path,) = (world / "cache" / "lstm-bench" / "environments").glob("*/finished")
    content = json.loads(path.read_text())
    names = {text.partition(">")[0] for text in content["requirements"]}
    assert names == {"msgspec", "numpy", "threadpoolctl", "tinyframe"}
    assert not (path.parent / "tmp").exists()
    site = next(path.parent.glob("lib/python*/site-packages"))
    assert (site / "tinyframe.py").exists()
    assert not (site / "torch").exists()


@pytest.mark.nightly
def test_without_a_network_it_comes_from_the_cache_and_otherwise_it_is_not_installed_and_the_run_is_well(world):
    """Follows the test above, which has filled the cache."""
    done, mine = bench(world, "second", XDG_CACHE_HOME=str(world / "cache"), PIP_NO_INDEX="1")
    assert "installing" not in done.stderr
    assert set(mine["status"]) == {"ok", "unsupported"}
    _, mine = bench(world, "third", **variables(world, "empty", PIP_NO_INDEX="1"))
    assert set(mine["status"]) == {"not_installed"}
    assert mine["reason"].str.contains("pip install 'tinyframe>=1.2'").all()
    assert not list((world / "empty" / "lstm-bench" / "environments").glob("*/"))

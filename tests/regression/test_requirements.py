"""Environments of two sides that differ in what was asked for."""

import platform
import sys
from importlib import metadata

import pytest

from benchmarks.regression import requirements
from benchmarks.regression.snapshots import Unusable
from impls.core import environments


def test_requirements_of_an_older_pyproject():
    found = requirements.of_pyproject('[dependency-groups]\ncore = ["b>=1", {include-group = "x"}]\nx = ["a"]\n')
    assert found == ["a", "b>=1"]
    with pytest.raises(Unusable, match="no usable dependency group"):
        requirements.of_pyproject("[project]\nname = 'x'\n")


def test_base_and_head_differ_in_what_was_asked_for_and_nothing_else(monkeypatch):
    built = []

    def build(wanted, constraints=(), purpose=""):
        built.append((sorted(wanted), sorted(constraints)))
        return "head" if len(built) == 1 else "base"

    held = {
        "head": {"Python": "3.13.5", "jax": "0.10.2", "numpy": "2.4"},
        "base": {"Python": "3.11.7", "jax": "0.9.0", "numpy": "2.4", "six": "1"},
    }
    monkeypatch.setattr(environments, "build", build)
    monkeypatch.setattr(requirements, "freeze", held.__getitem__)
    base, head, differ = requirements.pair(["jax>=0.8", "numpy>=2"], held["head"], {"jax": "jax==0.9.0"}, "x")
    assert (base, head) == ("base", "head")
    assert built == [(["jax>=0.8", "numpy>=2"], []), (["jax==0.9.0", "numpy>=2"], ["numpy==2.4"])]
    assert requirements.short(differ) == "Python 3.11.7 → 3.13.5, jax 0.9.0 → 0.10.2, six 1 → none"
    built.clear()
    with pytest.raises(Unusable, match="holds the same"):
        requirements.pair(["jax>=0.8", "numpy>=2"], held["head"], {"numpy": "numpy==2.4"}, "x")


@pytest.mark.process
def test_what_an_environment_holds_has_its_python():
    held = requirements.freeze(sys.executable)
    assert held["Python"] == platform.python_version()
    assert held["numpy"] == metadata.version("numpy")

"""Environments of two sides that differ in what was asked for."""

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

    held = {"head": {"jax": "0.10.2", "numpy": "2.4"}, "base": {"jax": "0.9.0", "numpy": "2.4", "six": "1"}}
    monkeypatch.setattr(environments, "build", build)
    monkeypatch.setattr(requirements, "freeze", held.__getitem__)
    base, head, differ = requirements.pair(["jax>=0.8", "numpy>=2"], held["head"], {"jax": "jax==0.9.0"}, "x")
    assert (base, head) == ("base", "head")
    assert built == [(["jax>=0.8", "numpy>=2"], []), (["jax==0.9.0", "numpy>=2"], ["numpy==2.4"])]
    assert requirements.short(differ) == "jax 0.9.0 → 0.10.2, six 1 → none"
    built.clear()
    with pytest.raises(Unusable, match="holds the same"):
        requirements.pair(["jax>=0.8", "numpy>=2"], held["head"], {"numpy": "numpy==2.4"}, "x")

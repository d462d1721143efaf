"""Which environment changes for which implementation, where packages are asked for; and a base without the file."""

from importlib import metadata
from types import SimpleNamespace

import pytest

from benchmarks.regression import comparison, requirements
from benchmarks.regression.snapshots import Unusable
from impls.core import environments
from tests.helpers.processes import git

HELD = {"equinox_lstm": {"equinox", "jax", "jaxlib"}, "keras_tensorflow": {"keras", "tensorflow-cpu"}}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def asked(monkeypatch):
    """What each environment was asked to change; this process's environment has jax, jaxlib and torch."""
    asked = []

    def pair(wanted, named, purpose="a regression"):
        asked.append((purpose, sorted(named.values())))
        return f"base of {purpose}", f"head of {purpose}", {"x": ("1", purpose)}

    here = [SimpleNamespace(name=name) for name in ("jax", "jaxlib", "torch")]
    monkeypatch.setattr(metadata, "distributions", lambda: here)
    monkeypatch.setattr(requirements, "pair", pair)
    monkeypatch.setattr(environments, "build", lambda wanted, purpose: purpose)
    monkeypatch.setattr(requirements, "freeze", lambda python: dict.fromkeys(HELD.get(python, ())))
    return asked


@pytest.mark.process
def test_every_environment_that_holds_a_package_changes(asked):
    """Also where only one of the implementations names it in REQUIRES, and jaxlib, which none names."""
    specs = ["jax==0.10.1", "jaxlib==0.10.1"]
    found = comparison.by_requirement(["jax_scan", "equinox_lstm"], specs)
    assert sorted(asked) == [("a regression", specs), ("equinox_lstm", specs)]
    assert found.base.versions["jax_scan"].python == "base of a regression"
    assert found.head.versions["equinox_lstm"].python == "head of equinox_lstm"


@pytest.mark.process
def test_an_environment_without_the_package_does_not_change(asked):
    with pytest.raises(Unusable, match=r"the environment of keras_tensorflow has none of jax==0\.10\.1"):
        comparison.by_requirement(["jax_scan", "keras_tensorflow"], ["jax==0.10.1"])
    asked.clear()
    comparison.by_requirement(["keras_tensorflow"], ["keras==3.12"])
    assert asked == [("keras_tensorflow", ["keras==3.12"])]


@pytest.mark.process
def test_a_package_that_no_environment_holds_goes_into_the_core_one(asked):
    comparison.by_requirement(["torch_cell"], ["left-pad==1"])
    assert asked == [("a regression", ["left-pad==1"])]


@pytest.mark.process
def test_with_all_an_environment_that_cannot_be_built_leaves_the_others_alone(asked, monkeypatch):
    def build(wanted, purpose):
        if purpose == "keras_jax":
            raise environments.NotBuilt("no network")
        return purpose

    monkeypatch.setattr(environments, "build", build)
    found = comparison.by_requirement(["all"], ["jax==0.10.1"])
    assert {purpose for purpose, _ in asked} == {"a regression", "equinox_lstm"}
    for side in (found.base, found.head):
        assert side.versions["keras_jax"].failure.status == "not_installed"
        assert side.versions["jax_scan"].failure is None
        assert "openvino_lstm" not in side.versions
    with pytest.raises(environments.NotBuilt, match="no network"):
        comparison.by_requirement(["keras_jax", "jax_scan"], ["jax==0.10.1"])


@pytest.mark.process
def test_a_core_environment_that_cannot_be_built_is_an_error(asked, monkeypatch):
    def pair(wanted, named, purpose="a regression"):
        asked.append(purpose)
        raise environments.NotBuilt("no network")

    monkeypatch.setattr(requirements, "pair", pair)
    with pytest.raises(environments.NotBuilt, match="no network"):
        comparison.by_requirement([], ["jax==0.10.1"])
    assert asked == ["a regression"]  # and is tried once


IMPLEMENTATION = 'FRAMEWORK = "torch"\nTRACK = "tuned"\n\n\ndef prepare(problem, weights, device, workload): ...\n'


@pytest.mark.process
@pytest.mark.parametrize("folder", [".", "lstm"])
def test_a_file_that_the_base_does_not_have_is_only_in_the_head(tmp_path, folder):
    """As in the pull request that brings it, with or without its folder."""
    git(tmp_path, "init", "-q")
    (tmp_path / "other").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "mine.py"
    path.write_text(IMPLEMENTATION)
    found = comparison.by_revision([str(path)], "HEAD")
    assert not found.base.versions
    assert list(found.head.versions) == ["mine"]
    path.unlink()
    with pytest.raises(Unusable, match="exists neither in HEAD nor in the working tree"):
        comparison.by_revision([str(path)], "HEAD")


@pytest.mark.process
def test_a_file_from_elsewhere_is_not_taken_for_this_repositorys_of_the_same_name(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    path = tmp_path / "numpy_lstm.py"
    path.write_text(IMPLEMENTATION)
    found = comparison.by_revision(["torch_cell", str(path)], "HEAD")
    assert list(found.base.versions) == ["torch_cell"]
    assert list(found.head.versions) == ["torch_cell", "numpy_lstm"]

"""What is compared: which implementations, by which files, and in which environments."""

import os
from importlib import metadata
from types import SimpleNamespace

import pytest

from benchmarks import ROOT
from benchmarks.regression import comparison, requirements, snapshots
from benchmarks.regression.snapshots import Unusable
from impls.core import environments
from impls.core.installing import NotBuilt
from tests.helpers.processes import git

HELD = {"equinox_lstm": {"equinox", "jax", "jaxlib"}, "keras_tensorflow": {"keras", "tensorflow-cpu"}}
IMPLEMENTATION = 'FRAMEWORK = "torch"\nTRACK = "tuned"\n\n\ndef prepare(problem, weights, device, workload): ...\n'


@pytest.fixture
def asked(monkeypatch):
    """What each environment was asked to change; this process's environment has jax, jaxlib and torch."""
    asked = []

    def apart(before, now, purpose):
        asked.append((purpose, sorted({*before} - {*now})))
        return f"base of {purpose}", f"head of {purpose}", dict.fromkeys(requirements.names_of(before), ("1", purpose))

    here = [SimpleNamespace(name=name) for name in ("jax", "jaxlib", "torch")]
    monkeypatch.setattr(metadata, "distributions", lambda: here)
    monkeypatch.setattr(requirements, "apart", apart)
    monkeypatch.setattr(environments, "build", lambda wanted, purpose: purpose)
    monkeypatch.setattr(requirements, "freeze", lambda python: dict.fromkeys(HELD.get(python, ())))
    monkeypatch.setattr(snapshots, "of_working_tree", lambda folder, name: ROOT)
    return asked


@pytest.mark.parametrize(
    ("names", "specs", "wanted"),
    [
        # also where only one names it in REQUIRES, and jaxlib, which none names
        (["jax_scan", "equinox_lstm"], ["jax==1", "jaxlib==1"], ["a regression", "equinox_lstm"]),
        (["keras_tensorflow"], ["keras==3.12"], ["keras_tensorflow"]),
    ],
)
def test_every_environment_that_holds_a_package_changes(asked, names, specs, wanted):
    found = comparison.by_requirement(names, specs)
    assert sorted(asked) == [(purpose, specs) for purpose in wanted]
    for label, side in (("base", found.base), ("head", found.head)):
        pythons = {version.python for version in side.versions.values()}
        assert pythons == {f"{label} of {purpose}" for purpose in wanted}


def test_an_implementation_whose_environment_lacks_the_package_is_refused_by_name_and_left_out_otherwise(asked):
    with pytest.raises(Unusable, match=r"keras_tensorflow has none of jax==1"):
        comparison.by_requirement(["jax_scan", "keras_tensorflow"], ["jax==1"])
    found = comparison.by_requirement(["common", "others"], ["jax==1"])
    assert "keras_tensorflow" not in found.head.versions
    assert "jax_scan" in found.head.versions


@pytest.mark.parametrize("specs", [["mistyped==1"], ["jax==1", "mistyped==1"]])
@pytest.mark.parametrize("names", [[], ["all"], ["jax_scan"]])
def test_a_package_that_no_environment_has_is_refused_by_name(names, specs, asked):
    with pytest.raises(Unusable, match="mistyped"):
        comparison.by_requirement(names, specs)


def test_an_own_environment_that_cannot_be_built_leaves_the_others_alone(asked, monkeypatch):
    def build(wanted, purpose):
        if purpose == "keras_jax":
            raise NotBuilt("no network")
        return purpose

    monkeypatch.setattr(environments, "build", build)
    found = comparison.by_requirement(["all"], ["jax==1"])
    for side in (found.base, found.head):
        assert side.versions["keras_jax"].failure.status == "not_installed"
        assert side.versions["jax_scan"].failure is None


OWN = {"torch_cell": "# 1\n", "numpy_lstm": "# 1\n", "numpy_other": "# 1\n"}


@pytest.fixture
def of_trees(monkeypatch, tmp_path):
    """Compare two trees: base's and head's files of impls/, without git; `shared` is a file that others import."""

    def compare(base, head, wanted=(), shared=("", ""), core=("six", "six")):
        for label, files, text in (("base", base, shared[0]), ("head", head, shared[1])):
            folder = tmp_path / label / "impls"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "shared.py").write_text(text)
            for name, comment in files.items():
                (folder / f"{name}.py").write_text(IMPLEMENTATION + comment)
        groups = [f'[dependency-groups]\ncore = ["{package}"]\n' for package in core]
        (tmp_path / "pyproject.toml").write_text(groups[1])
        monkeypatch.setattr(snapshots, "of_revision", lambda folder, revision, name: tmp_path / "base")
        now = "base" if (base, shared[0]) == (head, shared[1]) else "head"  # a snapshot is named after what it holds
        monkeypatch.setattr(snapshots, "of_working_tree", lambda folder, name: tmp_path / now)
        monkeypatch.setattr(snapshots, "resolve", lambda folder, revision: "0" * 40)
        monkeypatch.setattr(snapshots, "check_contract", lambda folder, revision: None)
        monkeypatch.setattr(snapshots, "git", lambda folder, *arguments: groups[0])
        monkeypatch.setattr(comparison, "ROOT", tmp_path)
        return comparison.by_revision(wanted, "v1")

    return compare


def test_without_names_the_gated_are_compared_and_what_differs(of_trees):
    found = of_trees(OWN, OWN | {"numpy_lstm": "# 2\n", "numpy_new": ""})
    assert set(found.base.versions) == {"torch_cell", "numpy_lstm"}
    assert set(found.head.versions) == {"torch_cell", "numpy_lstm", "numpy_new"}
    assert not found.alike
    assert found.title == "v1 (000000000000) against the working tree"


def test_where_a_shared_file_differs_every_implementation_may(of_trees):
    found = of_trees(OWN, OWN, shared=("", "x = 1\n"))
    assert set(found.head.versions) == set(OWN)


@pytest.mark.parametrize(("head", "alike"), [(OWN, True), (OWN | {"torch_cell": "# 2\n"}, False)])
def test_sides_are_alike_where_no_file_and_no_environment_differs(of_trees, head, alike):
    assert of_trees(OWN, head, ["torch_cell"]).alike is alike


def test_where_requirements_differ_each_side_has_an_environment_of_its_own(of_trees, monkeypatch):
    monkeypatch.setattr(requirements, "apart", lambda before, now: (*before, *now, {"six": ("1", "2")}))
    found = of_trees(OWN, OWN, ["torch_cell"], core=("six==1", "six==2"))
    assert [side.versions["torch_cell"].python for side in (found.base, found.head)] == ["six==1", "six==2"]
    assert not found.alike
    assert found.title.endswith("with six 1 → 2")


def test_what_cannot_be_read_on_a_side_is_not_alike(of_trees):
    found = of_trees(OWN, OWN | {"torch_cell": "def (\n"}, ["torch_cell"])
    assert "impls/torch_cell.py, line" in found.head.unreadable["torch_cell"]
    broken = OWN | {"numpy_lstm": "def (\n"}
    assert not of_trees(broken, broken, ["torch_cell", "numpy_lstm"]).alike


def test_what_cannot_be_read_is_of_any_set(of_trees):
    files = OWN | {"numpy_other": "def (\n"}
    for word, names in (("all", OWN), ("common", OWN), ("others", ["numpy_other"])):
        assert set(of_trees(files, files, [word]).head.names) == {*names}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["nothing_like_it"], "nothing_like_it"),
        (["a/numpy_lstm.py", "numpy_lstm"], "numpy_lstm is named twice"),
        (["torch_cell@torch==2.11.*"], "--base-requirement"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(of_trees, wanted, words):
    with pytest.raises(ValueError, match=words):
        of_trees(OWN, OWN, wanted)


@pytest.mark.process
@pytest.mark.parametrize("folder", [".", "lstm"])
def test_a_file_that_the_base_does_not_have_is_only_in_the_head(tmp_path, folder, monkeypatch):
    """As in the pull request that brings it, with or without its folder; also where it is called as one of ours."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    (tmp_path / folder).mkdir(exist_ok=True)
    path = tmp_path / folder / "numpy_lstm.py"
    path.write_text(IMPLEMENTATION)
    found = comparison.by_revision(["torch_cell", str(path)], "HEAD")
    assert list(found.base.versions) == ["torch_cell"]
    assert list(found.head.versions) == ["torch_cell", "numpy_lstm"]
    path.write_text(IMPLEMENTATION.replace("tuned", "peak"))
    assert "TRACK is 'peak'" in comparison.by_revision([str(path)], "HEAD").head.unreadable["numpy_lstm"]
    path.unlink()
    with pytest.raises(Unusable, match=r"exists neither in HEAD nor in the working tree$"):
        comparison.by_revision([str(path)], "HEAD")
    path.write_text(IMPLEMENTATION)
    path.with_name(".gitignore").write_text("numpy_lstm.py")
    with pytest.raises(Unusable, match="git ignores it"):
        comparison.by_revision([str(path)], "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose lstm/ has two versions of a file, a link to the first, and a folder beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "r" / "lstm").mkdir(parents=True)
    (tmp_path / "r" / "other").mkdir()
    (tmp_path / "r" / "other" / "helper.py").write_text("1")
    (tmp_path / "r" / ".gitignore").write_text("built.*\n__pycache__/\n")
    for name in ("v1", "v2"):
        (tmp_path / "r" / "lstm" / f"{name}.py").write_text(f"{IMPLEMENTATION}# {name}\n")
    (tmp_path / "r" / "lstm" / "current.py").symlink_to("v1.py")
    (tmp_path / "r" / "versions").symlink_to("lstm")
    git(tmp_path / "r", "init", "-q")
    git(tmp_path / "r", "add", "-A")
    git(tmp_path / "r", "commit", "-qm", "one")
    return tmp_path / "r"


def ends_of(found, name):
    """The last line of an implementation's file on each side."""
    versions = [side.versions[name].implementation for side in (found.base, found.head)]
    return [version.path.read_text().splitlines()[-1] for version in versions]


@pytest.mark.process
def test_a_link_is_followed_on_each_side_of_its_own(repository, tmp_path):
    """As in `current.py -> v2.py`, a folder that is a link, and a link from elsewhere into the repository."""
    (repository / "lstm" / "current.py").unlink()
    (repository / "lstm" / "current.py").symlink_to("v2.py")
    for path in (repository / "lstm" / "current.py", repository / "versions" / "current.py"):
        assert ends_of(comparison.by_revision([str(path)], "HEAD"), "current") == ["# v1", "# v2"]
    (tmp_path / "mine").symlink_to(repository / "lstm")
    assert ends_of(comparison.by_revision([str(tmp_path / "mine" / "v1.py")], "HEAD"), "v1") == ["# v1", "# v1"]
    git(repository, "rm", "-rq", "other")
    (repository / "other").mkdir()
    (repository / "other" / "mine.py").write_text(f"{IMPLEMENTATION}# v3\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    git(repository, "rm", "-rq", "other")
    assert not (repository / "other").exists(), "it is in both revisions"
    found = comparison.by_revision([str(repository / "other" / "mine.py")], "HEAD", "HEAD")
    assert ends_of(found, "mine") == ["# v3", "# v3"]
    twice = [str(repository / "lstm" / "v1.py"), str(repository / "lstm" / ".." / "lstm" / "v1.py")]
    assert list(comparison.by_revision(twice, "HEAD").head.versions) == ["v1"]


@pytest.mark.process
def test_a_sparse_checkout_hides_nothing_of_a_revision(repository, tmp_path, monkeypatch):
    git(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "lstm")
    found = comparison.by_revision([str(repository / "lstm" / "v1.py")], "HEAD")
    base = found.base.versions["v1"].implementation.path.parents[1]
    assert (base / "other" / "helper.py").exists()
    monkeypatch.setattr(snapshots, "of_revision", lambda *_: tmp_path / "empty")
    with pytest.raises(snapshots.Incomplete, match=r"HEAD has lstm/v1\.py"):
        comparison.by_revision([str(repository / "lstm" / "v1.py")], "HEAD")


@pytest.mark.process
def test_what_git_ignores_beside_a_file_is_named(repository):
    (repository / "lstm" / "__pycache__").mkdir()
    (repository / "other" / "built.py").touch()
    (repository / ".gitignore").write_text("built.*\n__pycache__/\n.env\n")
    (repository / "lstm" / ".env").touch()
    assert not comparison.by_revision([str(repository / "lstm" / "v1.py")], "HEAD").left_out
    (repository / "lstm" / "built.so").touch()
    found = comparison.by_revision([str(repository / "lstm" / "v1.py")], "HEAD")
    assert "built.so" in found.left_out[0]
    assert set(found.head.versions["v1"].origin.missing) == {"lstm/.env", "lstm/built.so", "other/built.py"}


@pytest.mark.process
def test_the_suites_own_cache_in_a_repository_is_left_out(repository, monkeypatch):
    """As with XDG_CACHE_HOME=$CI_PROJECT_DIR/.cache: each gate would copy the snapshots of those before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(repository / ".cache"))
    for _ in range(2):
        assert comparison.by_revision([str(repository / "lstm" / "v1.py")], "HEAD").alike


@pytest.mark.process
def test_what_a_file_can_import_from_its_whole_repository_is_compared(tmp_path, monkeypatch):
    """As in a repository of many projects, where `../helpers.py` differs, or a file with an odd name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = tmp_path / "r"
    (repository / "lstm").mkdir(parents=True)
    (repository / "lstm" / "mine.py").write_text(IMPLEMENTATION)
    (repository / "helpers.py").write_text("1")
    (repository / os.fsdecode(b"\xff")).touch()
    (repository / "data").symlink_to("/nowhere")
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    (repository / "README.md").write_text("more")
    assert comparison.by_revision([str(repository / "lstm" / "mine.py")], "HEAD").alike
    (repository / "helpers.py").write_text("2")
    found = comparison.by_revision([str(repository / "lstm" / "mine.py")], "HEAD")
    assert not found.alike
    sides = [side.versions["mine"].implementation.path.parents[1] for side in (found.base, found.head)]
    assert [(side / "helpers.py").read_text() for side in sides] == ["1", "2"]

"""A gate is fair to its sides: chance decides which comes first, paths are equally long, caches are apart."""

import random

import pytest

from benchmarks.runner.home import worker_variables
from benchmarks.runner.sides import Side, Version
from impls.core import registry
from tests.helpers.sessions import session_of

NAMES = ("torch_lstm", "torch_cell")
LABELS = ("base", "head")


@pytest.fixture
def session(tmp_path):
    """A gate whose base lies in a folder with a much longer name than head's."""
    roots = {"base": tmp_path / "an-older-version-of-the-same-files", "head": tmp_path / "new"}
    sides = [Side(label, {name: Version(registry.resolve(name), roots[label]) for name in NAMES}) for label in LABELS]
    return session_of(tmp_path, *sides)


def test_which_side_gets_the_first_alias_is_random(session):
    first = {name: set() for name in NAMES}
    for seed in range(50):
        session.make_arms(NAMES, random.Random(seed))
        for (label, name), arm in session.arms.items():
            if arm.home.path[0].name == f"{name}-0":
                first[name].add(label)
    assert first == {name: set(LABELS) for name in NAMES}


def test_in_every_replicate_an_alias_leads_to_the_files_of_its_own_side(session):
    for seed in range(10):
        session.make_arms(NAMES, random.Random(seed))
        for side in session.sides:
            for name in NAMES:
                assert session.arms[side.label, name].home.path[0].readlink() == side.versions[name].root


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_a_worker_is_equally_long_on_both_sides(session, name):
    """Where an array lies, and so how fast it is, depends on how long a process's paths and variables are."""
    session.make_arms(NAMES, random.Random(0))
    base, head = (
        worker_variables(arm.implementation, arm.device, 1, arm.dtype, arm.folder, arm.home)
        for arm in (session.arms[label, name] for label in LABELS)
    )
    assert base["PYTHONPATH"] != head["PYTHONPATH"]
    assert {key: len(value) for key, value in base.items()} == {key: len(value) for key, value in head.items()}


def test_each_arm_has_compile_caches_of_its_own(session):
    session.make_arms(NAMES, random.Random(0))
    assert len({arm.folder for arm in session.arms.values()}) == len(LABELS) * len(NAMES)

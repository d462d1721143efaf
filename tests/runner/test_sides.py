"""A gate is fair to its sides: chance decides which comes first, paths are equally long, caches are apart."""

import pytest

from benchmarks.runner.sides import ArmFailed, Side, Version, worker_variables
from benchmarks.worker import requests
from impls.core import registry
from tests.helpers.processes import ROOT
from tests.helpers.sessions import arm_of, session_of

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
    for _ in range(50):
        session.make_arms(NAMES)
        for (label, name), arm in session.arms.items():
            if arm.version.root.name == f"{name}-0":
                first[name].add(label)
    assert first == {name: set(LABELS) for name in NAMES}


def test_in_every_replicate_an_alias_leads_to_the_files_of_its_own_side(session):
    for _ in range(10):
        session.make_arms(NAMES)
        for side in session.sides:
            for name in NAMES:
                assert session.arms[side.label, name].version.root.readlink() == side.versions[name].root


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_a_worker_is_equally_long_on_both_sides(session, name):
    """Where an array lies, and so how fast it is, depends on how long a process's paths and variables are."""
    session.make_arms(NAMES)
    base, head = (
        worker_variables(arm.version, arm.options, 1, arm.dtype, arm.folder)
        for arm in (session.arms[label, name] for label in LABELS)
    )
    assert {key: len(value) for key, value in base.items()} == {key: len(value) for key, value in head.items()}


def test_an_arm_knows_of_float64_where_one_of_its_benchmarks_computes_in_it(tmp_path):
    versions = {"numpy_lstm": Version(registry.resolve("numpy_lstm"))}
    benchmarks = [f"t4-b2-i8-h8{suffix}/sequence/forward" for suffix in ("", "-float64")]
    sides = [Side("run", versions), Side("float32", versions, dtype="float32")]
    session = session_of(tmp_path, *sides, benchmarks=benchmarks)
    session.make_arms(["numpy_lstm"])
    assert {label: arm.dtype for (label, _), arm in session.arms.items()} == {"run": "float64", "float32": "float32"}
    assert {arm.cores for arm in session.arms.values()} == {session.cores}


BUILDS = """
import os, pathlib, tempfile
FRAMEWORK = "numpy"
TRACK = "default"
places = [pathlib.Path.home(), tempfile.gettempdir(), *(os.environ[name] for name in ("XDG_CACHE_HOME",
    "TORCH_EXTENSIONS_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "NUMBA_CACHE_DIR"))]
for place in map(pathlib.Path, places):
    place.mkdir(parents=True, exist_ok=True)
    if (place / "built").exists():  # by another, under the same name
        raise RuntimeError(f"{place} holds what another has built")
    (place / "built").touch()
def prepare(problem, weights, device, workload): ...
"""


@pytest.mark.process
def test_what_an_arm_builds_as_it_is_imported_is_no_other_arms(tmp_path):
    """Extensions of PyTorch and Cython's modules lie in one cache by name."""
    versions = {}
    for name in ("mine", "other"):
        (tmp_path / f"{name}.py").write_text(BUILDS)
        versions[name] = Version(registry.read_foreign(tmp_path / f"{name}.py"))
    with session_of(tmp_path, *(Side(label, versions) for label in LABELS)) as session:
        session.make_arms(list(versions))
        for arm in session.arms.values():
            arm.ensure_running()
            arm.kill()


OLD = {
    "families/shared.py": "WHERE = 'the side'\n",
    "core/contract.py": "raise RuntimeError('the core of the side')\n",
    "api.py": "raise RuntimeError('the api of the side')\n",
    "mine.py": """
from impls.api import Unsupported
from impls.core import contract
from impls.families.shared import WHERE
FRAMEWORK = "numpy"
TRACK = "default"
def prepare(problem, weights, device, workload):
    raise Unsupported(f"{WHERE}; {contract.__file__}")
""",
    "gone.py": """
from impls.core.contract import NEVER_THERE
FRAMEWORK = "numpy"
TRACK = "default"
def prepare(problem, weights, device, workload): ...
""",
}


@pytest.mark.process
def test_a_side_has_its_own_implementations_and_families_and_the_core_of_the_working_tree(tmp_path):
    """The contract between suite and implementation is no part of what is compared."""
    for name, text in OLD.items():
        path = tmp_path / "impls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    mine, gone = (Version(registry.read(tmp_path / "impls" / f"{name}.py"), tmp_path) for name in ("mine", "gone"))
    arm = arm_of(mine, tmp_path)
    try:
        arm.ensure_running()
        with pytest.raises(ArmFailed, match=f"unsupported: the side; {ROOT}/impls/core/contract.py"):
            arm.ask(requests.Open("t1-b1-i1-h1/sequence/forward", 0, None, 0))
    finally:
        arm.kill()
    with pytest.raises(ArmFailed, match=r"error: cannot import name 'NEVER_THERE' .* is that of the working tree"):
        arm_of(gone, tmp_path).ensure_running()

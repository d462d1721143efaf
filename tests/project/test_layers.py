"""Each room imports only what it may, also inside functions; and a process loads no more than it needs.

The standard library's ast reads the imports rather than import-linter, so one table holds all rules.
"""

import ast
import subprocess
import sys

import pytest

from benchmarks.__main__ import COMMANDS
from tests.helpers.processes import ROOT


def imports(source):
    """Every name that some code imports, such as `impls.core.problem.Problem`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (each.value for each in node.args[:1] if isinstance(each, ast.Constant))


PACKAGES = ("impls", "benchmarks", "reports", "tests")
PATHS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}
IMPLEMENTATIONS = {name for name in PATHS if name.count(".") == 1 and name.startswith("impls.")} - {
    *("impls.__main__", "impls.api", "impls.core", "impls.families", "impls.native")
}
FRAMEWORKS = {name.partition(".")[0] for module in IMPLEMENTATIONS for name in imports(PATHS[module].read_bytes())} - {
    "impls",
    "numpy",
    "scipy",
    "threadpoolctl",
    *sys.stdlib_module_names,
} | {"jaxlib"}
"""Whatever an implementation imports, other than what the suite needs itself."""
COMMAND_ROOMS = (
    "benchmarks.agree",
    "benchmarks.bench",
    "benchmarks.regression",
    "benchmarks.calibration",
    "benchmarks.fleet",
)
FORBIDDEN = {
    "impls": ("benchmarks", "reports", "tests"),
    "impls.core": ("impls.families", "impls.api", "impls.native", *IMPLEMENTATIONS),
    "impls.families": tuple(IMPLEMENTATIONS),
    "impls.native": ("impls",),  # it is installed without the rest
    # it may import the one that it exports
    **{name: tuple(IMPLEMENTATIONS - {name, name.removesuffix("_exported")}) for name in IMPLEMENTATIONS},
    "benchmarks": ("reports", "tests"),
    "benchmarks.worker": ("benchmarks.runner", *COMMAND_ROOMS),
    "benchmarks.runner": COMMAND_ROOMS,
    "benchmarks.regression": ("benchmarks.calibration", "benchmarks.fleet"),
    "reports": (*FRAMEWORKS, "tests"),
    "tests": tuple(name for name in PATHS if ".test_" in name and not name.startswith("tests.gpu.")),
}
"""What no module of a room imports."""
STATISTICS = ("numpy", "scipy", "statsmodels", "benchmarks.statistics", *sys.stdlib_module_names)
"""All that benchmarks.statistics imports."""


def within(name, *rooms):
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def broken(module, source):
    """What a module imports and must not."""
    names = list(imports(source))
    found = [name for room in FORBIDDEN if within(module, room) for name in names if within(name, *FORBIDDEN[room])]
    if not within(module, "impls.native"):  # which has another name where it is installed
        found += [name for name in names if name.startswith(".")]  # by its whole name, or no rule sees it
    if within(module, "benchmarks.statistics"):
        found += [name for name in names if not within(name, *STATISTICS)]
    return found


def test_every_module_imports_only_what_it_may():
    found = {module: broken(module, path.read_bytes()) for module, path in PATHS.items()}
    assert {module: names for module, names in found.items() if names} == {}
    assert len(found) > 200


def missing(source):
    """What some code imports of the suite that is not there; mypy does not look for it in impls/."""
    names = [name for name in imports(source) if within(name, "impls")]
    packages = {name for name, path in PATHS.items() if path.name == "__init__.py"}
    return [name for name in names if name not in PATHS and name.rpartition(".")[0] not in PATHS.keys() - packages]


def test_what_implementations_import_of_the_suite_is_there():
    assert {module: missing(path.read_bytes()) for module, path in PATHS.items() if missing(path.read_bytes())} == {}
    assert missing("from impls.families.nothing import layer") == ["impls.families.nothing.layer"]
    assert missing("import impls.nope") == ["impls.nope"]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("impls.core.weights", "from reports import tables"),
        ("impls.core.weights", "from impls.families.torch import Model"),
        ("impls.families.torch", "from impls import jax_scan"),
        ("impls.native.module", "from impls.core import files"),
        ("impls.torch_lstm", "from impls.jax_scan import prepare"),
        ("benchmarks.calibration.pool", "def late():\n    import reports.tables"),
        ("benchmarks.options", "importlib.import_module('reports.tables')"),
        ("benchmarks.statistics.ratios", "from benchmarks import record"),
        ("benchmarks.worker.__main__", "from benchmarks import runner"),
        ("benchmarks.runner.session", "from benchmarks import regression"),
        ("benchmarks.regression.decision", "from benchmarks.calibration import pool"),
        ("benchmarks.regression.decision", "from ..calibration import pool"),
        ("reports.tables", "def late():\n    from jax import numpy"),
        ("tests.test_other", "from tests.project.test_layers import broken"),
    ],
)
def test_a_broken_rule_is_found(module, line):
    good = "import math\nimport numpy\n"
    assert not broken(module, good)
    assert len(broken(module, good + line)) == 1


def loaded(code):
    """The modules that a process has loaded after some code."""
    command = [sys.executable, "-c", f"import importlib, sys; {code}; print('LOADED', *sorted(sys.modules))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.process
def test_commands_start_without_a_framework_and_a_worker_with_only_what_it_needs():
    """A worker's environment may hold no more, and what it imports costs memory in every process."""
    modules = ["reports.__main__", "benchmarks.__main__", *(place.partition(":")[0] for place in COMMANDS.values())]
    listed = "import benchmarks.__main__; benchmarks.__main__.cli(['list'], standalone_mode=False)"
    assert not loaded(f"[*map(importlib.import_module, {modules})]; {listed}") & FRAMEWORKS
    assert loaded("import flax") & FRAMEWORKS, "the negative control"
    heavy = {"pyarrow", "pandas", "click", "rich", "scipy", "psutil", *FRAMEWORKS}
    assert not loaded("import benchmarks.worker.__main__") & heavy
    assert not loaded(listed) & (heavy - {"click"} | {"python_discovery", "virtualenv", "packaging"})

"""Each room imports only what it may.

Rules are checked on the source of every package, with the imports inside functions. The standard library's ast does it
rather than import-linter: a worker's needs are a rule about the imports that run at start, which import-linter does not
tell apart from those inside functions.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS
from tests.helpers.processes import ROOT

FRAMEWORKS = (
    *("torch", "torchrl", "jax", "jaxlib", "flax", "equinox", "haiku", "keras", "tensorflow"),
    *("onnxruntime", "openvino", "mlx", "tinygrad", "paddle"),
)


@dataclass(frozen=True)
class Import:
    """One import statement's one name, such as `impls.core.problem.Problem`."""

    importer: str
    imported: str
    line: int
    at_start: bool
    """Whether it runs when the importer is imported: it stands outside functions and outside TYPE_CHECKING."""

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}, imports {self.imported}"


@dataclass
class Tree:
    """The modules of some packages, and what they import."""

    imports: dict[str, list[Import]] = field(default_factory=dict)
    implementations: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, root: Path, packages: tuple[str, ...] = ("impls", "benchmarks", "reports", "tests")) -> "Tree":
        tree = cls()
        for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            source = ast.parse(path.read_bytes())
            tree.imports[module] = list(imports_of(source, module, package=path.stem == "__init__"))
            if len(parts) == 2 and parts[0] == "impls" and parts[1] not in ("__init__", "__main__", "api"):
                tree.implementations.add(module)
        return tree

    def imports_of(self, *rooms: str) -> Iterator[Import]:
        """Every import of the modules in these rooms."""
        return (i for module in self.imports if within(module, *rooms) for i in self.imports[module])

    def module_of(self, imported: str) -> str | None:
        """The module of this tree that holds an imported name; None where it comes from elsewhere."""
        while imported and imported not in self.imports:
            imported = imported.rpartition(".")[0]
        return imported or None

    def started_with(self, module: str) -> set[str]:
        """The module and every other module of this tree that runs when it is imported."""
        started, waiting = set(), [module]
        while waiting:
            module = waiting.pop()
            parents = {".".join(module.split(".")[:end]) for end in range(1, module.count(".") + 2)}
            for name in (parents & set(self.imports)) - started:
                started.add(name)
                waiting += filter(None, (self.module_of(i.imported) for i in self.imports[name] if i.at_start))
        return started


def imports_of(node: ast.AST, importer: str, *, package: bool, at_start: bool = True) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            parts = importer.split(".")
            above = parts[: len(parts) - child.level + package] if child.level else []
            names = [".".join(filter(None, [*above, child.module, alias.name])) for alias in child.names]
        elif isinstance(child, ast.Call) and ast.unparse(child.func) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            names = [argument.value for argument in child.args[:1] if isinstance(argument, ast.Constant)]
        for name in names:
            yield Import(importer, name, child.lineno, at_start)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inside |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from imports_of(child, importer, package=package, at_start=at_start and not inside)


def within(name: str, *rooms: str) -> bool:
    """Whether a dotted name is one of these or lies in one of them."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


Rule = Callable[[Tree], list[Import]]


def room_imports(*rooms: str, forbidden: tuple[str, ...]) -> Rule:
    """The rule that no module of these rooms imports anything of the forbidden ones."""
    return lambda tree: [i for i in tree.imports_of(*rooms) if within(i.imported, *forbidden)]


def core_imports_implementations(tree: Tree) -> list[Import]:
    return room_imports("impls.core", "impls.families", forbidden=tuple(tree.implementations))(tree)


def implementations_import_each_other(tree: Tree) -> list[Import]:
    own = tree.imports_of(*tree.implementations)
    return [i for i in own if within(i.imported, *(tree.implementations - {i.importer}))]


def statistics_import_more_than_arrays(tree: Tree) -> list[Import]:
    allowed = ("numpy", "scipy", "statsmodels", "benchmarks.statistics", *sys.stdlib_module_names)
    return [i for i in tree.imports_of("benchmarks.statistics") if not within(i.imported, *allowed)]


PLACE = "benchmarks.worker.__main__"
"""What runs in the environment of an implementation."""


def the_worker_starts_with_what_it_does_not_need(tree: Tree) -> list[Import]:
    """Its environment may hold only the worker's few needs, and what it imports costs memory in every process."""
    heavy = ("pyarrow", "pandas", "click", "rich", "scipy", "psutil", *FRAMEWORKS)
    started = sorted(tree.started_with(PLACE))
    return [i for name in started for i in tree.imports[name] if i.at_start and within(i.imported, *heavy)]


def files_of_tests_import_each_other(tree: Tree) -> list[Import]:
    def is_test(imported: str) -> bool:
        return (tree.module_of(imported) or "").rpartition(".")[2].startswith("test_")

    tested = "tests.gpu"  # what tests/project/test_gpu_tests.py tests
    return [i for i in tree.imports_of("tests") if is_test(i.imported) and not within(i.imported, tested)]


COMMAND_ROOMS = ("benchmarks.correctness", "benchmarks.regression", "benchmarks.calibration", "benchmarks.fleet")

RULES: dict[str, tuple[Rule, *tuple[tuple[str, str], ...]]] = {
    "impls imports neither benchmarks nor reports": (
        room_imports("impls", forbidden=("benchmarks", "reports", "tests")),
        ("impls/core/weights.py", "from reports import tables"),
    ),
    "benchmarks does not import reports": (
        room_imports("benchmarks", forbidden=("reports", "tests")),
        ("benchmarks/calibration/pool.py", "def late():\n    import reports.tables"),
        ("benchmarks/options.py", "importlib.import_module('reports.tables')"),
    ),
    "reports imports no framework": (
        room_imports("reports", forbidden=(*FRAMEWORKS, "tests")),
        ("reports/tables.py", "def late():\n    from jax import numpy"),
    ),
    "impls.core does not import families": (
        room_imports("impls.core", forbidden=("impls.families", "impls.api")),
        ("impls/core/weights.py", "from ..families.torch import Model"),
    ),
    "impls.core and impls.families import no implementation": (
        core_imports_implementations,
        ("impls/families/torch.py", "from impls import jax_scan"),
    ),
    "no implementation imports another": (
        implementations_import_each_other,
        ("impls/torch_lstm.py", "from impls.jax_scan import prepare"),
    ),
    "statistics imports numpy, scipy, statsmodels and itself": (
        statistics_import_more_than_arrays,
        ("benchmarks/statistics/ratios.py", "from benchmarks import record"),
    ),
    "the worker imports no room of the runner": (
        room_imports("benchmarks.worker", forbidden=("benchmarks.runner", *COMMAND_ROOMS)),
        ("benchmarks/worker/__main__.py", "from benchmarks import runner"),
    ),
    "the runner imports no command": (
        room_imports("benchmarks.runner", forbidden=COMMAND_ROOMS),
        ("benchmarks/runner/session.py", "from benchmarks import regression"),
    ),
    "regression imports neither calibration nor fleet": (
        room_imports("benchmarks.regression", forbidden=("benchmarks.calibration", "benchmarks.fleet")),
        ("benchmarks/regression/decision.py", "from ..calibration import pool"),
    ),
    "the worker starts with only what it needs": (
        the_worker_starts_with_what_it_does_not_need,
        ("benchmarks/record.py", "try:\n    import pyarrow\nfinally: ..."),
        ("benchmarks/worker/__init__.py", "import psutil"),
        ("impls/core/problem.py", "class Lazy:\n    import pandas"),
    ),
    "test files import no test files": (
        files_of_tests_import_each_other,
        ("tests/test_other.py", "from tests.test_tables import record"),
    ),
}
"""For each rule what finds the imports that break it; and a file, with a line in it that does."""


def broken(rule: str, tree: Tree) -> list[str]:
    return [str(statement) for statement in RULES[rule][0](tree)]


@pytest.fixture(scope="module")
def checkout_tree():
    return Tree.read(ROOT)


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_kept(rule, checkout_tree):
    found = broken(rule, checkout_tree)
    assert not found, "\n".join(found)


GOOD = {
    "impls/torch_lstm.py": "import torch\nfrom impls.core import problem\nfrom impls.families import torch as family\n",
    "impls/jax_scan.py": "import jax\nfrom impls.api import Prepared\n",
    "impls/api.py": "from impls.core.problem import Problem\n",
    "impls/core/problem.py": "import math\n",
    "impls/core/weights.py": "import numpy\n",
    "impls/families/torch.py": "import torch\nfrom impls.core.problem import Problem\n",
    "benchmarks/record.py": "def read():\n    import pyarrow\n",
    "benchmarks/statistics/ratios.py": "import math\nimport numpy as np\nfrom benchmarks.statistics import intervals\n",
    "benchmarks/statistics/intervals.py": "import scipy.stats\n",
    "benchmarks/worker/__main__.py": "from benchmarks import record\nfrom impls.core import problem\n",
    "benchmarks/runner/session.py": "from impls.core import problem\n",
    "benchmarks/correctness/matrix.py": "import rich\n",
    "benchmarks/regression/decision.py": "from benchmarks.statistics import ratios\n",
    "benchmarks/calibration/pool.py": "from benchmarks.regression import decision\n",
    "reports/tables.py": "import pandas\nfrom benchmarks import record\n",
    "tests/helpers/records.py": "",
    "tests/test_tables.py": "from tests.helpers import records\n",
}


def made_up(folder, **added):
    for name, text in {**GOOD, **added}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
    tree = Tree.read(folder)
    return {rule: len(found) for rule in RULES if (found := broken(rule, tree))}


def test_a_tree_that_keeps_every_rule_passes(tmp_path):
    assert made_up(tmp_path) == {}


@pytest.mark.parametrize(("rule", "name", "line"), [(r, *line) for r, (_, *lines) in RULES.items() for line in lines])
def test_a_broken_rule_is_found_and_the_others_stay_quiet(rule, name, line, tmp_path):
    assert made_up(tmp_path, **{name: GOOD.get(name, "") + line + "\n"}) == {rule: 1}


LOADED = "print('LOADED', *sorted(sys.modules))"


def loaded(code):
    """The modules that a process has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import importlib, sys; {code}; {LOADED}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.process
def test_a_command_imports_nothing_of_the_others():
    """So that `agree` does not wait for what only a calibration needs."""
    called = "from benchmarks.__main__ import cli; cli(['agree', '--help'], standalone_mode=False)"
    assert loaded(called) & set(COMMANDS.values()) == {COMMANDS["agree"]}


@pytest.mark.process
def test_commands_and_the_worker_start_without_a_framework():
    modules = ["reports.__main__", "benchmarks.__main__", *COMMANDS.values(), PLACE]
    assert not loaded(f"[*map(importlib.import_module, {modules})]") & {"torch", "jax", "flax"}

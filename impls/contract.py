"""What an implementation promises, and how one is found and loaded.

An implementation is one Python file: four constants, which are read without running it, and one function.

    FRAMEWORK = "torch"                  # the distribution whose version is shown
    TRACK = "default"                    # default or tuned; floor and reference are this suite's own
    DEVICES = ("cpu", "cuda")
    DTYPES = ("float32", "float64")
    WORKLOADS = ("cell", "sequence")     # optional; all three where absent

    def prepare(problem, weights, device, workload) -> Prepared: ...

`prepare` raises Unsupported, with the reason, where it can't do a problem.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from impls.problem import DTYPES
from impls.weights import Array, Inputs

CONTRACT = 1
"""Counted up when an older impls/ no longer works with a newer benchmarks/, or the other way round."""

WORKLOADS = ("cell", "sequence", "model")
MODES = ("forward", "forward_train", "backward", "train_step")
TRACKS = ("default", "tuned", "floor", "reference")
DEVICES = ("cpu", "cuda")
LEARNING_RATE = 0.01
"""Of the `model` workload's plain SGD."""

FOLDER = Path(__file__).resolve().parent


class Unsupported(Exception):
    """An implementation does not do this problem, workload or device; the message says why."""


@dataclass(frozen=True)
class Prepared:
    """An implementation, ready for one problem, workload and device.

    `load(inputs)` gives an opaque state that holds the inputs (and, for `model`, a copy of the
    parameters) in the framework's own arrays. Each mode takes such a state, blocks until its result is
    there, and returns the framework's own result; None where a mode is not supported.

    forward         output, h_n, c_n; for `model` the prediction. Keeps nothing.
    forward_train   the same, and for `model` the loss too; keeps in the state what backward needs.
    backward        the gradients, from what the last forward_train on this state kept. May be called again.
    train_step      both in one, outputs and gradients; for `model` the loss, and the SGD update of the state.

    `to_numpy(mode, result)` is never timed. It gives canonical arrays: output (T, B, D·H), h_n and c_n
    (L·D, B, H), grad_NAME for every weight, x, h0 and c0; for `model` prediction (B, O), loss (),
    grad_NAME of every parameter, and after train_step param_NAME, which is why it may read the state.
    """

    load: Callable[[Inputs], Any]
    to_numpy: Callable[[str, Any], dict[str, Array]]
    forward: Callable[[Any], Any] | None = None
    forward_train: Callable[[Any], Any] | None = None
    backward: Callable[[Any], Any] | None = None
    train_step: Callable[[Any], Any] | None = None

    def call(self, mode: str) -> Callable[[Any], Any]:
        """The callable of a mode; raises Unsupported where there is none."""
        found = getattr(self, mode)
        if found is None:
            raise Unsupported(f"no {mode}")
        return found  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Implementation:
    """What can be known of an implementation without running it."""

    name: str
    path: Path
    framework: str
    track: str
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    workloads: tuple[str, ...]
    digest: str

    def lacks(self, device: str, dtype: str, workload: str) -> str | None:
        """Which of these is not among its constants, in words; None where it has all."""
        for kind, value, known in (
            ("device", device, self.devices),
            ("dtype", dtype, self.dtypes),
            ("workload", workload, self.workloads),
        ):
            if value not in known:
                return f"{kind} {value} is not among its {', '.join(known)}"
        return None

    @property
    def own(self) -> bool:
        """Whether it is one of this folder's files."""
        return self.path.parent == FOLDER

    @property
    def is_floor(self) -> bool:
        """Whether it is this folder's floor, which computes no LSTM; a file from elsewhere can't say so of itself."""
        return self.own and self.name == "floor"


def _constants(tree: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and isinstance(value, ast.expr):
            name = targets[0].id
            if name in ("FRAMEWORK", "TRACK", "DEVICES", "DTYPES", "WORKLOADS"):
                found[name] = ast.literal_eval(value)
    return found


def _choices(path: Path, constants: dict[str, Any], name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    value = constants.get(name, allowed)
    if not isinstance(value, tuple | list) or not value or any(one not in allowed for one in value):
        raise ValueError(f"{path}: {name} is {value!r}; it must be a tuple of {', '.join(allowed)}")
    return tuple(value)


def read(path: Path) -> Implementation:
    """Read a file's constants without running it. Raises ValueError, in one line."""
    try:
        source = path.read_bytes()
        tree = ast.parse(source)
        constants = _constants(tree)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: not valid Python ({error.msg})") from None
    except ValueError as error:
        raise ValueError(f"{path}: a constant that is not a plain literal ({error})") from None
    if not any(isinstance(node, ast.FunctionDef) and node.name == "prepare" for node in tree.body):
        raise ValueError(f"{path} defines no prepare(problem, weights, device, workload)")
    for name in ("FRAMEWORK", "TRACK"):
        if not isinstance(constants.get(name), str) or not constants[name].strip():
            raise ValueError(f"{path} sets no {name}; it must be a plain string")
    if constants["TRACK"] not in TRACKS:
        raise ValueError(f"{path}: TRACK is {constants['TRACK']!r}; it must be one of {', '.join(TRACKS)}")
    return Implementation(
        name=path.stem,
        path=path.resolve(),
        framework=constants["FRAMEWORK"],
        track=constants["TRACK"],
        devices=_choices(path, constants, "DEVICES", DEVICES),
        dtypes=_choices(path, constants, "DTYPES", DTYPES),
        workloads=_choices(path, constants, "WORKLOADS", WORKLOADS),
        digest=hashlib.sha256(source).hexdigest()[:16],
    )


def survey(folder: Path = FOLDER) -> tuple[dict[str, Implementation], dict[str, str]]:
    """Every implementation in this folder, by name: each file that assigns FRAMEWORK; and why others can't be read."""
    found, broken = {}, {}
    for path in sorted(folder.glob("*.py")):
        if re.search(rb"^FRAMEWORK\s*[:=]", path.read_bytes(), re.MULTILINE):
            try:
                found[path.stem] = read(path)
            except ValueError as error:
                broken[path.stem] = str(error)
    return found, broken


def catalogue(folder: Path = FOLDER) -> dict[str, Implementation]:
    """Every implementation in this folder, by name. Raises ValueError, in one line, where one can't be read."""
    found, broken = survey(folder)
    for reason in broken.values():
        raise ValueError(reason)
    return found


def shared_files(folder: Path = FOLDER) -> dict[str, bytes]:
    """What a folder's implementations may import from beside them: every file that is no implementation itself."""
    found, broken = survey(folder)
    return {path.name: path.read_bytes() for path in folder.glob("*.py") if path.stem not in {*found, *broken}}


def read_foreign(path: Path) -> Implementation:
    """As `read`, of a file from elsewhere, which can't say of itself that it need not agree with the reference."""
    found = read(path)
    if not found.own and found.track in ("floor", "reference"):
        raise ValueError(f"{path}: TRACK is {found.track!r}, which is this suite's own; it must be default or tuned")
    if not found.own and found.name in ("floor", "oracle"):
        raise ValueError(f"{path}: {found.name} is the name of this suite's own; rename the file")
    return found


def resolve(text: str) -> Implementation:
    """An implementation by its name or by the path of its file. Raises ValueError, in one line."""
    if text.endswith(".py"):
        return read_foreign(Path(text))
    known = catalogue()
    if text not in known:
        close = difflib.get_close_matches(text, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        raise ValueError(f"no implementation is called {text!r}; {hint} (or give the path of a .py file)")
    return known[text]


def load(implementation: Implementation) -> ModuleType:
    """Import an implementation; a file from elsewhere under a mangled name, so that it shadows nothing."""
    if implementation.own:
        return importlib.import_module(f"impls.{implementation.name}")
    mangled = f"_implementation_{implementation.name}_{implementation.digest}"
    if mangled in sys.modules:
        return sys.modules[mangled]
    spec = importlib.util.spec_from_file_location(mangled, implementation.path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{implementation.path} can't be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[mangled] = module
    spec.loader.exec_module(module)
    return module

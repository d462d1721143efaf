"""Find implementations by name or path, and load them."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import msgspec

import impls
from impls.core.constants import Constants, constants_of, name_set_by, run_on_import
from impls.core.files import check_name, read_regular
from impls.core.precision import TF32, current
from impls.core.problem import DTYPES, VARIANTS, Problem
from impls.core.workloads import WORKLOADS

FOLDER = Path(__file__).resolve().parent.parent
"""impls/, of the tree or snapshot that this file is in."""
BUILT_IN = {"peak": "families/peak.py", "reference": "core/reference.py"}
"""The two files of this suite that are not compared as LSTMs. Each has a track of its own, of its name."""
IMPORTED = re.compile(
    r"^\s*from impls(?:\.| import )(families(?:\.| import )\w+|native|(?!api\b|core\b|families\b)\w+)",
    re.MULTILINE,
)
"""The modules of families/ that a file imports, all of native/, or another implementation."""
CODE = (".py", ".h", ".cpp")
NOT_MEASURED = re.compile(rb"^(COMPILE_MINUTES|FAILS) = .*\n", re.MULTILINE)
"""The lines that say when a file runs, and at what it fails. What is measured does not depend on them, so they are not
in the digest."""
VERSION = re.compile(r"(.+\.py|[^@]+)@((?!.*\.py$).*)", re.DOTALL)
"""Such as `torch_lstm@torch==2.11.*`: the name or path of a file, and requirements."""
ASKED = re.compile(r"\w[\w.-]*(\[[\w,-]+\])?(([=!~]=|[<>]=?)[\w.*+!]+(,(?=\W)|$))*", re.ASCII)
"""A requirement that such a name may have: no option, no address."""


class Implementation(Constants, frozen=True, kw_only=True):
    """What the file of an implementation says without being run."""

    name: str
    path: Path
    digest: str
    about: str

    def lacks(self, device: str, problem: Problem, workload: str) -> str | None:
        """Return the reason why it cannot do these, from its constants; None where it can."""
        for variant in problem.variants:
            if variant not in self.variants:
                return f"no {variant}: {VARIANTS[variant]}"
        named = WORKLOADS[workload]
        dtypes = [dtype for dtype in self.dtypes if dtype in named.dtypes]
        for kind, value, able in (
            ("device", device, self.devices),
            ("dtype", problem.dtype, dtypes),
            ("workload", workload, self.workloads),
        ):
            if value not in able:
                return f"only for {kind} {', '.join(able)}, not {value}"
        if problem.dtype == "int8" and not problem.bias:
            return "no int8 without a bias: PyTorch cannot quantize such an LSTM"
        if not named.in_tf32 and current() == TF32:
            return f"no {workload} in TF32: with its tolerance, a wrong optimizer would pass"
        for field in named.excludes:
            if getattr(problem, field):
                return f"no {field} in a {workload}"
        return None

    def with_failing(self) -> Implementation:
        """Return it with what it fails at among what it can do, so that it is compared there."""
        variants = [name for name in self.fails if name in VARIANTS]
        dtypes = [name for name in self.fails if name in DTYPES]
        return msgspec.structs.replace(
            self, variants=(*self.variants, *variants), dtypes=(*self.dtypes, *dtypes)
        )

    @property
    def by_default(self) -> bool:
        """Whether it is measured where none is named: not optional, no environment of its own, compiled in seconds."""
        takes_more = self.optional or self.requires or self.compile_minutes
        return not takes_more and not self.is_exported

    @property
    def is_exported(self) -> bool:
        """Whether it runs what a framework exports of an LSTM, which is itself among the others."""
        return self.track == "exported"

    @property
    def own(self) -> bool:
        """Whether it is a file of this tree."""
        return self.path.parent in (FOLDER, FOLDER / "core", FOLDER / "families")

    @property
    def text(self) -> str:
        """How a command line names this implementation, from any folder."""
        if self.own and self.path.stem.isidentifier():
            return self.name
        return f"{self.path}{self.name.removeprefix(self.path.stem)}"

    @property
    def is_peak(self) -> bool:
        """Whether it is this tree's peak, which computes no LSTM. A file from elsewhere cannot claim that."""
        return self.own and self.name == "peak"

    @property
    def is_lstm(self) -> bool:
        """Whether it is an LSTM to compare: neither the peak nor the reference."""
        return self.track not in BUILT_IN


def _digest(path: Path, source: bytes) -> str:
    """Return a hash of a file, and of what it imports from families/ and native/ beside it, with what that imports.

    So it changes where what is measured may have changed: torch_cpp's is also that of the C++ which it compiles.
    """
    root = path.parent.parent if path.parent.name == "families" else path.parent
    files = {path: NOT_MEASURED.sub(b"", source)}
    compiled = path.with_suffix(".cpp")
    if compiled.is_file():
        files[compiled] = compiled.read_bytes()
    unread = [source]
    while unread:
        for name in IMPORTED.findall(unread.pop().decode(errors="replace")):
            module = root.joinpath(*re.split(r"\.| import ", name))
            for file in (module.with_suffix(".py"), *sorted(module.glob("*.*"))):
                if file not in files and file.is_file() and file.suffix in CODE:
                    files[file] = file.read_bytes()
                    unread.append(files[file])
    by_name = sorted(files, key=lambda file: file.name)
    return hashlib.sha256(b"\0".join(files[file] for file in by_name)).hexdigest()[:16]


def read(path: Path) -> Implementation:
    """Read a file's constants without running it.

    Raises:
        ValueError: where the file is no implementation; the message has one line.
    """
    source = read_regular(path)
    try:
        tree = ast.parse(source)
        constants = constants_of(tree)
        if "\\x00" in repr(constants):
            raise ValueError("it holds a NUL")
        msgspec.json.encode(constants)  # half a character is no text
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        raise ValueError(f"{path}{where}: not valid Python ({error.msg})") from None
    except (RecursionError, MemoryError):  # generated code, such as a sum of ten thousand terms
        raise ValueError(f"{path}: an expression in it is too long for Python") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: a constant that is not a plain literal ({error})") from None
    if not any(name_set_by(node) == "prepare" for node in run_on_import(tree)):
        raise ValueError(f"{path} defines no prepare(problem, weights, device, workload)")
    constants |= {
        "NAME": path.stem,
        "PATH": Path(os.path.realpath(path)),  # which takes links in a circle
        "DIGEST": _digest(path, source),
        "ABOUT": (ast.get_docstring(tree) or "").partition("\n")[0],
    }
    try:
        return msgspec.convert(constants, Implementation)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path}: {error}") from None


def survey(folder: Path = FOLDER) -> tuple[dict[str, Implementation], dict[str, str]]:
    """Read every implementation of an impls/ folder. An implementation is a file that assigns FRAMEWORK.

    Returns:
        Two dictionaries by name: the implementations, and the reasons why files cannot be read.
    """
    implementations: dict[str, Implementation] = {}
    broken: dict[str, str] = {}
    built_in = [folder / path for path in BUILT_IN.values()]
    for path in sorted([*folder.glob("*.py"), *built_in], key=lambda path: path.stem):
        if path.is_file() and re.search(rb"^FRAMEWORK\s*[:=]", path.read_bytes(), re.MULTILINE):
            try:
                implementations[path.stem] = read(path)
            except ValueError as error:
                broken[path.stem] = str(error)
    return implementations, broken


def catalogue(folder: Path = FOLDER) -> dict[str, Implementation]:
    """Return every implementation of an impls/ folder, by name.

    Raises:
        ValueError: where a file cannot be read.
    """
    implementations, broken = survey(folder)
    for reason in broken.values():
        raise ValueError(reason)
    return implementations


def shared_files(folder: Path = FOLDER) -> dict[str, bytes]:
    """Return every file of impls/ that is no implementation, by its path: implementations may import it."""
    implementations, broken = survey(folder)
    shared: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        is_one = path.parent == folder and path.stem in {*implementations, *broken}
        if path.suffix in CODE and path.is_file() and not is_one:
            shared[path.relative_to(folder).as_posix()] = path.read_bytes()
    return shared


def read_foreign(path: Path) -> Implementation:
    """Read a file from elsewhere, as `read` does.

    Raises:
        ValueError: also for a track or name of this suite's own, since every file from elsewhere must agree with the
            reference.
    """
    real = os.path.realpath(path)
    check_name(real)
    implementation = read(Path(real))  # a link goes by the name of its file
    if implementation.own:
        return implementation
    if implementation.track in BUILT_IN:
        raise ValueError(
            f"{path}: TRACK is {implementation.track!r}, which is this suite's own; it must be default or tuned"
        )
    if implementation.name in BUILT_IN:
        raise ValueError(
            f"{path}: {implementation.name} is the name of this suite's own; rename the file"
        )
    return implementation


def resolve(text: str) -> Implementation:
    """Find an implementation by its name or by the path of its file; with @REQUIREMENT,…, in an environment with these.

    Raises:
        ValueError: where there is none; the message has one line.
    """
    release = VERSION.fullmatch(text)
    if release:
        return _released(resolve(release[1]), release[2])
    if text.endswith(".py"):
        return read_foreign(Path(text))
    path = FOLDER / BUILT_IN.get(text, f"{text}.py")
    # a run resolves many names again and again: no other file is read
    if "/" not in text and path.is_file():
        return read(path)
    names = catalogue()
    hint = f"known: {', '.join(names)}"
    for close in difflib.get_close_matches(text, names, n=1):
        hint = f"did you mean {close}?"
    raise ValueError(
        f"no implementation is called {text!r}; {hint} (or give the path of a .py file)"
    )


def _released(implementation: Implementation, requirements: str) -> Implementation:
    """Return an implementation in an environment with these requirements, which commas separate."""
    asked = re.split(r",(?=[A-Za-z])(?![^\[]*\])", requirements)
    for requirement in asked:
        if not ASKED.fullmatch(requirement):
            raise ValueError(
                f"{requirement!r} is no package with its version, such as torch==2.11.*"
            )
    if not implementation.is_lstm:
        raise ValueError(f"{implementation.name} runs in the present environment only")
    return msgspec.structs.replace(
        implementation,
        name=f"{implementation.name}@{requirements}",
        requires=(*(implementation.requires or (implementation.framework,)), *asked),
    )


def load(implementation: Implementation) -> ModuleType:
    """Import an implementation.

    A file from elsewhere is imported under a mangled name. Its folder comes last on the path: the file can import the
    modules beside it, and they hide no other module.
    """
    folder = implementation.path.parent
    if folder == FOLDER / "core":
        return importlib.import_module(f"impls.core.{implementation.name}")
    # of this tree, or of a gate's side
    ours = folder == Path(os.path.realpath(impls.__path__[0]))
    if ours and implementation.path.stem.isidentifier():
        return importlib.import_module(f"impls.{implementation.name}")
    mangled = f"_implementation_{implementation.name}_{implementation.digest}"
    spec = importlib.util.spec_from_file_location(mangled, implementation.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[mangled] = module
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    spec.loader.exec_module(module)
    return module
